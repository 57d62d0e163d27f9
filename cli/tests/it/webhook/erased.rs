//! An erased user stays erased, whatever events arrive later.

use super::orders::seven_events;
use crate::support::events::Customer;
use crate::support::{TestApp, execute};

/// Every table except those that record events and requests to Stripe.
const CONTENTS: [&str; 12] = [
    "users",
    "stripe_customers",
    "subscriptions",
    "checkout_sessions",
    "entitlements",
    "payments",
    "refunds",
    "invoices",
    "billing_events",
    "credit_transactions",
    "wallets",
    "outbox",
];

async fn contents(app: &TestApp) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in CONTENTS {
        counts.push(app.count(&format!("select count(*) from {table}")).await);
    }
    counts
}

#[tokio::test]
async fn events_of_erased_users_change_nothing() {
    let app = TestApp::selling("demo").await;
    let (plan, pack) = (app.plan_sold("starter").await, app.pack_sold("ai_100").await);
    let (events, _) = seven_events("ann", &plan, &pack);
    let ann = Customer::without_user("ann", app.now().as_second());
    let others = [
        ann.named(1, "ann"),
        ann.disputed(2, "pack", 500, "needs_response"),
        ann.refund(3, "pack", 1, 100, "succeeded"),
        ann.invoiced("paid", 4, "1", &plan),
        ann.subscribed("updated", 5, &ann.subscription("2", "active", &plan)),
    ];
    for event in events.iter().take(4) {
        // The second event of the same second fetches a subscription that the simulator does not
        // have.
        let answer = app.deliver(event).await;
        assert!([200, 404, 503].contains(&answer.status), "{answer:?}");
    }
    execute(&app.owner().await, "select erase_user('ann', farebox_now())").await;
    app.redis_command(&["DEL", "user:ann:stats", "user:ann:credits"]).await;
    let before = contents(&app).await;
    for event in events.iter().chain(&others) {
        app.deliver(event).await.expect_status(200);
        app.deliver(event).await.expect_status(200);
    }
    assert_eq!(contents(&app).await, before);
    assert_eq!(app.redis_command(&["EXISTS", "user:ann:credits"]).await, 0);
    let letters = "select count(*) from failed_webhooks where resolved_at is null";
    assert_eq!(app.count(letters).await, 0);
}

/// An erasure races with events of its user. Whichever comes first, nothing is left.
#[tokio::test]
async fn an_erasure_wins_over_events_that_race_it() {
    let app = TestApp::selling("demo").await;
    let pack = app.pack_sold("ai_100").await;
    for round in 0..50 {
        let user = format!("u{round}");
        let ann = Customer::of(&user, app.now().as_second());
        let (paid, named) = (ann.paid(0, "pack", "ai_100", &pack), ann.named(1, &user));
        let delete = app.delete("/api/account").bearer(&app.token(&user)).send();
        let (paid, named, deleted) = tokio::join!(app.deliver(&paid), app.deliver(&named), delete);
        deleted.expect_status(204);
        paid.expect_status(200);
        named.expect_status(200);
    }
    let left = "select (select count(*) from accounts) + (select count(*) from wallets)
                  + (select count(*) from stripe_customers where user_id is not null)";
    assert_eq!(app.count(left).await, 0);
    let names = "select count(*) from credit_transactions where user_id not like 'erased:%'";
    assert_eq!(app.count(names).await, 0);
}
