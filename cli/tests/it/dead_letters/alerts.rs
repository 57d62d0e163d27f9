//! CP-8: operators get an alert when events begin to fail and when failures multiply, not for each
//! failure.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::support::{Process, Setup, listen, signature, until};

pub type Alerts = Arc<Mutex<Vec<String>>>;

/// A webhook that receives alerts as Slack's would.
pub async fn alert_receiver() -> (String, Alerts) {
    let alerts = Alerts::default();
    let received = Arc::clone(&alerts);
    let receive = async move |Json(message): Json<Value>| {
        received.lock().unwrap().push(message["text"].as_str().unwrap().to_owned());
    };
    let served = listen(Router::new().route("/hook/{token}", post(receive))).await;
    (format!("http://{}/hook/the-token", served.address), alerts)
}

/// The latest alert; waits until `count` alerts have arrived.
pub async fn latest_alert(alerts: &Alerts, count: usize) -> String {
    until(async || alerts.lock().unwrap().len() >= count).await;
    let alerts = alerts.lock().unwrap();
    assert_eq!(alerts.len(), count, "{alerts:?}");
    alerts[count - 1].clone()
}

#[tokio::test]
async fn operators_get_one_alert_and_another_when_failures_multiply() {
    let (url, alerts) = alert_receiver().await;
    let app = Setup::default().set("ALERT_WEBHOOK_URL", url).start().await;
    app.create_dead_letters(1).await;
    let first = latest_alert(&alerts, 1).await;
    for words in [": 1.", "evt_00", "customer.subscription.updated", "farebox webhooks list"] {
        assert!(first.contains(words), "{words}: {first}");
    }
    app.create_dead_letters(12).await;
    assert!(latest_alert(&alerts, 2).await.contains(": 10."));

    for number in 0..12 {
        let id = format!("evt_{number:02}");
        let decision = json!({ "id": id, "action": "resolve", "note": "a test" });
        app.decide(decision).await.expect_status(200);
    }
    app.deliver(&app.unusable_event("evt_new")).await.expect_status(200);
    assert!(latest_alert(&alerts, 3).await.contains(": 1."), "a new series of failures");
}

/// Neither an unreachable nor a slow webhook delays the answer to Stripe.
#[tokio::test]
async fn no_request_waits_for_an_alert() {
    let never = || async { tokio::time::sleep(Duration::from_secs(60)).await };
    let slow = listen(Router::new().route("/", post(never))).await;
    for url in ["http://127.0.0.1:9".to_owned(), format!("http://{}", slow.address)] {
        let app = Setup::default().set("ALERT_WEBHOOK_URL", url).start().await;
        let started = Instant::now();
        app.create_dead_letters(1).await;
        assert!(started.elapsed() < Duration::from_secs(5));
        assert_eq!(app.letter("evt_00").await["attempts"], 1);
    }
}

/// The log has the alert too, but not the webhook's URL: the URL allows anyone to post there.
#[tokio::test]
async fn an_alert_is_a_line_of_the_log() {
    let url = "http://127.0.0.1:9/hook/the-token";
    let app = Setup::default().set("ALERT_WEBHOOK_URL", url).start().await;
    let server = Process::serve(&app).await;
    let body = app.unusable_event("evt_1").to_string();
    let request = reqwest::Client::new().post(format!("{}/api/stripe/webhook", server.base));
    let request = request.header("stripe-signature", signature(&body, app.now())).body(body);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let log = server.end().await;
    let mut lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert!(lines.any(|line| line["alert"] == "webhooks"), "{log}");
    assert!(!log.contains("the-token"), "{log}");
}
