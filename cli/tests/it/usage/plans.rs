//! Effects of plan changes on usage, and the grace period of a late payment.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{TestApp, until};

impl TestApp {
    /// A user's effective plan and status.
    async fn plan_and_status(&self, user: &str) -> Value {
        let call = self.get("/api/entitlements").bearer(&self.token(user));
        let found = call.send().await.expect_status(200).body;
        json!([found["plan"], found["status"]])
    }

    /// A subscriber whose first payment after the trial fails.
    async fn late_payer(&self, user: &str, tier: &str) {
        self.buy(user, json!({ "tier": tier, "interval": "monthly" })).await;
        self.give_card(user, "pm_card_chargeCustomerFail").await;
        let trial_end = self.subscription(user).await["subscription"]["trialEnd"].clone();
        let trial_end: Timestamp = trial_end.as_str().unwrap().parse().unwrap();
        // Stripe collects an hour after the period has begun.
        self.advance_to(trial_end + SignedDuration::from_hours(2)).await;
        assert_eq!(self.plan_and_status(user).await, json!([tier, "past_due"]));
    }
}

fn exports(quantity: i64) -> Value {
    json!({ "feature": "exports", "quantity": quantity })
}

/// In the middle of a period, a plan change keeps the count and applies the new limit, up and down.
#[tokio::test]
async fn an_upgrade_keeps_the_count_and_a_downgrade_takes_nothing_back() {
    let app = TestApp::selling("dearme").await;
    let letters = |quantity: i64| json!({ "feature": "letters", "quantity": quantity });
    app.report("ann", letters(5)).await.expect_status(200);
    app.report("ann", letters(1)).await.expect_problem(402, "quota_exceeded");
    app.buy("ann", json!({ "tier": "pro", "interval": "monthly" })).await;
    let more = app.report("ann", letters(10)).await.expect_status(200).body;
    assert_eq!(json!([more["used"], more["limit"]]), json!([15, null]));

    app.change("ann", json!({ "action": "cancel", "when": "now" })).await.expect_status(200);
    let refused = app.report("ann", letters(1)).await.expect_problem(402, "quota_exceeded").body;
    assert_eq!(json!([refused["limit"], refused["current"]]), json!([5, 15]));
    let entitled = app.get("/api/entitlements").bearer(&app.token("ann")).send().await.body;
    assert_eq!(entitled["features"]["letters"]["remaining"], 0);
    let resets_at: Timestamp = refused["resetsAt"].as_str().unwrap().parse().unwrap();
    app.clock.advance(resets_at.duration_since(app.now()));
    assert_eq!(app.report("ann", letters(5)).await.expect_status(200).body["used"], 5);
}

/// Another plan of the same subscription has the same periods. Before them is the trial's period,
/// which ends with the trial.
#[tokio::test]
async fn a_trial_is_a_period_of_its_own_and_a_change_of_plan_keeps_it() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "tier": "starter", "interval": "monthly" })).await;
    let counted = app.report("ann", exports(15)).await.expect_status(200).body;
    let trial_end = app.subscription("ann").await["subscription"]["trialEnd"].clone();
    assert_eq!(counted["resetsAt"], trial_end);
    app.report("ann", exports(6)).await.expect_problem(402, "quota_exceeded");

    let upgrade = json!({ "action": "change", "tier": "pro" });
    assert_eq!(app.change("ann", upgrade).await.expect_status(200).body["plan"], "pro");
    let counted = app.report("ann", exports(6)).await.expect_status(200).body;
    assert_eq!(json!([counted["used"], counted["limit"]]), json!([21, 200]));
    assert_eq!(counted["resetsAt"], trial_end);

    app.advance("15d").await;
    let period = app.used("ann", "exports").await;
    assert_eq!(json!([period["used"], period["periodStart"]]), json!([0, trial_end]));
    assert_eq!(app.plan_and_status("ann").await, json!(["pro", "active"]));
}

/// Features that reset each billing period follow the months of the effective plan, and keep their
/// count when another plan's months replace them.
#[tokio::test]
async fn a_comp_keeps_the_usage_counted_so_far() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "tier": "team", "interval": "monthly" })).await;
    app.report("ann", exports(5)).await.expect_status(200);
    app.report("ann", json!({ "feature": "reports", "quantity": 5 })).await.expect_status(200);
    let before = app.used("ann", "exports").await;
    app.advance("3d").await;
    app.comp("ann", "enterprise").await;
    let counted = app.report("ann", exports(2)).await.expect_status(200).body;
    assert_eq!(counted["used"], 7);
    assert_ne!(counted["resetsAt"], before["resetsAt"], "a comp has its own months");
    assert_eq!(app.used("ann", "reports").await["used"], 5, "calendar months do not change");
    app.comp("ann", "free").await;
    let counted = app.report("ann", exports(1)).await.expect_status(200).body;
    assert_eq!(json!([counted["used"], counted["resetsAt"]]), json!([8, before["resetsAt"]]));
}

