//! `POST /api/stripe/create-checkout-session`: creates a Stripe Checkout page where a user buys a
//! plan (PT-1) or a credit pack (CP-1).
//!
//! The request names a plan or a pack and never a price: the catalog decides the price.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::{MethodRouter, post};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::adapters::postgres::{Purchase, Wanted};
use crate::app::App;
use crate::auth::Caller;
use crate::billing::checkout;
use crate::config::Config;
use crate::domain::IdempotencyKey;
use crate::domain::error::{Error, Result};
use crate::domain::{BillingInterval, CatalogKey, Currency, Email, Quantity, ReturnUrl, if_given};
use crate::http::{Input, Owner};

/// The purchase: a plan in `tier` and `interval`, or a credit pack in `pack`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckoutRequest {
    /// The plan's key in the catalog. Not together with `pack`.
    #[serde(default, deserialize_with = "if_given")]
    tier: Option<CatalogKey>,
    /// How often the plan is billed. Required with `tier`.
    #[serde(default, deserialize_with = "if_given")]
    interval: Option<BillingInterval>,
    /// The credit pack's key in the catalog.
    #[serde(default, deserialize_with = "if_given")]
    pack: Option<CatalogKey>,
    /// The number of packs, or of seats if the plan is sold per seat; 1 if absent.
    #[serde(default, deserialize_with = "if_given")]
    quantity: Option<Quantity>,
    /// One of the currencies in which the plan or pack is sold; its main currency if absent.
    #[serde(default, deserialize_with = "if_given")]
    currency: Option<Currency>,
    /// The URL to which Stripe redirects the customer after the payment, on one of the app's
    /// origins. Stripe replaces `{CHECKOUT_SESSION_ID}` in it with the session's id.
    #[schemars(extend("format" = "uri-template", "pattern" = ReturnUrl::PATTERN))]
    #[schemars(length(max = ReturnUrl::MAX_BYTES))]
    success_url: String,
    /// The URL to which Stripe redirects a customer who goes back, on one of the app's origins.
    #[schemars(extend("format" = "uri-template", "pattern" = ReturnUrl::PATTERN))]
    #[schemars(length(max = ReturnUrl::MAX_BYTES))]
    cancel_url: String,
    /// The customer's e-mail address, for receipts. It may be sent in the header `x-user-email`
    /// instead. Until the first checkout is completed, Farebox sends notices of usage and credits
    /// only to an address that a service key or an admin sent.
    #[serde(default, deserialize_with = "if_given")]
    email: Option<Email>,
}

/// The Checkout session that was created.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckoutResponse {
    session_id: String,
    /// The URL of the page where the customer pays.
    url: String,
}

pub fn routes() -> MethodRouter<Arc<App>> {
    post(create_checkout_session)
}

async fn create_checkout_session(
    State(app): State<Arc<App>>,
    Owner(owner): Owner,
    Extension(caller): Extension<Caller>,
    idempotency_key: Option<IdempotencyKey>,
    headers: HeaderMap,
    Input(order): Input<CheckoutRequest>,
) -> Result<Json<CheckoutResponse>> {
    let mut purchase = purchase(order, named_email(&headers)?, &app.config)?;
    purchase.email_is_claimed = purchase.email.is_some() && !caller.is_trusted();
    let answer =
        checkout::create_session(&app, &owner, &purchase, idempotency_key.as_ref()).await?;
    serde_json::from_value(answer).map(Json).map_err(Error::internal)
}

fn purchase(order: CheckoutRequest, named: Option<Email>, config: &Config) -> Result<Purchase> {
    let wanted = match (order.tier, order.interval, order.pack) {
        (Some(plan), Some(interval), None) => Wanted::Subscription { plan, interval },
        (None, None, Some(pack)) => Wanted::Payment { pack },
        (Some(_), None, None) => return Err(Error::invalid("interval", "is missing")),
        (None, Some(_), None) | (None, None, None) => {
            return Err(Error::invalid("tier", "is missing: send `tier` or `pack`"));
        }
        (_, _, Some(_)) => {
            let message = "cannot be combined with `tier` or `interval`";
            return Err(Error::invalid("pack", message));
        }
    };
    let email = match (order.email, named) {
        (Some(email), Some(named)) if email != named => {
            return Err(Error::invalid("email", "differs from the header x-user-email"));
        }
        (email, named) => email.or(named),
    };
    let url = |field: &str, text: &str| {
        ReturnUrl::parse(text, &config.allowed_origins).map_err(|what| Error::invalid(field, what))
    };
    Ok(Purchase {
        wanted,
        quantity: order.quantity,
        currency: order.currency,
        email,
        email_is_claimed: true,
        success_url: url("successUrl", &order.success_url)?,
        cancel_url: url("cancelUrl", &order.cancel_url)?,
        automatic_tax: config.stripe.automatic_tax,
    })
}

fn named_email(headers: &HeaderMap) -> Result<Option<Email>> {
    let mut all = headers.get_all("x-user-email").iter();
    let Some(value) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(Error::invalid("x-user-email", "must be sent once"));
    }
    let text = value.to_str().unwrap_or_default().to_owned();
    let email = Email::try_from(text).map_err(|what| Error::invalid("x-user-email", what))?;
    Ok(Some(email))
}
