use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number of seats, or of credit packs: 1 to 10,000.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "u64")]
#[schemars(extend("minimum" = 1, "maximum" = 10_000))]
pub struct Quantity(u64);

impl Quantity {
    pub fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Quantity {
    type Error = &'static str;

    fn try_from(quantity: u64) -> Result<Self, Self::Error> {
        if (1..=10_000).contains(&quantity) {
            Ok(Self(quantity))
        } else {
            Err("must be from 1 to 10000")
        }
    }
}
