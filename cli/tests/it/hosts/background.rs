//! Work after the answer on Lambda, which freezes a function once it has answered.

use std::time::{Duration, Instant};

use platforms::Lambda;
use shared::endpoints::STRIPE_WEBHOOK;
use tokio::net::TcpListener;

use super::binary::{api_response, on_lambda};
use super::request;
use crate::support::events::Customer;
use crate::support::{Setup, TestApp, signature};

/// The Lambda host waits two seconds for the work of a webhook.
const BOUND: Duration = Duration::from_secs(4);

async fn with_a_subscriber() -> (TestApp, serde_json::Value) {
    let app = Setup::default().sells("demo").at_machine_time().start().await;
    let ann = Customer::of("ann", app.now().as_second());
    let pro = app.plan_sold("pro").await;
    app.deliver(&ann.named(0, "ann")).await.expect_status(200);
    let active = ann.subscription("1", "active", &pro);
    app.deliver(&ann.subscribed("created", 1, &active)).await.expect_status(200);
    let canceled = ann.subscribed("deleted", 2, &ann.subscription("1", "canceled", &pro));
    (app, canceled)
}

/// Delivers an event that makes an e-mail, and returns the time until it is answered.
async fn deliver(app: &TestApp, function: &Lambda, event: &serde_json::Value) -> Duration {
    let signature = signature(&event.to_string(), app.now());
    let call = request("POST", STRIPE_WEBHOOK.path).header("stripe-signature", &signature);
    let began = Instant::now();
    api_response(function.send(&call.json(event)).await.unwrap()).expect_status(200);
    began.elapsed()
}

#[tokio::test]
async fn a_webhook_on_lambda_sends_its_mail_before_it_answers() {
    let (app, canceled) = with_a_subscriber().await;
    let function = on_lambda(STRIPE_WEBHOOK.name, &app.settings).await;
    deliver(&app, &function, &canceled).await;
    assert_eq!(app.mail.messages().len(), 1);
}

/// A mail server that accepts connections and says nothing. The message stays in the outbox.
#[tokio::test]
async fn slow_work_on_lambda_delays_the_answer_within_a_bound() {
    let (mut app, canceled) = with_a_subscriber().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", silent.local_addr().unwrap());
    app.settings.insert("SMTP_URL".to_owned(), url);
    let function = on_lambda(STRIPE_WEBHOOK.name, &app.settings).await;
    let waited = deliver(&app, &function, &canceled).await;
    assert!(waited < BOUND, "the answer took {waited:?}");
    let open = "select count(*) from outbox where kind = 'email' and done_at is null";
    assert_eq!(app.count(open).await, 1);
}
