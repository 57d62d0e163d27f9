//! Counts that reset as time passes.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::TestApp;

impl TestApp {
    /// Moves the clock to this long after a time from an answer.
    fn pass(&self, moment: &Value, after: SignedDuration) {
        let moment: Timestamp = moment.as_str().unwrap().parse().unwrap();
        self.clock.advance((moment + after).duration_since(self.now()));
    }

    /// Advances to a time and a little more, with all webhooks on the way.
    pub async fn advance_to(&self, then: Timestamp) {
        let seconds = then.duration_since(self.now()).as_secs() + 1;
        self.advance(&format!("{seconds}s")).await;
    }

    /// Moves the clock to that hour of a day of the next year.
    async fn next_year(&self, month: i8, day: i8, hour: i8) {
        let this_year = self.now().to_zoned(TimeZone::UTC).year();
        let then = jiff::civil::date(this_year + 1, month, day).at(hour, 0, 0, 0);
        let then = then.to_zoned(TimeZone::UTC).unwrap().timestamp();
        self.advance_to(then).await;
    }
}

/// Room for the time that passes while a call is answered.
const JUST_BEFORE: SignedDuration = SignedDuration::from_secs(-30);

#[tokio::test]
async fn months_and_days_follow_the_calendar() {
    let app = TestApp::selling("demo").await;
    app.to_next_day(SignedDuration::from_hours(1));
    for (feature, most) in [("reports", 5), ("api_calls", 100)] {
        let all = json!({ "feature": feature, "quantity": most });
        for _ in 0..3 {
            let counted = app.report("ann", all.clone()).await.expect_status(200).body;
            assert_eq!(counted["used"], most);
            let one_more = app.report("ann", json!({ "feature": feature })).await;
            let refused = one_more.expect_problem(402, "quota_exceeded").body;
            assert_eq!(refused["resetsAt"], counted["resetsAt"]);
            assert!(counted["resetsAt"].as_str().unwrap().ends_with("T00:00:00Z"), "{counted}");
            app.pass(&counted["resetsAt"], JUST_BEFORE);
            assert_eq!(app.used("ann", feature).await["used"], most);
            app.pass(&counted["resetsAt"], SignedDuration::ZERO);
            assert_eq!(app.used("ann", feature).await["used"], 0);
        }
        let periods = app.usage("ann", &format!("feature={feature}")).await["data"].clone();
        assert_eq!(periods.as_array().unwrap().len(), 3, "past periods are kept: {periods}");
    }
}

#[tokio::test]
async fn usage_without_a_reset_stays() {
    let app = TestApp::selling("demo").await;
    let counted = app.report("ann", json!({ "feature": "dashboards" })).await.expect_status(200);
    assert_eq!(counted.body["resetsAt"], Value::Null);
    app.clock.advance(SignedDuration::from_hours(24 * 500));
    let refused = app.report("ann", json!({ "feature": "dashboards" })).await;
    let refused = refused.expect_problem(402, "quota_exceeded").body;
    assert_eq!(json!([refused["current"], refused["resetsAt"]]), json!([1, null]));
}

/// A yearly plan's months begin on its own day, or on the last day of a shorter month.
#[tokio::test]
async fn a_yearly_plan_starts_again_every_month_on_its_day() {
    let app = TestApp::selling("demo").await;
    app.next_year(1, 31, 10).await;
    app.buy("ann", json!({ "tier": "team", "interval": "yearly" })).await;
    let mut days = Vec::new();
    for count in 1..=4 {
        let report = json!({ "feature": "exports", "quantity": count });
        let counted = app.report("ann", report).await.expect_status(200).body;
        assert_eq!(counted["used"], count, "the last month's usage does not count");
        let resets_at: Timestamp = counted["resetsAt"].as_str().unwrap().parse().unwrap();
        let resets_at = resets_at.to_zoned(TimeZone::UTC);
        assert_eq!(resets_at.hour(), 10);
        days.push((resets_at.month(), resets_at.day()));
        app.pass(&counted["resetsAt"], JUST_BEFORE);
        assert_eq!(app.used("ann", "exports").await["used"], count);
        app.pass(&counted["resetsAt"], SignedDuration::ZERO);
    }
    let february = jiff::civil::date(app.now().to_zoned(TimeZone::UTC).year(), 2, 1);
    assert_eq!(days, [(2, february.days_in_month()), (3, 31), (4, 30), (5, 31)]);
}

/// Renewals keep the day, and counts follow Stripe's own periods.
#[tokio::test]
async fn a_monthly_plan_starts_again_when_it_renews() {
    let app = TestApp::selling("demo").await;
    app.next_year(1, 31, 10).await;
    app.buy("ann", json!({ "tier": "team", "interval": "monthly" })).await;
    let mut days = Vec::new();
    for _ in 0..3 {
        app.report("ann", json!({ "feature": "exports", "quantity": 7 })).await.expect_status(200);
        let period = app.used("ann", "exports").await;
        assert_eq!(period["used"], 7);
        let subscription = app.subscription("ann").await["subscription"].clone();
        assert_eq!(period["periodStart"], subscription["currentPeriodStart"]);
        assert_eq!(period["resetsAt"], subscription["currentPeriodEnd"]);
        let resets_at: Timestamp = period["resetsAt"].as_str().unwrap().parse().unwrap();
        days.push(resets_at.to_zoned(TimeZone::UTC).day());
        app.advance_to(resets_at).await;
    }
    assert_eq!(days[1..], [31, 30], "the days of March and April");
}