/// A user cannot reset usage by ending a subscription and starting another.
#[tokio::test]
async fn a_new_subscription_keeps_the_usage_counted_so_far() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "tier": "team", "interval": "monthly" })).await;
    app.report("ann", exports(5)).await.expect_status(200);
    app.change("ann", json!({ "action": "cancel", "when": "now" })).await.expect_status(200);
    app.report("ann", exports(1)).await.expect_problem(402, "quota_exceeded");
    app.advance("2d").await;
    app.buy("ann", json!({ "tier": "team", "interval": "monthly" })).await;
    assert_eq!(app.report("ann", exports(1)).await.expect_status(200).body["used"], 6);
}

/// A plan with a late payment counts for its days of grace, from its first unpaid invoice. Then the
/// free plan applies, whether or not the job has run. A payment restores the plan.
#[tokio::test]
async fn a_late_payer_keeps_the_plan_for_the_days_of_its_grace() {
    let app = TestApp::selling("demo").await;
    app.late_payer("ann", "starter").await;
    app.report("ann", exports(3)).await.expect_status(200);
    let sql = "select extract(epoch from created_at + interval '7 days')::bigint from invoices
               where status = 'open'";
    let grace_end = Timestamp::from_second(app.count(sql).await).unwrap();
    app.clock.advance(grace_end.duration_since(app.now()) - SignedDuration::from_secs(30));
    assert_eq!(app.plan_and_status("ann").await, json!(["starter", "past_due"]));
    app.report("ann", exports(1)).await.expect_status(200);

    app.clock.advance(SignedDuration::from_secs(30));
    assert_eq!(
        app.plan_and_status("ann").await,
        json!(["free", "past_due"]),
        "without a run of the job"
    );
    let refused = app.report("ann", exports(1)).await.expect_problem(402, "quota_exceeded").body;
    assert_eq!(refused["limit"], 0);

    app.give_card("ann", "pm_card_visa").await;
    app.advance("7d").await;
    assert_eq!(app.plan_and_status("ann").await, json!(["starter", "active"]));
    let counted = app.report("ann", exports(1)).await.expect_status(200).body;
    assert_eq!(counted["used"], 5, "the period has not changed");
}

/// The job ends the grace period of a user who makes no calls, and pushes it. Each plan has its own
/// days of grace.
#[tokio::test]
async fn the_job_ends_the_grace_of_each_plan() {
    for (tier, days) in [("starter", 7), ("pro", 14)] {
        let app = TestApp::selling("demo").await;
        app.late_payer("ann", tier).await;
        let grace = "select extract(day from due_at - invoices.created_at)::bigint
                     from accounts, invoices where accounts.id = 'ann' and invoices.status = 'open'";
        assert_eq!(app.count(grace).await, days, "{tier}");
        app.clock.advance(SignedDuration::from_hours(24 * days));
        let ended = "select count(*) from entitlements where plan = 'free' and status = 'past_due'";
        assert_eq!(app.count(ended).await, 0);
        let done = app.get("/api/cron/minute").cron().send().await.expect_status(200).body;
        assert_eq!(done["settled"], 1);
        assert_eq!(app.count(ended).await, 1);
        until(async || {
            app.get("/api/cron/minute").cron().send().await.expect_status(200);
            app.stats("ann").await["plan"] == "Free"
        })
        .await;
    }
}

/// A comp ends on time for every read, whether or not the job has run.
#[tokio::test]
async fn a_comp_ends_on_its_day() {
    let app = TestApp::selling("demo").await;
    app.report("ann", json!({ "feature": "reports", "quantity": 5 })).await.expect_status(200);
    let ends_at = app.now() + SignedDuration::from_hours(48);
    let gift = app.patch("/api/plan").query("userId", "ann").bearer(&app.service_key);
    gift.json(json!({ "plan": "team", "endsAt": ends_at })).send().await.expect_status(200);
    let counted = app.report("ann", json!({ "feature": "reports" })).await.expect_status(200).body;
    assert_eq!(json!([counted["used"], counted["limit"]]), json!([6, null]));
    app.clock.advance(ends_at.duration_since(app.now()) - SignedDuration::from_secs(30));
    assert_eq!(app.plan_and_status("ann").await, json!(["team", "active"]));
    app.clock.advance(SignedDuration::from_secs(30));
    assert_eq!(app.plan_and_status("ann").await, json!(["free", "none"]));
    app.report("ann", exports(1)).await.expect_problem(402, "quota_exceeded");
}
