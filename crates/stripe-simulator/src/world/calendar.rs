//! Billing periods. All times are in UTC, in seconds since 1970.
//!
//! Every boundary is computed from the anchor, never from the previous boundary: a subscription
//! that began on 31 January renews on 28 February and then on 31 March.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

pub const MINUTE: i64 = 60;

pub const HOUR: i64 = 60 * MINUTE;

pub const DAY: i64 = 24 * HOUR;

/// The billing interval of a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    pub unit: Unit,
    pub count: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Day,
    Week,
    Month,
    Year,
}

impl Interval {
    /// Reads the `recurring` of a price: `{"interval": "month", "interval_count": 1}`.
    pub fn of(recurring: &serde_json::Value) -> Self {
        let unit = match recurring["interval"].as_str() {
            Some("day") => Unit::Day,
            Some("week") => Unit::Week,
            Some("year") => Unit::Year,
            _ => Unit::Month,
        };
        Self { unit, count: recurring["interval_count"].as_i64().unwrap_or(1).max(1) }
    }

    /// Returns the `n`-th boundary after the anchor. 0 is the anchor; negative ones are before it.
    pub fn boundary(self, anchor: i64, n: i64) -> i64 {
        let steps = n.saturating_mul(self.count);
        match self.unit {
            Unit::Day => anchor.saturating_add(steps.saturating_mul(DAY)),
            Unit::Week => anchor.saturating_add(steps.saturating_mul(7 * DAY)),
            Unit::Month => months_later(anchor, steps),
            Unit::Year => months_later(anchor, steps.saturating_mul(12)),
        }
    }

    /// Returns the period that contains the moment. It begins at or before it, and ends after it.
    pub fn period_at(self, anchor: i64, moment: i64) -> (i64, i64) {
        let mut n = (moment - anchor) / self.longest();
        while self.boundary(anchor, n) > moment {
            n -= 1;
        }
        // The bound prevents an endless loop at the end of the calendar.
        for _ in 0..MAX_STEPS {
            let end = self.boundary(anchor, n + 1);
            if end > moment {
                return (self.boundary(anchor, n), end);
            }
            n += 1;
        }
        (moment, moment.saturating_add(self.longest()))
    }

    /// The maximum length of a period, in seconds.
    fn longest(self) -> i64 {
        let days = match self.unit {
            Unit::Day => 1,
            Unit::Week => 7,
            Unit::Month => 31,
            Unit::Year => 366,
        };
        self.count.saturating_mul(days).saturating_mul(DAY)
    }
}

/// Dividing by the longest period undercounts by a few percent, over at most a few centuries.
const MAX_STEPS: usize = 1_000;

/// Returns the same day and time `months` later, or the last day of a shorter month.
pub fn months_later(moment: i64, months: i64) -> i64 {
    let later = civil(moment).and_then(|start| {
        let span = Span::new().try_months(months).ok()?;
        let end = start.checked_add(span).ok()?;
        Some(end.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
    });
    later.unwrap_or(moment)
}

/// Formats a day as on an invoice: `14 Feb 2027`.
pub fn day_text(moment: i64) -> String {
    civil(moment).map(|day| day.strftime("%-d %b %Y").to_string()).unwrap_or_default()
}

fn civil(moment: i64) -> Option<DateTime> {
    Some(Timestamp::from_second(moment).ok()?.to_zoned(TimeZone::UTC).datetime())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("a time").as_second()
    }

    const MONTHLY: Interval = Interval { unit: Unit::Month, count: 1 };
    const YEARLY: Interval = Interval { unit: Unit::Year, count: 1 };

    #[test]
    fn months_are_counted_from_the_anchor() {
        let anchor = at("2027-01-31T10:00:00Z");
        let ends = ["2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"];
        for (n, day) in (1..).zip(ends) {
            assert_eq!(MONTHLY.boundary(anchor, n), at(&format!("{day}T10:00:00Z")));
        }
    }

    #[test]
    fn a_yearly_leap_day_recurs_after_four_years() {
        let anchor = at("2028-02-29T00:00:00Z");
        assert_eq!(YEARLY.boundary(anchor, 1), at("2029-02-28T00:00:00Z"));
        assert_eq!(YEARLY.boundary(anchor, 4), at("2032-02-29T00:00:00Z"));
    }

    #[test]
    fn a_period_includes_its_start_and_excludes_its_end() {
        let anchor = at("2027-01-31T00:00:00Z");
        let cases = [
            ("2027-01-31T00:00:00Z", "2027-01-31T00:00:00Z", "2027-02-28T00:00:00Z"),
            ("2027-02-27T23:59:59Z", "2027-01-31T00:00:00Z", "2027-02-28T00:00:00Z"),
            ("2027-02-28T00:00:00Z", "2027-02-28T00:00:00Z", "2027-03-31T00:00:00Z"),
            ("2026-12-31T00:00:00Z", "2026-12-31T00:00:00Z", "2027-01-31T00:00:00Z"),
            ("2047-06-30T01:00:00Z", "2047-06-30T00:00:00Z", "2047-07-31T00:00:00Z"),
        ];
        for (moment, start, end) in cases {
            assert_eq!(MONTHLY.period_at(anchor, at(moment)), (at(start), at(end)), "{moment}");
        }
        let weekly = Interval { unit: Unit::Week, count: 2 };
        let start = at("2027-02-14T00:00:00Z");
        assert_eq!(weekly.period_at(anchor, start), (start, start + 14 * DAY));
    }
}
