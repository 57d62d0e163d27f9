//! Fault injection: switches for webhook faults, late responses and unpaid renewals.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::suggestion::suggestion;

#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// Sends each event twice.
    pub duplicate: bool,
    /// Sends events that were created together one by one, the last one first.
    pub reorder: bool,
    /// Gives events that were created together the same `created` second.
    pub same_second: bool,
    /// Delays each event by this many seconds.
    pub delay_seconds: u32,
    /// Sends no events. The API still lists them, so that a reconciliation can find them.
    pub drop: bool,
    /// Makes a subscription `unpaid`, not `canceled`, after the last retry of a renewal fails.
    pub unpaid: bool,
    /// Delays each API response by this many milliseconds after its effect.
    pub answer_after_ms: u32,
}

impl Switches {
    const NAMES: [&str; 7] = [
        "duplicate",
        "reorder",
        "same_second",
        "drop",
        "unpaid",
        "delay_seconds",
        "answer_after_ms",
    ];

    /// Sets a switch by name. The error names the values it accepts.
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
            _ => return Err(format!("unknown switch {name}; {}", suggestion(name, Self::NAMES))),
        }
        Ok(())
    }

    /// The number of concurrent deliveries.
    pub fn at_once(&self) -> usize {
        if self.reorder { 1 } else { 4 }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_invalid_switch_is_refused() {
        let mut switches = Switches::default();
        for (name, value, expected) in [
            ("duplicate", json!("yes"), "duplicate must be true or false"),
            ("delay_seconds", json!("abc"), "delay_seconds must be a whole number, 0 or more"),
            ("answer_after_ms", json!(-1), "answer_after_ms must be a whole number, 0 or more"),
            ("dupliacte", json!(true), "unknown switch dupliacte; did you mean duplicate?"),
            (
                "late",
                json!(true),
                "unknown switch late; available: duplicate, reorder, same_second, drop, unpaid, \
                 delay_seconds, answer_after_ms",
            ),
        ] {
            assert_eq!(switches.set(name, &value).unwrap_err(), expected);
        }
        assert_eq!(switches, Switches::default());
        let all = serde_json::to_value(&switches).unwrap();
        let known: Vec<&String> = all.as_object().unwrap().keys().collect();
        assert!(known.iter().all(|name| Switches::NAMES.contains(&name.as_str())), "{known:?}");
        assert_eq!(known.len(), Switches::NAMES.len());
        switches.set("delay_seconds", &json!(30)).unwrap();
        assert_eq!(switches.delay_seconds, 30);
    }
}
