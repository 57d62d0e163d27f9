//! Plans and packs of the catalog that were bought without a named user, or with conflicting ones.

use serde_json::{Value, json};

use super::foreign::{CREDITS, DEAD_LETTERS};
use crate::dead_letters::alerts::{alert_receiver, latest_alert};
use crate::support::events::Customer;
use crate::support::{Setup, TestApp};

const CAUSES: &str = "select count(*) from failed_webhooks where cause like ";

impl TestApp {
    async fn causes_like(&self, words: &str) -> i64 {
        self.count(&format!("{CAUSES} '%{words}%'")).await
    }

    async fn replayed(&self) -> (i64, i64) {
        let done = self.get("/api/cron/minute").cron().send().await.expect_status(200).body;
        (done["replayed"].as_i64().unwrap(), done["stillFailing"].as_i64().unwrap())
    }
}

/// Each purchase has one dead letter, however many events it has, until its user is named.
#[tokio::test]
async fn a_purchase_without_a_buyer_is_a_dead_letter_until_one_is_named() {
    let (url, alerts) = alert_receiver().await;
    let app = Setup::default().set("ALERT_WEBHOOK_URL", url).sells("demo").start().await;
    let (plan, pack) = (app.plan_sold("pro").await, app.pack_sold("ai_100").await);
    let ann = Customer::without_user("ann", app.now().as_second());
    let active = ann.subscription("1", "active", &plan);
    let created = ann.subscribed("created", 0, &active);
    for event in [&created, &created, &ann.subscribed("updated", 1, &active)] {
        app.deliver(event).await.expect_status(200);
    }
    assert_eq!((app.count(DEAD_LETTERS).await, app.causes_like("sub_ann_1").await), (1, 1));
    let alert = latest_alert(&alerts, 1).await;
    assert!(alert.contains("cus_ann") && alert.contains("userId"), "{alert}");
    app.deliver(&ann.paid(2, "pack", "ai_100", &pack)).await.expect_status(200);
    assert_eq!((app.count(DEAD_LETTERS).await, app.causes_like("pack ai_100").await), (2, 1));
    // A retry fails again, and sends no second alert.
    app.clock.advance(jiff::SignedDuration::from_mins(6));
    assert_eq!(app.replayed().await, (0, 2));
    assert_eq!((app.count(DEAD_LETTERS).await, app.count(CREDITS).await), (2, 0));
    assert_eq!(alerts.lock().unwrap().len(), 1);
    app.deliver(&ann.named(3, "ann")).await.expect_status(200);
    assert_eq!(app.count(DEAD_LETTERS).await, 0);
    assert_eq!(app.count(CREDITS).await, 50 + 100 + 50);
    assert_eq!(app.stats("ann").await["plan"], "Pro");
}

/// The charge names the user, and the next retry applies the dead letter.
#[tokio::test]
async fn a_guest_named_later_gets_the_paid_credits() {
    let app = TestApp::selling("demo").await;
    let pack = app.pack_sold("ai_100").await;
    let guest = Customer::without_user("guest", app.now().as_second());
    let mut paid = guest.paid(0, "pack", "ai_100", &pack);
    paid["data"]["object"]["customer"] = Value::Null;
    app.deliver(&paid).await.expect_status(200);
    assert_eq!((app.count(DEAD_LETTERS).await, app.count(CREDITS).await), (1, 0));
    let mut charge = guest.refunded(1, "pack", &pack, 0);
    charge["data"]["object"]["customer"] = Value::Null;
    charge["data"]["object"]["metadata"] = json!({ "userId": "ann" });
    app.deliver(&charge).await.expect_status(200);
    assert_eq!(app.count(CREDITS).await, 100);
    app.clock.advance(jiff::SignedDuration::from_mins(2));
    assert_eq!(app.replayed().await, (1, 0));
    assert_eq!((app.count(DEAD_LETTERS).await, app.count(CREDITS).await), (0, 100));
}

#[tokio::test]
async fn a_resolved_dead_letter_is_not_retried() {
    let app = TestApp::selling("demo").await;
    let plan = app.plan_sold("pro").await;
    let ann = Customer::without_user("ann", app.now().as_second());
    let active = ann.subscription("1", "active", &plan);
    let created = ann.subscribed("created", 0, &active);
    app.deliver(&created).await.expect_status(200);
    let decision = json!({ "id": created["id"], "action": "resolve", "note": "a friend" });
    let call = app.post("/api/admin/webhooks").bearer(&app.admin_key).json(decision);
    call.send().await.expect_status(200);
    for event in [&created, &ann.subscribed("updated", 1, &active)] {
        app.deliver(event).await.expect_status(200);
    }
    assert_eq!(app.count(DEAD_LETTERS).await, 0);
}

/// Two processes receive the event at once.
#[tokio::test]
async fn concurrent_deliveries_make_one_dead_letter() {
    let app = TestApp::selling("demo").await;
    let plan = app.plan_sold("pro").await;
    let ann = Customer::without_user("ann", app.now().as_second());
    let created = ann.subscribed("created", 0, &ann.subscription("1", "active", &plan));
    let deliveries = (0..8).map(|_| app.deliver(&created));
    for answer in futures_util::future::join_all(deliveries).await {
        answer.expect_status(200);
    }
    assert_eq!(app.count(DEAD_LETTERS).await, 1);
}

/// Anyone who opens a payment link can set its `client_reference_id`.
#[tokio::test]
async fn a_client_reference_names_a_user_only_if_trusted() {
    for trusted in [false, true] {
        let trust = trusted.to_string();
        let app = Setup::default().set("STRIPE_TRUST_CLIENT_REFERENCE_ID", trust);
        let app = app.sells("credits").start().await;
        let pack = app.pack_sold("starter").await;
        // Its line items have the purchase, so Farebox fetches them.
        app.paid_elsewhere(&pack.price, "2", &[("client_reference_id", "ann")]).await;
        let causes = app.causes_like("client_reference_id").await;
        let expected = if trusted { (200, 0, 0) } else { (0, 1, 1) };
        assert_eq!((app.count(CREDITS).await, app.count(DEAD_LETTERS).await, causes), expected);
        let of_ann = "select count(*) from accounts where id = 'ann'";
        assert_eq!(app.count(of_ann).await, i64::from(trusted));
    }
}

/// A customer's purchases belong to the customer's user, whatever user the purchase's metadata
/// names.
#[tokio::test]
async fn a_subscription_that_names_another_user_goes_to_the_customers_user_with_an_alert() {
    let (url, alerts) = alert_receiver().await;
    let app = Setup::default().set("ALERT_WEBHOOK_URL", url).sells("demo").start().await;
    let plan = app.plan_sold("pro").await;
    let ann = Customer::without_user("ann", app.now().as_second());
    app.deliver(&ann.named(0, "ann")).await.expect_status(200);
    let mut active = ann.subscription("1", "active", &plan);
    active["metadata"] = json!({ "userId": "bob" });
    app.deliver(&ann.subscribed("created", 1, &active)).await.expect_status(200);
    let alert = latest_alert(&alerts, 1).await;
    assert!(alert.contains("another user") && alert.contains("cus_ann"), "{alert}");
    app.deliver(&ann.subscribed("updated", 2, &active)).await.expect_status(200);
    assert_eq!(app.stats("ann").await["plan"], "Pro");
    assert_eq!(app.stats("bob").await["plan"], "Free");
    assert_eq!(alerts.lock().unwrap().len(), 1, "once a day");
    assert_eq!(app.count(DEAD_LETTERS).await, 0);
}
