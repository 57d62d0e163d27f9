//! The starts and ends of periods, computed by Postgres and independently by the test.

use jiff::civil::{DateTime, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use tokio_postgres::types::Type;

use crate::support::{TestApp, execute};

const PAIRS: usize = 4_000;

/// The anchor's day and hour this many months later, or the last day of that month.
fn turn(anchor: DateTime, months: i32) -> DateTime {
    let count = i32::from(anchor.year()) * 12 + i32::from(anchor.month()) - 1 + months;
    let (year, month) = (count.div_euclid(12) as i16, count.rem_euclid(12) as i8 + 1);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    date(year, month, anchor.day().min(days)).to_datetime(anchor.time())
}

/// Goes through the anchor's months until one contains the time.
fn billing_period(anchor: DateTime, now: DateTime) -> (DateTime, DateTime) {
    let mut months = 0;
    while turn(anchor, months) > now {
        months -= 1;
    }
    while turn(anchor, months + 1) <= now {
        months += 1;
    }
    (turn(anchor, months), turn(anchor, months + 1))
}

fn instant(moment: DateTime) -> Timestamp {
    moment.to_zoned(TimeZone::UTC).unwrap().timestamp()
}

/// Anchors, many of them late in their month, and times, many of them at a period's end.
fn pairs() -> Vec<(DateTime, DateTime)> {
    let day = prop_oneof![1_i8..=31, 28_i8..=31];
    let anchor = (1995_i16..=2045, 1_i8..=12, day, 0_i64..86_400_000_000);
    let anchor = anchor.prop_map(|(year, month, day, micros)| {
        let first = date(year, month, 1);
        let midnight = first.with().day(day.min(first.days_in_month())).build().unwrap();
        midnight.to_datetime(jiff::civil::Time::midnight()) + SignedDuration::from_micros(micros)
    });
    let moment = (any::<bool>(), -400_i32..400, -1_i64..=1, 0_i64..31 * 86_400_000_000);
    let pair = (anchor, moment).prop_map(|(anchor, (is_at_turn, months, edge, micros))| {
        let after = if is_at_turn { edge } else { micros };
        (anchor, turn(anchor, months) + SignedDuration::from_micros(after))
    });
    let mut runner = TestRunner::deterministic();
    (0..PAIRS).map(|_| pair.new_tree(&mut runner).unwrap().current()).collect()
}

/// PT-5: months from an anchor, across ends of months, leap years and years in both directions, in
/// any session time zone.
#[tokio::test]
async fn billing_periods_follow_the_calendar() {
    let app = TestApp::new().await;
    let pairs = pairs();
    let anchors: Vec<Timestamp> = pairs.iter().map(|(anchor, _)| instant(*anchor)).collect();
    let moments: Vec<Timestamp> = pairs.iter().map(|(_, moment)| instant(*moment)).collect();
    let sql = "select period.*
               from unnest($1, $2) with ordinality pair (anchor, moment, place)
               cross join lateral period_at('billing_period', anchor, moment) period
               order by place";
    for zone in ["UTC", "America/New_York", "Pacific/Kiritimati"] {
        let client = app.owner().await;
        execute(&client, &format!("set timezone to '{zone}'")).await;
        let params: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
            [(&anchors, Type::TIMESTAMPTZ_ARRAY), (&moments, Type::TIMESTAMPTZ_ARRAY)];
        let rows = client.query_typed(sql, &params).await.unwrap();
        assert_eq!(rows.len(), PAIRS);
        for (row, (anchor, moment)) in rows.iter().zip(&pairs) {
            let (starts_at, ends_at) = billing_period(*anchor, *moment);
            let found: (Timestamp, Timestamp) = (row.get(0), row.get(1));
            let expected = (instant(starts_at), instant(ends_at));
            assert_eq!(found, expected, "{anchor} {moment} {zone}");
        }
    }
}

/// Every time is in one period: periods follow each other without a gap, and any time within one
/// finds the same period.
#[tokio::test]
async fn periods_of_every_kind_follow_each_other_without_a_gap() {
    let app = TestApp::new().await;
    let client = app.owner().await;
    let moments: Vec<Timestamp> = pairs().iter().map(|(_, moment)| instant(*moment)).collect();
    let anchors: Vec<Timestamp> = pairs().iter().map(|(anchor, _)| instant(*anchor)).collect();
    let sql = "select count(*)
               from unnest($1, $2) pair (anchor, moment)
               cross join unnest(array['month', 'day', 'billing_period']) reset
               cross join lateral period_at(reset, anchor, moment) period
               cross join lateral period_at(reset, anchor, period.starts_at) first
               cross join lateral period_at(reset, anchor, period.ends_at - interval '1 us') last
               cross join lateral period_at(reset, anchor, period.ends_at) next
               cross join lateral period_at(reset, anchor, period.starts_at - interval '1 us') before
               where period.starts_at <= moment
                 and moment < period.ends_at
                 and (first, last) = (period, period)
                 and next.starts_at = period.ends_at
                 and before.ends_at = period.starts_at";
    for zone in ["UTC", "America/New_York", "Pacific/Kiritimati"] {
        execute(&client, &format!("set timezone to '{zone}'")).await;
        let params: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
            [(&anchors, Type::TIMESTAMPTZ_ARRAY), (&moments, Type::TIMESTAMPTZ_ARRAY)];
        let right: i64 = client.query_typed_one(sql, &params).await.unwrap().get(0);
        assert_eq!(right, 3 * i64::try_from(PAIRS).unwrap(), "{zone}");
    }
}

/// The catalog's kinds of period, at times that are easily computed wrong.
#[tokio::test]
async fn periods_are_where_people_expect_them() {
    let app = TestApp::new().await;
    let client = app.owner().await;
    for (reset, anchor, moment, starts_at, ends_at) in [
        (
            "month",
            "2024-01-31 10:00Z",
            "2024-02-29 23:59Z",
            "2024-02-01 00:00Z",
            "2024-03-01 00:00Z",
        ),
        (
            "month",
            "2024-01-31 10:00Z",
            "2024-12-31 23:59Z",
            "2024-12-01 00:00Z",
            "2025-01-01 00:00Z",
        ),
        ("day", "2024-01-31 10:00Z", "2024-02-29 00:00Z", "2024-02-29 00:00Z", "2024-03-01 00:00Z"),
        ("never", "2024-01-31 10:00Z", "2024-02-29 00:00Z", "1970-01-01 00:00Z", "infinity"),
        (
            "billing_period",
            "2023-01-31 10:00Z",
            "2023-02-28 09:59Z",
            "2023-01-31 10:00Z",
            "2023-02-28 10:00Z",
        ),
        (
            "billing_period",
            "2023-01-31 10:00Z",
            "2023-02-28 10:00Z",
            "2023-02-28 10:00Z",
            "2023-03-31 10:00Z",
        ),
        (
            "billing_period",
            "2023-01-31 10:00Z",
            "2024-03-15 10:00Z",
            "2024-02-29 10:00Z",
            "2024-03-31 10:00Z",
        ),
        (
            "billing_period",
            "2024-02-29 00:00Z",
            "2025-03-01 00:00Z",
            "2025-02-28 00:00Z",
            "2025-03-29 00:00Z",
        ),
        (
            "billing_period",
            "2026-12-04 08:00Z",
            "2026-11-20 00:00Z",
            "2026-11-04 08:00Z",
            "2026-12-04 08:00Z",
        ),
    ] {
        let sql = format!(
            "select count(*)
             from period_at('{reset}', '{anchor}', '{moment}')
             where starts_at = '{starts_at}'
               and coalesce(ends_at, 'infinity') = '{ends_at}'"
        );
        let right: i64 = client.query_typed_one(&sql, &[]).await.unwrap().get(0);
        assert_eq!(right, 1, "{reset} {anchor} {moment}");
    }
}
