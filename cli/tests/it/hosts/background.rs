//! Work after the answer on Lambda, which would freeze before it.

use std::time::{Duration, Instant};

use serde_json::json;
use shared::endpoints::STRIPE_WEBHOOK;
use tokio::net::TcpListener;

use super::binary::{api_response, on_lambda};
use super::request;
use crate::support::{Setup, TestApp, signature, until};

/// The Lambda host waits two seconds for the work of a webhook.
const BOUND: Duration = Duration::from_secs(4);

/// Delivers the event of a purchase to the function, and returns the time until it is answered.
async fn deliver_purchase(app: &TestApp, function: &platforms::Lambda) -> Duration {
    app.lose_webhooks();
    app.buy("ann", json!({ "pack": "starter" })).await;
    let event = app.event("checkout.session.completed").to_string();
    let signature = signature(&event, app.now());
    let call =
        request("POST", STRIPE_WEBHOOK.path).raw(&event).header("stripe-signature", &signature);
    let began = Instant::now();
    api_response(function.send(&call).await.unwrap()).expect_status(200);
    began.elapsed()
}

#[tokio::test]
async fn a_webhook_on_lambda_sends_its_e_mail_before_it_answers() {
    let app = Setup::default().sells("credits").at_machine_time().start().await;
    let function = on_lambda(STRIPE_WEBHOOK.name, &app.settings).await;
    deliver_purchase(&app, &function).await;
    assert_eq!(app.mail.messages().len(), 1);
}

/// A mail server that accepts connections and says nothing.
#[tokio::test]
async fn slow_work_on_lambda_delays_the_answer_within_a_bound() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", silent.local_addr().unwrap());
    let setup = Setup::default().sells("credits").at_machine_time();
    let mut app = setup.start().await;
    app.settings.insert("SMTP_URL".to_owned(), url);
    let function = on_lambda(STRIPE_WEBHOOK.name, &app.settings).await;
    let waited = deliver_purchase(&app, &function).await;
    assert!(waited < BOUND, "the answer took {waited:?}");
    assert_eq!(app.mail.messages().len(), 0);

    // The message is still in the outbox, and the minute job delivers it once it is due again.
    let open = "select count(*) from outbox where kind = 'email' and done_at is null";
    until(async || app.count(open).await == 1).await;
}
