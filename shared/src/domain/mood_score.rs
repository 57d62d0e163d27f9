use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A user's mood, from 0 to 10. Decimals are allowed.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "f64")]
#[schemars(extend("minimum" = 0, "maximum" = 10))]
pub struct MoodScore(f64);

impl TryFrom<f64> for MoodScore {
    type Error = &'static str;

    fn try_from(score: f64) -> Result<Self, Self::Error> {
        if !(0.0..=10.0).contains(&score) {
            return Err("must be a number from 0 to 10");
        }
        // Adding zero turns -0 into 0, so that no client ever reads "-0".
        Ok(Self(score + 0.0))
    }
}

/// The shortest decimal that reads back as the same number: `8`, `8.5`.
impl fmt::Display for MoodScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::MoodScore;

    #[test]
    fn scores_from_0_to_10_are_accepted() {
        for score in [0.0, -0.0, 8.5, 10.0] {
            assert!(MoodScore::try_from(score).is_ok(), "{score}");
        }
        for score in [-1.0, -f64::MIN_POSITIVE, 10.1, f64::NAN, f64::INFINITY] {
            assert!(MoodScore::try_from(score).is_err(), "{score}");
        }
    }

    proptest! {
        #[test]
        fn a_score_reads_back_as_it_was_written(score in 0.0..=10.0) {
            let written = MoodScore::try_from(score).unwrap().to_string();
            prop_assert_eq!(written.parse::<f64>().unwrap(), score);
        }
    }
}
