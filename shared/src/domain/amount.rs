//! Counts of usage and credits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The largest integer that JavaScript represents exactly.
const LARGEST: i64 = 9_007_199_254_740_991;

/// A count of usage or credits: a positive integer that JavaScript represents exactly.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "u64")]
#[schemars(extend("minimum" = 1, "maximum" = 9_007_199_254_740_991_i64))]
pub struct PositiveCount(i64);

/// A change of a count: an integer other than 0 that JavaScript represents exactly.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "i64")]
#[schemars(extend(
    "minimum" = -9_007_199_254_740_991_i64,
    "maximum" = 9_007_199_254_740_991_i64,
    "not" = { "const": 0 },
))]
pub struct SignedCount(i64);

impl PositiveCount {
    pub const ONE: Self = Self(1);

    pub fn one() -> Self {
        Self::ONE
    }

    pub fn get(self) -> i64 {
        self.0
    }
}

impl SignedCount {
    pub fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<u64> for PositiveCount {
    type Error = &'static str;

    fn try_from(amount: u64) -> Result<Self, Self::Error> {
        let amount = i64::try_from(amount).ok().filter(|amount| (1..=LARGEST).contains(amount));
        amount.map(Self).ok_or("must be from 1 to 9007199254740991")
    }
}

impl TryFrom<i64> for SignedCount {
    type Error = &'static str;

    fn try_from(signed: i64) -> Result<Self, Self::Error> {
        if signed == 0 || signed.unsigned_abs() > LARGEST.unsigned_abs() {
            return Err("must be from 1 to 9007199254740991; adjust also accepts values below 0");
        }
        Ok(Self(signed))
    }
}

impl TryFrom<SignedCount> for PositiveCount {
    type Error = &'static str;

    fn try_from(signed: SignedCount) -> Result<Self, Self::Error> {
        if signed.0 < 1 {
            return Err("must be from 1 to 9007199254740991");
        }
        Ok(Self(signed.0))
    }
}
