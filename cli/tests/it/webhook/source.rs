//! Signed events that do not belong to this Farebox: of another account, or of the other mode. Also
//! thin events, which have no object.

use serde_json::{Value, json};

use crate::dead_letters::alerts::{alert_receiver, latest_alert};
use crate::support::events::Customer;
use crate::support::{Setup, TestApp, execute};

/// An event that a foreign connected account could send, with a product and a user of this one.
async fn of_account(app: &TestApp, account: &str, name: &str) -> Value {
    let plan = app.plan_sold("pro").await;
    let someone = Customer::of(name, app.now().as_second());
    let active = someone.subscription("1", "active", &plan);
    let mut event = someone.subscribed("created", 0, &active);
    event["account"] = account.into();
    event
}

async fn known_events(app: &TestApp) -> (i64, i64) {
    let events = "select count(*) from webhook_events where type like 'customer.%'";
    let events = app.count(events).await;
    (events, app.count("select count(*) from subscriptions").await)
}

#[tokio::test]
async fn an_event_of_another_account_is_ignored_with_one_alert_a_day() {
    let (url, alerts) = alert_receiver().await;
    let app = Setup::default().set("ALERT_WEBHOOK_URL", url).sells("demo").start().await;
    for name in ["ann", "bob"] {
        let event = of_account(&app, "acct_stranger", name).await;
        let answer = app.deliver(&event).await.expect_status(200);
        assert_eq!(answer.body, json!({ "received": true }));
    }
    let first = latest_alert(&alerts, 1).await;
    for words in ["another account", "STRIPE_ACCOUNT", "customer.subscription.created"] {
        assert!(first.contains(words), "{words}: {first}");
    }
    assert_eq!(known_events(&app).await, (0, 0));
    assert_eq!(app.stats("ann").await["plan"], "Free");
    assert_eq!(app.count("select count(*) from failed_webhooks").await, 0);
    app.get("/api/cron/daily").cron().send().await.expect_status(200);
    app.deliver(&of_account(&app, "acct_stranger", "cat").await).await.expect_status(200);
    latest_alert(&alerts, 2).await;
}

#[tokio::test]
async fn only_events_of_the_configured_account_are_applied() {
    let app = Setup::default().set("STRIPE_ACCOUNT", "acct_ours").sells("demo").start().await;
    app.deliver(&of_account(&app, "acct_stranger", "ann").await).await.expect_status(200);
    assert_eq!(known_events(&app).await, (0, 0));
    app.deliver(&of_account(&app, "acct_ours", "ann").await).await.expect_status(200);
    assert_eq!(app.stats("ann").await["plan"], "Pro");
    let mut own = of_account(&app, "acct_ours", "bob").await;
    own.as_object_mut().unwrap().remove("account");
    app.deliver(&own).await.expect_status(200);
    assert_eq!(app.stats("bob").await["plan"], "Pro");
}

#[tokio::test]
async fn an_event_of_the_other_mode_causes_an_alert_too() {
    let (url, alerts) = alert_receiver().await;
    let app = Setup::default().set("ALERT_WEBHOOK_URL", url).sells("demo").start().await;
    let mut live = of_account(&app, "acct_ours", "ann").await;
    live.as_object_mut().unwrap().remove("account");
    live["livemode"] = true.into();
    app.deliver(&live).await.expect_status(200);
    assert!(latest_alert(&alerts, 1).await.contains("other mode"));
    assert_eq!(known_events(&app).await, (0, 0));
}

/// A dead letter from another account, stored under other settings, is not applied by a replay.
#[tokio::test]
async fn a_dead_letter_of_another_account_stays_one() {
    let app = TestApp::selling("demo").await;
    let event = of_account(&app, "acct_stranger", "ann").await;
    let id = event["id"].as_str().unwrap();
    let keep = format!(
        "select fail_webhook(
           jsonb_build_object('id', '{id}', 'type', 'customer.subscription.created'),
           '{now}', 'a test', $$ {event} $$, '{now}')",
        now = app.now()
    );
    execute(&app.owner().await, &keep).await;
    let replay = json!({ "id": id, "action": "replay" });
    let call = app.post("/api/admin/webhooks").bearer(&app.admin_key).json(replay);
    let letter = call.send().await.expect_status(200).body;
    assert_eq!((&letter["attempts"], &letter["resolvedAt"]), (&json!(2), &Value::Null));
    assert!(letter["cause"].as_str().unwrap().contains("another account"), "{letter}");
    assert_eq!(known_events(&app).await, (0, 0));
}

/// A thin event has no object: it is recorded once.
#[tokio::test]
async fn thin_events_are_recorded() {
    let app = TestApp::selling("demo").await;
    let event = json!({
        "id": "evt_65RCjj", "object": "v2.core.event",
        "type": "v1.billing.meter.no_meter_found", "livemode": false,
        "created": "2025-09-17T06:20:52.246Z", "context": null, "reason": null,
        "related_object": { "id": "mtr_1", "type": "billing.meter", "url": "/v1/billing/meters/mtr_1" },
    });
    for _ in 0..2 {
        app.deliver(&event).await.expect_status(200);
    }
    let known = "select count(*) from webhook_events
                 where id = 'evt_65RCjj' and created_at = '2025-09-17 06:20:52Z'";
    assert_eq!(app.count(known).await, 1);
    assert_eq!(app.count("select count(*) from failed_webhooks").await, 0);
}
