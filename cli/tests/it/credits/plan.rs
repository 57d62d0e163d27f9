//! Credits of a plan: granted once per period, in the amount of the effective plan.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::calendar::months_after;
use crate::support::TestApp;
use crate::support::events::Customer;

const DAY: SignedDuration = SignedDuration::from_hours(24);

impl TestApp {
    /// Delivers a subscription event of that second.
    async fn subscribed(&self, ann: &Customer, at: i64, plan: &str, status: &str) {
        let sold = self.plan_sold(plan).await;
        let subscription = ann.subscription("1", status, &sold);
        let what = if status == "canceled" { "deleted" } else { "updated" };
        self.deliver(&ann.subscribed(what, at, &subscription)).await.expect_status(200);
    }
}

/// DM-4: the letters app grants two a month, however often the webhook and the job run. Unused ones
/// expire with the month.
#[tokio::test]
async fn mail_credits_come_once_a_month() {
    let app = TestApp::selling("dearme").await;
    app.buy("ann", json!({ "tier": "pro", "interval": "monthly" })).await;
    let mut again = app.event("customer.subscription.created");
    for id in ["evt_other", "evt_another"] {
        again["id"] = id.into();
        app.deliver(&again).await.expect_status(200);
        app.two_jobs().await;
    }
    assert_eq!(app.ledger("ann").await, json!([["plan", 2, 2]]));
    app.spend("ann", "mail_credit", 1).send().await.expect_status(200);
    app.advance("1mo").await;
    app.two_jobs().await;
    let ledger = json!([["plan", 2, 2], ["spend", -1, 1], ["expiry", -1, 0], ["plan", 2, 2]]);
    assert_eq!(app.ledger("ann").await, ledger);
    assert_eq!(app.redis_command(&["HGET", "user:ann:credits", "mail_credit"]).await, "2");
    app.books_are_right().await;
}

/// DM-4: a yearly plan is paid at once, and its credits are granted monthly, however late the job
/// is.
#[tokio::test]
async fn a_yearly_plan_gives_its_credits_by_the_month() {
    let app = TestApp::selling("dearme").await;
    app.buy("ann", json!({ "tier": "pro", "interval": "yearly" })).await;
    let anchor = app.now();
    for month in 1..=2 {
        app.advance_to(months_after(anchor, month)).await;
        app.two_jobs().await;
        app.two_jobs().await;
    }
    let mut ledger = vec![json!(["plan", 2, 2])];
    for _ in 0..2 {
        ledger.extend([json!(["expiry", -2, 0]), json!(["plan", 2, 2])]);
    }
    assert_eq!(app.ledger("ann").await, Value::from(ledger.clone()));
    // The job has not run for weeks. A read grants what is due.
    app.advance("50d").await;
    app.spend("ann", "mail_credit", 2).send().await.expect_status(200);
    ledger.extend([json!(["expiry", -2, 0]), json!(["plan", 2, 2]), json!(["spend", -2, 0])]);
    app.two_jobs().await;
    assert_eq!(app.ledger("ann").await, Value::from(ledger));
    app.books_are_right().await;
}

/// A change of plan within a month adds the difference, or takes back unspent credits. So does the
/// end of the plan.
#[tokio::test]
async fn another_plan_adds_or_takes_back_the_difference() {
    let app = TestApp::selling("demo").await;
    let ann = Customer::of("ann", app.now().as_second());
    app.subscribed(&ann, 1, "starter", "active").await;
    app.subscribed(&ann, 2, "pro", "active").await;
    app.spend("ann", "ai_credit", 95).send().await.expect_status(200);
    app.subscribed(&ann, 3, "starter", "active").await;
    app.subscribed(&ann, 4, "pro", "active").await;
    app.grant("ann", "ai_credit", 7, json!({})).await;
    app.subscribed(&ann, 5, "pro", "canceled").await;
    app.two_jobs().await;
    let ledger = json!([
        ["plan", 10, 10],
        ["plan", 90, 100],
        ["spend", -95, 5],
        ["plan", -5, 0],
        ["plan", 5, 5],
        ["grant", 7, 12],
        ["plan", -5, 7],
    ]);
    assert_eq!(app.ledger("ann").await, ledger);
    assert_eq!(app.grants("ann", "ai_credit").await, json!([["grant", 7]]));
    app.books_are_right().await;
}

/// During the grace period of a late payment the credits stay. After it they are taken back, and a
/// payment returns those that were not spent.
#[tokio::test]
async fn a_late_payment_returns_the_plans_credits() {
    let app = TestApp::selling("demo").await;
    let ann = Customer::of("ann", app.now().as_second());
    app.subscribed(&ann, 1, "starter", "active").await;
    app.spend("ann", "ai_credit", 4).send().await.expect_status(200);
    app.subscribed(&ann, 2, "starter", "past_due").await;
    app.clock.advance(DAY * 6);
    app.two_jobs().await;
    assert_eq!(app.held("ann", "ai_credit").await["balance"], 6, "within the grace period");
    app.clock.advance(DAY * 2);
    app.two_jobs().await;
    assert_eq!(app.held("ann", "ai_credit").await["balance"], 0);
    app.subscribed(&ann, 3, "starter", "active").await;
    let ledger = json!([["plan", 10, 10], ["spend", -4, 6], ["plan", -6, 0], ["plan", 6, 6]]);
    assert_eq!(app.ledger("ann").await, ledger);
    app.books_are_right().await;
}

/// A comp grants its plan's credits too, month by month, and takes unspent ones back when it ends.
#[tokio::test]
async fn a_comp_grants_its_credits_while_it_lasts() {
    let app = TestApp::selling("demo").await;
    let until = app.now() + DAY * 40;
    let comp = json!({ "plan": "pro", "endsAt": until });
    let call = app.patch("/api/plan").query("userId", "ann").bearer(&app.service_key).json(comp);
    call.send().await.expect_status(200);
    app.clock.advance(DAY * 32);
    app.two_jobs().await;
    app.spend("ann", "ai_credit", 30).send().await.expect_status(200);
    app.clock.advance(DAY * 9);
    app.two_jobs().await;
    let ledger = json!([
        ["plan", 100, 100],
        ["expiry", -100, 0],
        ["plan", 100, 100],
        ["spend", -30, 70],
        ["plan", -70, 0],
    ]);
    assert_eq!(app.ledger("ann").await, ledger);
    app.books_are_right().await;
}

/// Plan credits pay off a negative balance. Taking them back never exceeds the unspent ones.
#[tokio::test]
async fn plan_credits_pay_off_a_negative_balance() {
    let app = TestApp::selling("demo").await;
    let adjust =
        json!({ "action": "adjust", "unit": "ai_credit", "amount": -30, "reason": "owed" });
    app.for_user("ann", adjust).send().await.expect_status(200);
    let ann = Customer::of("ann", app.now().as_second());
    app.subscribed(&ann, 1, "pro", "active").await;
    assert_eq!(app.grants("ann", "ai_credit").await, json!([["plan", 70]]));
    app.subscribed(&ann, 2, "pro", "canceled").await;
    let ledger = json!([["adjust", -30, -30], ["plan", 100, 70], ["plan", -70, 0]]);
    assert_eq!(app.ledger("ann").await, ledger);
    app.books_are_right().await;
}
