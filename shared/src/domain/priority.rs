use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The order in which credit grants that expire at the same time are spent: the lowest first, 0 to 100.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "u64")]
#[schemars(extend("minimum" = 0, "maximum" = 100))]
pub struct CreditPriority(i32);

impl CreditPriority {
    pub fn get(self) -> i32 {
        self.0
    }
}

impl TryFrom<u64> for CreditPriority {
    type Error = &'static str;

    fn try_from(priority: u64) -> Result<Self, Self::Error> {
        match i32::try_from(priority) {
            Ok(priority @ 0..=100) => Ok(Self(priority)),
            _ => Err("must be from 0 to 100"),
        }
    }
}
