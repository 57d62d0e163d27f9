//! `POST /api/stripe/webhook`, and `POST /api/webhooks/stripe` (AI-7): what Stripe tells us.
//!
//! Nothing is asked of anyone before the signature over the raw bytes is found good. An event that we
//! know nothing to do with is recorded, and answered like any other.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::{MethodRouter, post};
use schemars::JsonSchema;
use serde::Serialize;

use crate::adapters::stripe::signature;
use crate::app::App;
use crate::background::BackgroundTasks;
use crate::billing::dead_letters::{self, Outcome};
use crate::billing::outbox;
use crate::domain::error::{Error, ErrorCode, Result};
use crate::domain::event::Event;

/// Told others at once; the job has the rest.
const MESSAGES: usize = 10;
const MESSAGES_TIME: Duration = Duration::from_secs(10);

/// The confirmation that Stripe expects.
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
) -> Result<Json<WebhookResponse>> {
    let stripe = &app.config.stripe;
    let signature = headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    let signature = signature.unwrap_or_default();
    signature::verify(signature, &body, &stripe.webhook_secrets, app.clock.now()).map_err(
        |why| {
            let message = "This does not carry a fresh signature of Stripe's that we know.";
            Error::new(ErrorCode::InvalidSignature, message).with_cause(format!("{why:?}"))
        },
    )?;
    let event = Event::parse(&body).ok_or_else(|| {
        Error::new(ErrorCode::MalformedEvent, "This is not an event of Stripe's.")
    })?;
    let outcome =
        dead_letters::apply(&app, &background, &event, &String::from_utf8_lossy(&body)).await?;
    if matches!(outcome, Outcome::Applied { has_messages: true }) && outbox::has_channels(&app) {
        // Who waits for news need not wait for the job.
        let (app, alerts) = (app.clone(), background.clone());
        background.run(async move {
            outbox::drain(&app, &alerts, MESSAGES, MESSAGES_TIME).await;
        });
    }
    Ok(Json(WebhookResponse { received: true }))
}
