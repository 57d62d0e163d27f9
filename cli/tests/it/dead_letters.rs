//! Events that cannot be applied become dead letters: stored with the cause, retried, and listed
//! for operators.

mod admin;
pub mod alerts;
mod command;

mod replays;
mod retention;

use serde_json::{Value, json};

use crate::support::{ApiResponse, Mode, Process, Stack, TestApp};

impl TestApp {
    /// An event with too few fields ever to be applied.
    fn unusable_event(&self, id: &str) -> Value {
        let (kind, created) = ("customer.subscription.updated", self.now().as_second());
        let data = json!({ "object": { "id": "sub_1" } });
        json!({ "id": id, "type": kind, "created": created, "livemode": false, "data": data })
    }

    /// Makes dead letters of this many events: `evt_00`, `evt_01`, ...
    pub async fn create_dead_letters(&self, count: usize) {
        for number in 0..count {
            let event = self.unusable_event(&format!("evt_{number:02}"));
            self.deliver(&event).await.expect_status(200);
        }
    }

    async fn letters(&self, query: &str) -> Value {
        let call = self.get(&format!("/api/admin/webhooks?{query}")).bearer(&self.admin_key);
        call.send().await.expect_status(200).body
    }

    async fn letter(&self, id: &str) -> Value {
        self.letters(&format!("id={id}")).await
    }

    async fn decide(&self, decision: Value) -> ApiResponse {
        let call = self.post("/api/admin/webhooks").bearer(&self.admin_key);
        call.json(decision).send().await
    }

    /// Runs the minute job; returns how many events were applied, and how many failed again.
    async fn replay_due(&self) -> (i64, i64) {
        let done = self.get("/api/cron/minute").cron().send().await.expect_status(200).body;
        (done["replayed"].as_i64().unwrap(), done["stillFailing"].as_i64().unwrap())
    }

    /// Starts a trial for ann at Stripe, at a price of a catalog that only another database has.
    async fn subscribe_to_an_unknown_price(&self, catalog: &str) {
        let elsewhere = Stack::start().await.database().await;
        self.sell_in(&elsewhere.owner, catalog).await;
        let customer = self.ask_stripe("POST", "/v1/customers", &[]).await["id"].clone();
        let customer = customer.as_str().unwrap();
        let attach = "/v1/payment_methods/pm_card_visa/attach";
        let card = self.ask_stripe("POST", attach, &[("customer", customer)]).await["id"].clone();
        let prices = self.at_stripe("price");
        let monthly = prices
            .iter()
            .find(|price| price["recurring"]["interval"] == "month" && price["unit_amount"] != 0);
        let form = [
            ("customer", customer),
            ("default_payment_method", card.as_str().unwrap()),
            ("items[0][price]", monthly.unwrap()["id"].as_str().unwrap()),
            ("trial_period_days", "7"),
            ("metadata[userId]", "ann"),
        ];
        self.ask_stripe("POST", "/v1/subscriptions", &form).await;
        self.simulator.delivered().await;
    }
}

