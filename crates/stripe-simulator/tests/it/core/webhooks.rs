//! Webhooks, fault injection, the clock, triggers and the snapshot.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::Stripe;
use crate::support::{clock, until};

async fn customer(stripe: &Stripe, name: &str) -> Value {
    stripe.post("/v1/customers", json!({ "name": name })).await
}

fn names(stripe: &Stripe) -> Vec<String> {
    let events = stripe.app.events();
    let name = |event: &Value| event["data"]["object"]["name"].as_str().unwrap().to_owned();
    events.iter().map(name).collect()
}

#[tokio::test]
async fn a_refused_event_is_retried() {
    let stripe = Stripe::new().await;
    stripe.app.refuse(Some(500));
    customer(&stripe, "Ann").await;
    stripe.simulator.delivered().await;
    let pending = stripe.get("/v1/events", json!({ "delivery_success": false })).await;
    let id = pending["data"][0]["id"].as_str().unwrap().to_owned();
    let attempt = &stripe.simulator.attempts(&id)[0];
    assert_eq!(attempt.status, Some(500));
    assert!(attempt.next.unwrap() > stripe.now());

    stripe.app.refuse(None);
    stripe.advance("1h").await;
    assert_eq!(names(&stripe), ["Ann"]);
    let statuses: Vec<_> =
        stripe.simulator.attempts(&id).iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(500), Some(200)]);
    let delivered = stripe.get("/v1/events", json!({ "delivery_success": true })).await;
    assert_eq!(delivered["data"][0]["id"], id.as_str());
    stripe.advance("4d").await;
    assert_eq!(names(&stripe), ["Ann"], "it is delivered once");
}

#[tokio::test]
async fn a_refused_event_is_retried_for_three_days() {
    let stripe = Stripe::new().await;
    stripe.app.refuse(Some(404));
    customer(&stripe, "Ann").await;
    stripe.advance("4d").await;
    let listed = stripe.control("GET", "events", Value::Null).await.expect_status(200).body;
    let deliveries = listed["data"][0]["deliveries"].as_array().unwrap().clone();
    assert!(deliveries.len() > 5, "{deliveries:?}");
    assert_eq!(deliveries.last().unwrap()["next"], Value::Null);
    let state = stripe.control("GET", "state", Value::Null).await.expect_status(200).body;
    assert_eq!(state["pending_deliveries"], 0);
    assert_eq!(state["counts"]["customer"], 1);

    stripe.app.refuse(None);
    let id = listed["data"][0]["id"].as_str().unwrap();
    stripe.control("POST", &format!("events/{id}/resend"), json!({})).await.expect_status(200);
    assert_eq!(names(&stripe), ["Ann"]);
}

