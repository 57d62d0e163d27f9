use std::str::FromStr;

/// A rate limit: `limit` units per window, refilled evenly. A full bucket may be spent at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    pub limit: u32,
    pub window_seconds: u32,
}

impl Rate {
    /// A window is at most thirty days long, so that the keys of the limiter expire.
    const MAX_WINDOW_SECONDS: u32 = 30 * 86_400;
    const MAX_LIMIT: u32 = 1_000_000;

    pub const fn per_minute(limit: u32) -> Self {
        Self { limit, window_seconds: 60 }
    }

    pub const fn per_hour(limit: u32) -> Self {
        Self { limit, window_seconds: 3_600 }
    }

    /// Returns a tenth of the rate, at least one unit: the limit of a process while Redis is down.
    pub fn tenth(self) -> Self {
        Self { limit: (self.limit / 10).max(1), ..self }
    }
}

/// Parses `10/1h`, `100/30s`, `5/2d` or `60/m`.
impl FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str =
            "must have rates such as 10/1h: a count, a slash, a time in s, m, h or d";
        let (limit, window) = text.split_once('/').ok_or(FORM)?;
        let unit_at = window.len().checked_sub(1).filter(|at| window.is_char_boundary(*at));
        let (count, unit) = window.split_at(unit_at.ok_or(FORM)?);
        let unit_seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(FORM),
        };
        let count: u32 = if count.is_empty() { 1 } else { count.parse().map_err(|_| FORM)? };
        let limit: u32 = limit.parse().map_err(|_| FORM)?;
        let window_seconds = count.checked_mul(unit_seconds).ok_or(FORM)?;
        if limit == 0 || limit > Self::MAX_LIMIT {
            return Err("must have rates with a count from 1 to 1,000,000");
        }
        if window_seconds == 0 || window_seconds > Self::MAX_WINDOW_SECONDS {
            return Err("must have rates with a window from 1 second to 30 days");
        }
        Ok(Self { limit, window_seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::Rate;

    #[test]
    fn rates_are_parsed_from_text() {
        assert_eq!("10/1h".parse(), Ok(Rate::per_hour(10)));
        assert_eq!("60/m".parse(), Ok(Rate::per_minute(60)));
        assert_eq!("5/2d".parse(), Ok(Rate { limit: 5, window_seconds: 172_800 }));
        for bad in [
            "",
            "/",
            "10",
            "10/",
            "0/1h",
            "10/0s",
            "10/31d",
            "-1/h",
            "1e3/h",
            "10/1é",
            "9/9999999999h",
        ] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_tenth_of_a_rate_is_at_least_one() {
        assert_eq!(Rate::per_hour(100).tenth(), Rate::per_hour(10));
        assert_eq!(Rate::per_hour(5).tenth(), Rate::per_hour(1));
    }
}