/// The answer is 200, so that Stripe does not retry for days. The event is stored once, and nothing
/// else changes.
#[tokio::test]
async fn an_event_that_cannot_be_applied_is_kept_with_its_cause() {
    let app = TestApp::selling("aira").await;
    app.buy("ann", json!({ "tier": "plus", "interval": "monthly" })).await;
    let event = app.event("customer.subscription.created");
    let state = async || {
        let known = "select count(*) from webhook_events";
        let changes = "select count(*) from billing_events";
        let (known, changes) = (app.count(known).await, app.count(changes).await);
        json!([app.subscription("ann").await, app.stats("ann").await, known, changes])
    };
    let before = state().await;
    let odd = |id: &str, change: &dyn Fn(&mut Value)| {
        let mut odd = event.clone();
        odd["id"] = id.into();
        odd["type"] = "customer.subscription.updated".into();
        odd["created"] = (app.now().as_second() + 60).into();
        change(&mut odd);
        odd
    };
    let object = "/data/object";
    let events = [
        odd("evt_nul\0", &|_| {}),
        odd("evt_text", &|odd| odd["data"]["object"]["currency"] = "us\0d".into()),
        odd("evt_time", &|odd| odd["created"] = 9_000_000_000_000_000_000_i64.into()),
        odd("evt_past", &|odd| odd["created"] = (-300_000_000_000_i64).into()),
        odd("evt_no_id", &|odd| {
            odd.pointer_mut(object).unwrap().as_object_mut().unwrap().remove("id");
        }),
        odd("evt_price", &|odd| {
            let subscription = odd.pointer_mut(object).unwrap();
            subscription["metadata"] = json!({});
            let price = &mut subscription["items"]["data"][0]["price"];
            (price["id"], price["product"]) = ("price_of_another".into(), "prod_of_another".into());
        }),
    ];
    for attempts in 1..=2 {
        for event in &events {
            let answer = app.deliver(event).await.expect_status(200);
            assert_eq!(answer.body, json!({ "received": true }));
        }
        let letters = app.letters("limit=100").await;
        let letters = letters["data"].as_array().unwrap();
        assert_eq!(letters.len(), events.len(), "{letters:?}");
        for letter in letters {
            assert_eq!(letter["attempts"], attempts, "{letter}");
            assert_eq!(letter["type"], "customer.subscription.updated");
            assert!(letter["cause"].as_str().unwrap().len() > 20, "{letter}");
        }
    }
    assert_eq!(state().await, before, "nothing else changed");
    let letter = app.letter("evt_price").await;
    assert!(letter["cause"].as_str().unwrap().contains("FB007"), "{letter}");
    assert_eq!((&letter["userId"], &letter["payload"]), (&Value::Null, &events[5]));
    assert_eq!(letter["customerId"], event["data"]["object"]["customer"]);
}

/// CP-7: the log line of a failed event names the event's type.
#[tokio::test]
async fn the_log_names_the_type_of_an_event_that_failed() {
    let app = TestApp::selling("demo").await;
    let server = Process::serve(&app).await;
    server.deliver(&app, &app.unusable_event("evt_1").to_string()).await;
    let log = server.end().await;
    let line = "\"message\":\"Failed to handle customer.subscription.updated\"";
    assert_eq!(log.matches(line).count(), 1, "{log}");
}

/// Once the cause is gone, the event is applied and its dead letter is resolved.
#[tokio::test]
async fn an_event_is_applied_once_its_cause_is_gone() {
    let app = TestApp::new().await;
    app.subscribe_to_an_unknown_price("aira").await;
    let event = app.event("customer.subscription.created");
    let id = event["id"].as_str().unwrap();
    let letter = app.letter(id).await;
    assert!(letter["cause"].as_str().unwrap().contains("FB007"), "{letter}");
    assert_eq!((&letter["userId"], &letter["resolvedAt"]), (&json!("ann"), &Value::Null));
    app.sell("aira").await;
    app.deliver(&event).await.expect_status(200);
    assert_eq!(app.subscription("ann").await["status"], "trialing");
    let letter = app.letter(id).await;
    assert_eq!((&letter["resolvedBy"], &letter["payload"]), (&json!("applied"), &Value::Null));
    assert_eq!(letter["nextTryAt"], Value::Null);
}

/// If the dead letter cannot be stored either, the answer is 503 and Stripe retries.
#[tokio::test]
async fn an_event_that_cannot_be_stored_is_answered_503() {
    let app = TestApp::new().await;
    let event = app.unusable_event("evt_1");
    app.postgres.set(Mode::Down).await;
    app.deliver(&event).await.expect_problem(503, "database_unavailable");
    app.postgres.set(Mode::Pass).await;
    app.deliver(&event).await.expect_status(200);
    assert_eq!(app.letter("evt_1").await["attempts"], 1);
}
