//! `GET /api/stripe/checkout-session?sessionId=`: the state of a Checkout session, which the
//! success page polls.
//!
//! A session that Stripe reports as paid is applied at once, by the same code as the webhook, so
//! that the customer need not wait for a late webhook.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::routing::{MethodRouter, get};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use crate::adapters::stripe::requests;
use crate::app::App;
use crate::billing::fulfilment;
use crate::domain::BillingInterval;
use crate::domain::error::{Error, ErrorCode, Result};
use crate::domain::vocabulary::{CheckoutMode, CheckoutStatus, PaymentStatus, SubscriptionStatus};
use crate::http::Owner;

/// The state of a Checkout session and of the purchase in it.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all(serialize = "camelCase"))]
pub struct CheckoutSession {
    session_id: String,
    #[schemars(with = "CheckoutMode")]
    mode: String,
    #[schemars(with = "CheckoutStatus")]
    status: String,
    #[schemars(with = "Option<PaymentStatus>")]
    payment_status: Option<String>,
    /// The key of the plan in this purchase.
    plan: Option<String>,
    #[schemars(with = "Option<BillingInterval>")]
    interval: Option<String>,
    /// The key of the credit pack in this purchase.
    pack: Option<String>,
    /// The number of seats, or of packs.
    quantity: Option<i64>,
    currency: Option<String>,
    /// The total in minor units, such as cents.
    amount_minor: Option<i64>,
    /// The status of the subscription that the purchase created; null before it exists.
    #[schemars(with = "Option<SubscriptionStatus>")]
    subscription_status: Option<String>,
}

pub fn routes() -> MethodRouter<Arc<App>> {
    get(get_checkout_session)
}

async fn get_checkout_session(
    State(app): State<Arc<App>>,
    Owner(owner): Owner,
    uri: Uri,
) -> Result<Json<CheckoutSession>> {
    let id = session_id(&uri)?;
    let purchase: Option<CheckoutSession> = app.postgres.get_checkout_session(&owner, &id).await?;
    let purchase = purchase.ok_or_else(not_found)?;
    if purchase.is_final() {
        return Ok(Json(purchase));
    }
    let session = app.stripe.send(&requests::retrieve_session(&id)).await?;
    if session.text("status") == Some("open") {
        return Ok(Json(purchase));
    }
    fulfilment::apply_session(&app, &session).await?;
    app.postgres.get_checkout_session(&owner, &id).await?.ok_or_else(not_found).map(Json)
}

impl CheckoutSession {
    /// Returns true if Farebox has applied the session's final state, so that Stripe need not be
    /// asked.
    fn is_final(&self) -> bool {
        let is_paid = self.payment_status.as_deref().is_some_and(|status| status != "unpaid");
        let is_applied = self.mode != "subscription" || self.subscription_status.is_some();
        self.status == "expired" || self.status == "complete" && is_paid && is_applied
    }
}

/// The error for a session that does not exist or belongs to another user.
fn not_found() -> Error {
    Error::new(ErrorCode::SessionNotFound, "The user has no such Checkout session.")
}

fn session_id(uri: &Uri) -> Result<String> {
    let mut query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let id = query.find(|(name, _)| name == "sessionId").map(|(_, id)| id.into_owned());
    let id = id.ok_or_else(|| Error::invalid("sessionId", "is missing"))?;
    // The id becomes part of the URL of a request to Stripe.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !id.starts_with("cs_") || id.len() > 255 || !id.bytes().all(plain) {
        return Err(Error::invalid("sessionId", "must be the id of a Checkout session"));
    }
    Ok(id)
}
