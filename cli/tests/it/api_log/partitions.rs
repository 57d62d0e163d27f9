//! The log has a partition for each day, which the daily job drops after its time.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::logging;
use crate::support::TestApp;

impl TestApp {
    async fn partitions(&self) -> Value {
        let report = self.get("/api/cron/daily").cron().send().await.expect_status(200).body;
        let of_log = |kind: &str| -> Vec<Value> {
            let names = report["partitions"][kind].as_array().unwrap().iter();
            names.filter(|name| name.as_str().unwrap().starts_with("api_log")).cloned().collect()
        };
        json!([of_log("made"), of_log("dropped"), of_log("postponed")])
    }

    async fn partition_of_calls(&self, at: &str) -> Value {
        let sql = format!(
            "select coalesce(jsonb_agg(distinct tableoid::regclass::text), '[]') from api_log
             where called_at >= '{at}'"
        );
        self.owner().await.query_typed_one(&sql, &[]).await.unwrap().get(0)
    }

    fn pass_day(&self, days: i64) {
        self.clock.advance(SignedDuration::from_hours(24 * days));
    }
}

/// CR-4: 30 days, unless an operator changes it.
#[tokio::test]
async fn the_log_is_dropped_day_by_day() {
    let app = logging("full").await;
    assert_eq!(app.partitions().await, json!([[], [], []]), "an empty log needs no partitions");
    app.logged_calls().await;
    let days = |days: std::ops::RangeInclusive<u32>| -> Vec<String> {
        days.map(|day| format!("api_log_2026_06_{day:02}")).collect()
    };
    let today = ["api_log_2026_06_10"];
    assert_eq!(app.partitions().await, json!([days(11..=16), [], today]));
    app.pass_day(1);
    app.get("/api/health").send().await.expect_status(200);
    app.logged_calls().await;
    assert_eq!(app.partition_of_calls("2026-06-11").await, json!(["api_log_2026_06_11"]));
    assert_eq!(app.partition_of_calls("2026-06-01").await.as_array().unwrap().len(), 2);

    // The day's last call is 30 days old on 2026-07-12.
    app.pass_day(30);
    assert_eq!(app.partitions().await[1], json!([]));
    assert!(app.count("select count(*) from api_log where called_at < '2026-06-12'").await > 0);
    app.pass_day(1);
    assert_eq!(app.partitions().await[1], json!(days(11..=11)));
    assert_eq!(app.count("select count(*) from api_log where called_at < '2026-06-12'").await, 0);
}
