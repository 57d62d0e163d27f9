//! Redis commands in the form of Upstash's REST API.

use serde::ser::{Serialize, Serializer};

/// A Redis command with its arguments. Upstash accepts it as a JSON array of strings.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Command(Vec<String>);

impl Command {
    pub fn new(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }

    pub fn ping() -> Self {
        Self::new("PING")
    }

    pub fn get(key: &str) -> Self {
        Self::new("GET").arg(key)
    }

    pub fn set(key: &str, value: &str, seconds: u32) -> Self {
        Self::new("SET").arg(key).arg(value).arg("EX").arg(seconds.to_string())
    }

    pub fn del(key: &str) -> Self {
        Self::new("DEL").arg(key)
    }

    pub fn exists(key: &str) -> Self {
        Self::new("EXISTS").arg(key)
    }

    pub fn hgetall(key: &str) -> Self {
        Self::new("HGETALL").arg(key)
    }

    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.0.push(arg.into());
        self
    }

    pub(super) fn keys_and_args(mut self, keys: &[&str], args: &[&str]) -> Self {
        self.0.push(keys.len().to_string());
        self.0.extend(keys.iter().chain(args).map(|text| (*text).to_owned()));
        self
    }
}

impl Serialize for Command {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
