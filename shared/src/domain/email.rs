use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An e-mail address. Its form is checked; whether mail arrives is not.
#[derive(Clone, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "String")]
#[schemars(extend("format" = "email", "maxLength" = 254, "pattern" = Email::PATTERN))]
pub struct Email(String);

impl Email {
    /// The form of an address as an OpenAPI pattern.
    const PATTERN: &str = r"^[^\s<>,\u0000-\u001f\u007f-\u009f]+@[^\s<>,@.\u0000-\u001f\u007f-\u009f]+(\.[^\s<>,@.\u0000-\u001f\u007f-\u009f]+)*$";

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Email {
    type Error = &'static str;

    fn try_from(address: String) -> Result<Self, Self::Error> {
        let odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | ',');
        let is_address = address.rsplit_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && domain.split('.').all(|label| !label.is_empty())
        });
        if !is_address || address.len() > 254 || address.contains(odd) {
            return Err("must be an e-mail address");
        }
        Ok(Self(address))
    }
}

/// Prints `***`, so that addresses stay out of every log.
impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::Email;

    #[test]
    fn an_address_has_a_name_and_a_host() {
        for good in ["a@b.example", "first.last+tag@example.com", "o'neil@example.co.uk"] {
            assert!(Email::try_from(good.to_owned()).is_ok(), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        for bad in
            ["", "a", "@b.c", "a@", "a@b..c", "a b@c.d", "A <a@b.c>", "a@b.c\r\nBcc: x", &long]
        {
            assert!(Email::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
