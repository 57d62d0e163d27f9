//! `POST /api/stripe/webhook` and `POST /api/webhooks/stripe` (AI-7): receives Stripe events.
//!
//! The signature over the raw body is checked before anything else. An event whose type Farebox
//! does not use is recorded, and answered with 200.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::{MethodRouter, post};
use futures_util::future::join;
use schemars::JsonSchema;
use serde::Serialize;

use crate::adapters::stripe::signature;
use crate::app::App;
use crate::background::BackgroundTasks;
use crate::billing::dead_letters::{self, Outcome};
use crate::billing::{app_webhooks, outbox};
use crate::domain::EventType;
use crate::domain::error::{Error, ErrorCode, Result};
use crate::domain::event::Event;
use crate::http::CallDetails;

/// The outbox messages to deliver in the background. The minute job delivers the rest.
const MESSAGES: usize = 10;
const MESSAGES_TIME: Duration = Duration::from_secs(10);

/// Confirms to Stripe that the event was received.
#[derive(Debug, JsonSchema, Serialize)]
pub struct WebhookResponse {
    /// Always true.
    received: bool,
}

pub fn routes() -> MethodRouter<Arc<App>> {
    post(receive_webhook)
}

async fn receive_webhook(
    State(app): State<Arc<App>>,
    Extension(background): Extension<BackgroundTasks>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(Extension<CallDetails>, Result<Json<WebhookResponse>>)> {
    let stripe = &app.config.stripe;
    let signature = headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    let signature = signature.unwrap_or_default();
    signature::verify(signature, &body, &stripe.webhook_secrets, app.clock.now()).map_err(
        |why| {
            let message =
                "The Stripe-Signature header is missing or too old, or does not match the body.";
            Error::new(ErrorCode::InvalidSignature, message).with_cause(format!("{why:?}"))
        },
    )?;
    let event = Event::parse(&body)
        .ok_or_else(|| Error::new(ErrorCode::MalformedEvent, "The body is not a Stripe event."))?;
    let outcome =
        dead_letters::apply(&app, &background, &event, &String::from_utf8_lossy(&body)).await;
    if matches!(outcome, Ok(Outcome::Applied { has_messages: true })) && outbox::has_channels(&app)
    {
        // E-mails, plans and webhooks go out now instead of with the next minute job.
        let (app, alerts) = (app.clone(), background.clone());
        background.run(async move {
            join(
                outbox::drain(&app, &alerts, MESSAGES, MESSAGES_TIME),
                app_webhooks::drain(&app, &alerts, MESSAGES, MESSAGES_TIME),
            )
            .await;
        });
    }
    let failure = match &outcome {
        Ok(Outcome::DeadLettered(why)) => Some(why.code),
        _ => None,
    };
    let event_type = EventType::try_from(event.kind).ok();
    let details = CallDetails { event_type, failure, ..CallDetails::default() };
    Ok((Extension(details), outcome.map(|_| Json(WebhookResponse { received: true }))))
}
