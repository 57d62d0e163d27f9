//! Switches for faults between Stripe and its customers' servers.

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// Each event is sent twice.
    pub duplicate: bool,
    /// Events that come about together are sent one by one, the last of them first.
    pub reorder: bool,
    /// Events that come about together say that they were created in the same second.
    pub same_second: bool,
    /// Events are sent so much later.
    pub delay_seconds: u32,
    /// Events are not sent at all. The API lists them, so that a reconciliation can find them.
    pub drop: bool,
    /// A subscription whose renewal could not be charged in the end is `unpaid`, not canceled.
    pub unpaid: bool,
    /// Answers of the API arrive so much later than what they tell of.
    pub answer_after_ms: u32,
}

impl Switches {
    /// Sets one by its name, or says what it must be.
    pub fn set(&mut self, name: &str, value: &Value) -> Result<(), String> {
        let on = || value.as_bool().ok_or_else(|| format!("{name} must be true or false"));
        let number = || {
            let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
            number.ok_or_else(|| format!("{name} must be a whole number, 0 or more"))
        };
        match name {
            "duplicate" => self.duplicate = on()?,
            "reorder" => self.reorder = on()?,
            "same_second" => self.same_second = on()?,
            "drop" => self.drop = on()?,
            "unpaid" => self.unpaid = on()?,
            "delay_seconds" => self.delay_seconds = number()?,
            "answer_after_ms" => self.answer_after_ms = number()?,
            _ => return Err(format!("no switch is called {name}")),
        }
        Ok(())
    }

    /// How many deliveries are on their way at once.
    pub fn at_once(&self) -> usize {
        if self.reorder { 1 } else { 4 }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_switch_says_what_it_must_be() {
        let mut switches = Switches::default();
        for (name, value, expected) in [
            ("duplicate", json!("yes"), "duplicate must be true or false"),
            ("delay_seconds", json!("abc"), "delay_seconds must be a whole number, 0 or more"),
            ("answer_after_ms", json!(-1), "answer_after_ms must be a whole number, 0 or more"),
            ("dupe", json!(true), "no switch is called dupe"),
        ] {
            assert_eq!(switches.set(name, &value).unwrap_err(), expected);
        }
        assert_eq!(switches, Switches::default());
        switches.set("delay_seconds", &json!(30)).unwrap();
        assert_eq!(switches.delay_seconds, 30);
    }
}
