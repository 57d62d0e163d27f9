use std::borrow::Cow;
use std::num::NonZeroU32;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{EventType, UserId};

/// One call of the API, as it is logged for analytics. The names of the fields are the columns of
/// the table `api_log`.
///
/// It holds no address, query, header or body.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ApiCall {
    /// A random id, by which a call is stored once.
    pub id: String,
    pub called_at: Timestamp,
    pub route: Cow<'static, str>,
    pub method: Cow<'static, str>,
    pub status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The type of the Stripe event that the call delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<EventType>,
    pub duration_us: u64,
    pub caller: Cow<'static, str>,
    /// The number of calls that this one represents.
    pub weight: NonZeroU32,
    /// The user that the call was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
}

impl ApiCall {
    /// Returns the part of a call's JSON that names this user. Without it, the JSON is that of the
    /// same call without a user.
    pub fn json_of_user(user: &UserId) -> serde_json::Result<String> {
        Ok(format!(r#","user_id":{}"#, serde_json::to_string(user)?))
    }
}

/// The share of calls that are logged: one in so many.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SampleRate(NonZeroU32);

impl SampleRate {
    pub const FULL: Self = Self(NonZeroU32::MIN);
    /// The smallest share.
    const MIN_SHARE: f64 = 0.0001;

    /// Decides by a random number whether to log a call. Returns its weight if it is logged.
    pub fn weight(self, random: u32) -> Option<NonZeroU32> {
        random.is_multiple_of(self.0.get()).then_some(self.0)
    }
}

/// Parses `full`, or a share such as `0.1`.
impl FromStr for SampleRate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "must be off, full, or a share from 0.0001 to 1 such as 0.1";
        if text == "full" {
            return Ok(Self::FULL);
        }
        let share: f64 = text.parse().map_err(|_| FORM)?;
        if !(Self::MIN_SHARE..=1.0).contains(&share) {
            return Err(FORM);
        }
        // Between 1 and 10,000. A weight is a whole number, so that sums of weights are exact.
        NonZeroU32::new((1.0 / share).round() as u32).map(Self).ok_or(FORM)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use serde_json::json;

    use super::{ApiCall, SampleRate};
    use crate::domain::UserId;

    fn weights(rate: &str, randoms: std::ops::Range<u32>) -> Vec<u32> {
        let rate: SampleRate = rate.parse().unwrap();
        randoms.filter_map(|random| rate.weight(random)).map(NonZeroU32::get).collect()
    }

    /// CR-4: the weights of the logged calls add up to all calls.
    #[test]
    fn the_weights_of_a_sample_add_up_to_all_calls() {
        for (rate, every) in [("full", 1), ("1", 1), ("0.5", 2), ("0.1", 10), ("0.0001", 10_000)] {
            let weights = weights(rate, 0..10_000);
            assert!(weights.iter().all(|weight| *weight == every), "{rate}");
            assert_eq!(weights.iter().sum::<u32>(), 10_000, "{rate}");
        }
        assert_eq!(weights("0.3", 0..9), [3, 3, 3], "rounded to one call in three");
    }

    #[test]
    fn a_share_that_cannot_be_sampled_is_refused() {
        for text in ["", "on", "0", "-0.1", "1.5", "0.00001", "NaN", "inf", "10%"] {
            assert!(text.parse::<SampleRate>().is_err(), "{text}");
        }
    }

    /// The script that erases a user depends on it.
    #[test]
    fn the_user_can_be_cut_out_of_the_json_of_a_call() {
        let id = "a\"b\\,\u{e9}}";
        let call = json!({
            "id": "0", "called_at": "2026-06-10T10:20:30Z", "route": "mood", "method": "PATCH",
            "status": 200, "duration_us": 1, "caller": "user", "weight": 1, "user_id": id,
        });
        let call: ApiCall = serde_json::from_value(call).unwrap();
        let user = UserId::try_from(id.to_owned()).unwrap();
        let part = ApiCall::json_of_user(&user).unwrap();
        let json = serde_json::to_string(&call).unwrap();
        let (before, after) = json.split_once(&part).unwrap();
        let without: ApiCall = serde_json::from_str(&format!("{before}{after}")).unwrap();
        assert_eq!(without, ApiCall { user_id: None, ..call });
    }
}
