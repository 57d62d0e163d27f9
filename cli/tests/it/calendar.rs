//! Tests that depend on the calendar, each run at twelve difficult moments.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde_json::{Value, json};

use crate::support::{Setup, TestApp};

/// Ends of months, years and Februaries, the second before a period ends, and the night on which
/// Europe changes its clocks.
const MOMENTS: [&str; 12] = [
    "2024-02-28T23:59:59Z",
    "2024-02-29T12:00:00Z",
    "2024-12-31T23:59:59Z",
    "2025-01-30T08:15:00Z",
    "2025-02-28T00:00:00Z",
    "2025-04-30T23:59:58Z",
    "2025-08-31T10:59:59Z",
    "2025-11-30T05:18:54Z",
    "2026-01-01T00:00:00Z",
    "2026-01-31T16:45:00Z",
    "2026-03-29T00:59:59Z",
    "2026-03-31T22:30:00Z",
];

/// Room for the time that passes while a call is answered.
const MARGIN: SignedDuration = SignedDuration::from_secs(30);

fn moment(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// Adds months to an anchor: on its day, or on the last day of a shorter month.
pub fn months_after(anchor: Timestamp, months: i64) -> Timestamp {
    anchor.to_zoned(TimeZone::UTC).checked_add(months.months()).unwrap().timestamp()
}

async fn selling(catalog: &'static str, at: &str) -> TestApp {
    Setup::default().sells(catalog).at(at).start().await
}

impl TestApp {
    /// Moves the clock to `to`, or up to a millisecond later: clocks move by whole milliseconds.
    fn set_clock(&self, to: Timestamp) {
        self.clock.advance(to.duration_since(self.now()) + SignedDuration::from_millis(1));
    }

    /// Buys the letters app's plan; returns the anchor of its periods.
    async fn subscribe_to_letters(&self, interval: &str) -> Timestamp {
        self.buy("ann", json!({ "tier": "pro", "interval": interval })).await;
        moment(&self.subscription("ann").await["subscription"]["currentPeriodStart"])
    }

    async fn count_of(&self, feature: &str) -> Value {
        let call = self.get(&format!("/api/usage?feature={feature}")).bearer(&self.token("ann"));
        call.send().await.expect_status(200).body["current"][0].clone()
    }

    async fn track(&self, feature: &str, quantity: i64) {
        let report = json!({ "feature": feature, "quantity": quantity });
        let call = self.post("/api/usage").bearer(&self.token("ann")).json(report);
        call.send().await.expect_status(200);
    }
}

/// PT-5: usage counts until the answer's `resetsAt`, and starts at zero from then on.
#[tokio::test]
async fn usage_resets_at_the_time_that_the_answer_names() {
    for at in MOMENTS {
        let app = selling("demo", at).await;
        app.buy("ann", json!({ "tier": "team", "interval": "monthly" })).await;
        let subscription = app.subscription("ann").await["subscription"].clone();
        for (feature, midnight) in [("exports", false), ("api_calls", true), ("reports", true)] {
            app.track(feature, 2).await;
            let resets_at = moment(&app.count_of(feature).await["resetsAt"]);
            assert!(resets_at > app.now(), "{at} {feature}: {resets_at}");
            let seconds_of_day = resets_at.as_second().rem_euclid(86_400);
            assert!(!midnight || seconds_of_day == 0, "{at} {feature}: {resets_at}");
            if feature == "exports" {
                assert_eq!(resets_at, moment(&subscription["currentPeriodEnd"]), "{at}");
            }
            app.set_clock(resets_at - MARGIN);
            app.track(feature, 1).await;
            app.set_clock(resets_at);
            let next = app.count_of(feature).await;
            assert_eq!(next["used"], 0, "{at} {feature}");
            assert_eq!(moment(&next["periodStart"]), resets_at, "{at} {feature}");
        }
    }
}

/// DM-4: a yearly plan grants its credits twelve times a year, on the anchor's day of each month.
#[tokio::test]
async fn a_yearly_plan_gives_its_credits_by_the_month() {
    for at in MOMENTS {
        let app = selling("dearme", at).await;
        let anchor = app.subscribe_to_letters("yearly").await;
        for month in 1..12 {
            app.advance_to(months_after(anchor, month) - MARGIN).await;
            app.spend("ann", "mail_credit", 2).send().await.expect_status(200);
            app.advance_to(months_after(anchor, month)).await;
            assert_eq!(app.held("ann", "mail_credit").await["balance"], 2, "{at} {month}");
        }
        app.books_are_right().await;
    }
}

/// DM-4: even with every webhook lost, a monthly plan grants its credits when a period begins.
#[tokio::test]
async fn a_monthly_plan_gives_its_credits_by_time_alone() {
    for at in MOMENTS {
        let app = selling("dearme", at).await;
        let anchor = app.subscribe_to_letters("monthly").await;
        app.lose_webhooks();
        for month in 1..=12 {
            app.advance_to(months_after(anchor, month) - MARGIN).await;
            app.spend("ann", "mail_credit", 2).send().await.expect_status(200);
            app.set_clock(months_after(anchor, month));
            assert_eq!(app.held("ann", "mail_credit").await["balance"], 2, "{at} {month}");
        }
        app.books_are_right().await;
    }
}

/// DM-4: each renewal of a monthly plan grants credits, and unused ones expire with their period.
#[tokio::test]
async fn a_monthly_plan_gives_its_credits_with_each_renewal() {
    for at in MOMENTS {
        let app = selling("dearme", at).await;
        let anchor = app.subscribe_to_letters("monthly").await;
        for month in 1..=12 {
            app.spend("ann", "mail_credit", 1).send().await.expect_status(200);
            app.advance_to(months_after(anchor, month) + SignedDuration::from_hours(2)).await;
            assert_eq!(app.held("ann", "mail_credit").await["balance"], 2, "{at} {month}");
        }
        let ledger = "select count(*) from credit_transactions where user_id = 'ann'";
        assert_eq!(
            app.count(ledger).await,
            1 + 3 * 12,
            "{at}: a spend, an expiry and a plan grant per month"
        );
        app.books_are_right().await;
    }
}

/// AI-2: sign-ins on three consecutive days are a streak of three; two on one day count once.
#[tokio::test]
async fn a_streak_counts_calendar_days() {
    for at in MOMENTS {
        let app = Setup::default().at(at).start().await;
        for day in 1..=3 {
            app.to_next_day(SignedDuration::from_hours(23));
            for _ in 0..2 {
                let call = app.post("/api/session").bearer(&app.token("ann"));
                let stats = call.send().await.expect_status(200).body;
                let days = json!([stats["days_active"], stats["login_streak"]]);
                assert_eq!(days, json!([day, day]), "{at}");
            }
        }
    }
}

/// A trial, the period after it and the grace period of a failed payment end on time.
#[tokio::test]
async fn a_trial_and_a_grace_period_end_on_time() {
    for at in MOMENTS {
        let app = selling("demo", at).await;
        app.buy("ann", json!({ "tier": "starter", "interval": "monthly" })).await;
        app.give_card("ann", "pm_card_chargeCustomerFail").await;
        let plan = async || {
            let call = app.get("/api/entitlements").bearer(&app.token("ann"));
            let entitled = call.send().await.expect_status(200).body;
            json!([entitled["plan"], entitled["status"]])
        };
        let trial_end = moment(&app.subscription("ann").await["subscription"]["trialEnd"]);
        app.advance_to(trial_end - MARGIN).await;
        assert_eq!(plan().await, json!(["starter", "trialing"]), "{at}");
        app.advance_to(trial_end + SignedDuration::from_hours(2)).await;
        assert_eq!(plan().await, json!(["starter", "past_due"]), "{at}");
        let unpaid_since = "select extract(epoch from created_at)::bigint from invoices
                            where status = 'open'";
        let unpaid_since = Timestamp::from_second(app.count(unpaid_since).await).unwrap();
        let grace_end = unpaid_since + SignedDuration::from_hours(7 * 24);
        app.set_clock(grace_end - MARGIN);
        assert_eq!(plan().await, json!(["starter", "past_due"]), "{at}");
        app.set_clock(grace_end);
        assert_eq!(plan().await, json!(["free", "past_due"]), "{at}");
    }
}