#[tokio::test]
async fn switches_inject_delivery_faults() {
    let stripe = Stripe::new().await;
    let set = async |switches: Value| {
        stripe.control("POST", "switches", switches).await.expect_status(200).body
    };
    let on = set(json!({ "duplicate": true })).await;
    assert_eq!((&on["duplicate"], &on["drop"]), (&json!(true), &json!(false)));
    customer(&stripe, "twice").await;
    stripe.simulator.delivered().await;
    assert_eq!(names(&stripe), ["twice", "twice"]);
    let events = stripe.app.events();
    assert_eq!(events[0]["id"], events[1]["id"]);

    set(json!({ "duplicate": false, "drop": true })).await;
    customer(&stripe, "lost").await;
    stripe.advance("1h").await;
    assert_eq!(names(&stripe).len(), 2);
    let missed = json!({ "delivery_success": false, "types": ["customer.created"] });
    let missed = stripe.get("/v1/events", missed).await;
    assert_eq!(missed["data"][0]["data"]["object"]["name"], "lost", "a reconciliation finds it");

    set(json!({ "drop": false, "delay_seconds": 600 })).await;
    customer(&stripe, "late").await;
    stripe.simulator.delivered().await;
    assert_eq!(names(&stripe).len(), 2);
    stripe.advance("10m").await;
    assert_eq!(names(&stripe).last().unwrap(), "late");

    set(json!({ "delay_seconds": 0, "reorder": true })).await;
    let product =
        json!({ "name": "P", "default_price_data": { "currency": "usd", "unit_amount": 1 } });
    stripe.post("/v1/products", product).await;
    stripe.simulator.delivered().await;
    assert_eq!(stripe.app.types()[3..], ["price.created", "product.created"]);

    let wrong = stripe.control("POST", "switches", json!({ "nonsense": true })).await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn a_page_of_another_site_cannot_use_the_control_api() {
    let stripe = Stripe::new().await;
    let url = format!("{}/simulator/api/clock", stripe.base);
    let form = reqwest::Client::new().post(url).header("content-type", "text/plain");
    let answer = form.body(r#"{"advance":"1y"}"#).send().await.unwrap();
    assert_eq!(answer.status(), 415);
    let moved = stripe.control("POST", "clock", json!({ "advance": "1mo" })).await;
    let now: jiff::Timestamp =
        moved.expect_status(200).body["now"].as_str().unwrap().parse().unwrap();
    assert!(now.as_second() - clock().now().as_second() > 27 * 86_400);
    for span in ["soon", "-1d", "100y"] {
        let answer = stripe.control("POST", "clock", json!({ "advance": span })).await;
        assert_eq!(answer.status, 400, "{span}");
    }
}

#[tokio::test]
async fn an_endpoint_receives_its_enabled_events() {
    let stripe = Stripe::new().await;
    let other = Stripe::new().await;
    let hook = |url: &str, events: Value| json!({ "url": url, "enabled_events": events });
    let endpoint = hook(&other.app.url, json!(["product.created"]));
    let endpoint = stripe.post("/v1/webhook_endpoints", endpoint).await;
    assert!(endpoint["secret"].as_str().unwrap().starts_with("whsec_"));
    let path = format!("/v1/webhook_endpoints/{}", endpoint["id"].as_str().unwrap());
    assert_eq!(
        stripe.get(&path, Value::Null).await.get("secret"),
        None,
        "only the creation returns it"
    );
    other.app.refuse(Some(418));
    customer(&stripe, "Ann").await;
    stripe.post("/v1/products", json!({ "name": "Pro" })).await;
    stripe.simulator.delivered().await;
    let events = stripe.get("/v1/events", Value::Null).await;
    let urls = |place: usize| {
        let id = events["data"][place]["id"].as_str().unwrap();
        let attempts = stripe.simulator.attempts(id);
        attempts.into_iter().map(|attempt| (attempt.url, attempt.status)).collect::<Vec<_>>()
    };
    let own = (stripe.app.url.clone(), Some(200));
    assert_eq!(urls(1), std::slice::from_ref(&own));
    let mut product = urls(0);
    product.sort_by_key(|(_, status)| *status);
    assert_eq!(product, [own, (other.app.url.clone(), Some(418))]);
    stripe.post(&path, json!({ "disabled": true })).await;
    assert_eq!(stripe.get(&path, Value::Null).await["status"], "disabled");
    other.app.refuse(None);
    stripe.advance("4d").await;
    assert_eq!(other.app.events(), [Value::Null; 0], "a disabled endpoint gets no retries");
    assert_eq!(stripe.simulator.pending_deliveries(), 0);
    assert_eq!(stripe.delete(&path).await["deleted"], true);
    let wrong = hook("not a url", json!(["*"]));
    assert_eq!(stripe.refused("POST", "/v1/webhook_endpoints", wrong).await.0, 400);
}

#[tokio::test]
async fn events_are_listed_by_type_and_removed_after_thirty_days() {
    let stripe = Stripe::new().await;
    let ann = customer(&stripe, "Ann").await;
    stripe.post("/v1/products", json!({ "name": "Pro" })).await;
    let count =
        async |form: Value| stripe.get("/v1/events", form).await["data"].as_array().unwrap().len();
    assert_eq!(count(Value::Null).await, 2);
    assert_eq!(count(json!({ "type": "customer.*" })).await, 1);
    assert_eq!(count(json!({ "types": ["customer.created", "product.created"] })).await, 2);
    assert_eq!(count(json!({ "type": "customer.deleted" })).await, 0);
    stripe.advance("31d").await;
    let path = format!("/v1/customers/{}", ann["id"].as_str().unwrap());
    stripe.post(&path, json!({ "name": "Anna" })).await;
    assert_eq!(count(Value::Null).await, 1);
}

/// The path of a test's own snapshot file.
fn snapshot(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("simulator-{name}.json"));
    let _ = std::fs::remove_file(&path);
    path
}

#[tokio::test]
async fn a_restart_restores_the_snapshot() {
    let path = snapshot("restart");
    let stripe = Stripe::start(clock(), Some(&path)).await;
    stripe.advance("2mo").await;
    stripe.app.refuse(Some(503));
    let ann = customer(&stripe, "Ann").await;
    stripe.simulator.delivered().await;
    stripe.simulator.flush().await.unwrap();
    let now = stripe.now();

    let again = Stripe::start(clock(), Some(&path)).await;
    assert!((again.now() - now).abs() < 60, "the clock is restored");
    let path = format!("/v1/customers/{}", ann["id"].as_str().unwrap());
    assert_eq!(again.get(&path, Value::Null).await, ann);
    again.advance("1h").await;
    assert_eq!(names(&again), ["Ann"], "a pending delivery is retried");
}

#[tokio::test]
async fn changes_are_saved_and_a_damaged_snapshot_is_an_error() {
    let path = snapshot("follows");
    let stripe = Stripe::start(clock(), Some(&path)).await;
    customer(&stripe, "Ann of the snapshot").await;
    let kept = async || {
        let text = std::fs::read_to_string(&path);
        text.is_ok_and(|text| text.contains("Ann of the snapshot"))
    };
    until(kept).await;
    std::fs::write(&path, "{").unwrap();
    let options = stripe_simulator::Options {
        base: "http://127.0.0.1:1".to_owned(),
        secret_key: "sk_test_x".to_owned(),
        webhook: None,
        clock: clock(),
        snapshot: Some(path),
        before_moving: None,
    };
    let error = stripe_simulator::Simulator::start(options).await.unwrap_err();
    assert!(format!("{error:#}").contains("damaged"), "{error:#}");
}

#[tokio::test]
async fn an_event_can_be_triggered() {
    let stripe = Stripe::new().await;
    let asked = json!({ "event": "invoice.payment_failed", "user": "user_7" });
    let caused = stripe.control("POST", "trigger", asked).await.expect_status(200).body;
    let types: Vec<_> =
        caused["events"].as_array().unwrap().iter().map(|event| event["type"].clone()).collect();
    assert!(types.contains(&json!("invoice.payment_failed")), "{types:?}");
    assert!(stripe.app.types().contains(&"invoice.payment_failed".to_owned()));
    let query = json!({ "query": "metadata['userId']:'user_7'" });
    let found = stripe.get("/v1/customers/search", query).await;
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    let nonsense = json!({ "event": "nonsense.happened" });
    assert_eq!(stripe.control("POST", "trigger", nonsense).await.status, 400);
}

#[tokio::test]
async fn a_trigger_uses_an_existing_plan() {
    let stripe = Stripe::new().await;
    for (key, minor) in [("premium", 2_900), ("plus", 900)] {
        let price = json!({
            "currency": "usd", "unit_amount": minor, "recurring": { "interval": "month" },
            "product_data": { "name": key },
            "lookup_key": format!("farebox_shop_plan_{key}_monthly"),
        });
        stripe.post("/v1/prices", price).await;
    }
    let trigger = async |plan: Value| {
        let event = "customer.subscription.created";
        let asked = json!({ "event": event, "user": "ada", "plan": plan });
        stripe.control("POST", "trigger", asked).await
    };
    let refused = trigger(json!("gold")).await.expect_status(400).body;
    let expected = "unknown plan or pack gold; available: plus, premium";
    assert_eq!(refused["error"]["message"], expected);
    for (plan, expected) in [(Value::Null, "plus"), (json!("premium"), "premium")] {
        let caused = trigger(plan).await.expect_status(200).body;
        let standing = json!({
            "user": "ada", "plan": expected, "interval": "monthly", "status": "active",
        });
        assert_eq!(caused["summary"], standing);
    }
}

#[tokio::test]
async fn an_invalid_switch_value_is_refused() {
    let stripe = Stripe::new().await;
    let asked = json!({ "drop": true, "duplicate": "yes" });
    let refused = stripe.control("POST", "switches", asked).await.expect_status(400).body;
    assert_eq!(refused["error"]["message"], "duplicate must be true or false");
    assert!(!stripe.simulator.switches().drop);
}

#[tokio::test]
async fn a_payment_can_be_disputed_and_the_dispute_decided() {
    let stripe = Stripe::new().await;
    let paid = json!({
        "amount": 999, "currency": "usd", "payment_method": "pm_card_visa", "confirm": true,
        "automatic_payment_methods": { "enabled": true, "allow_redirects": "never" },
    });
    let charge = stripe.post("/v1/payment_intents", paid).await["latest_charge"].clone();
    let asked = json!({ "charge": charge, "reason": "general" });
    let opened = stripe.control("POST", "disputes", asked.clone()).await.expect_status(200).body;
    let path = format!("disputes/{}", opened["id"].as_str().unwrap());
    let dispute = stripe.get(&format!("/v1/{path}"), Value::Null).await;
    assert_eq!((&dispute["charge"], &dispute["reason"]), (&charge, &json!("general")));
    let decided = stripe.control("POST", &path, json!({ "won": true })).await.expect_status(200);
    assert_eq!(decided.body["status"], "won");
    let types = stripe.app.types();
    for kind in ["charge.dispute.created", "charge.dispute.closed"] {
        assert!(types.iter().any(|one| one == kind), "{kind}: {types:?}");
    }
    assert_eq!(
        stripe.control("POST", "disputes", json!({ "charge": "ch_none" })).await.status,
        400
    );
    assert_eq!(
        stripe.control("POST", "disputes", asked).await.status,
        400,
        "a charge is disputed once"
    );
}

#[tokio::test]
async fn an_advance_of_the_clock_reports_what_happened_in_it() {
    let stripe = Stripe::new().await;
    let advance = async |by: &str| {
        let answer = stripe.control("POST", "clock", json!({ "advance": by })).await;
        answer.expect_status(200).body["happened"].clone()
    };
    let trigger = async |event: &str, user: &str| {
        let body = json!({ "event": event, "user": user });
        stripe.control("POST", "trigger", body).await.expect_status(200);
    };
    let nothing = json!({
        "renewals": 0, "paid_invoices": 0, "failed_payments": 0, "trials_ended": 0,
        "cancellations": 0, "events": 0,
    });
    assert_eq!(advance("1mo").await, nothing);

    trigger("customer.subscription.created", "ann").await;
    trigger("customer.subscription.created", "bob").await;
    trigger("customer.subscription.trial_will_end", "cid").await;
    let month = advance("1mo").await;
    assert_eq!((&month["renewals"], &month["trials_ended"]), (&json!(3), &json!(1)), "{month}");
    assert_eq!((&month["paid_invoices"], &month["cancellations"]), (&json!(1), &json!(0)));
    let hours = advance("2h").await;
    assert_eq!((&hours["renewals"], &hours["paid_invoices"]), (&json!(0), &json!(2)), "{hours}");

    trigger("invoice.payment_failed", "bob").await;
    trigger("customer.subscription.deleted", "cid").await;
    let weeks = advance("3w").await;
    assert!(weeks["failed_payments"].as_u64() > Some(0), "{weeks}");
    assert_eq!(weeks["cancellations"], 1, "only that of the unpaid subscription: {weeks}");
    assert_eq!(advance("1s").await, nothing);
}
