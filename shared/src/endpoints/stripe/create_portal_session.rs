//! `POST /api/stripe/create-portal-session`: creates a page of Stripe's customer portal, where the
//! customer changes their card, sees their invoices and cancels (DM-11).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, post};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::adapters::postgres::Portal;
use crate::adapters::stripe::{StripeError, requests};
use crate::app::App;
use crate::billing::checkout::release;
use crate::domain::IdempotencyKey;
use crate::domain::ReturnUrl;
use crate::domain::error::{Error, Result};
use crate::http::{Input, Owner};

/// The customer portal session to create.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortalRequest {
    /// The URL of the portal's back link, on one of the app's origins.
    #[schemars(extend("format" = "uri", "pattern" = ReturnUrl::PATTERN))]
    #[schemars(length(max = ReturnUrl::MAX_BYTES))]
    return_url: String,
}

/// The portal session that was created.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct PortalResponse {
    /// The URL of the portal page for this customer. It is short-lived. Do not give it to another
    /// user.
    url: String,
}

pub fn routes() -> MethodRouter<Arc<App>> {
    post(create_portal_session)
}

async fn create_portal_session(
    State(app): State<Arc<App>>,
    Owner(owner): Owner,
    idempotency_key: Option<IdempotencyKey>,
    Input(visit): Input<PortalRequest>,
) -> Result<Json<PortalResponse>> {
    let return_url = ReturnUrl::parse(&visit.return_url, &app.config.allowed_origins)
        .map_err(|what| Error::invalid("returnUrl", what))?;
    let configuration = app.config.stripe.portal_configuration.as_deref();
    let wanted = json!({ "return_url": return_url, "configuration": configuration });
    let claimed =
        app.postgres.begin_portal(&owner, &wanted, idempotency_key.as_ref(), app.clock.now()).await;
    let claimed = match claimed? {
        Portal::Answer(answer) => {
            return serde_json::from_value(answer).map(Json).map_err(Error::internal);
        }
        Portal::Claimed(claimed) => claimed,
    };
    let session = requests::create_portal_session(
        &claimed.customer,
        &claimed.return_url,
        claimed.configuration.as_deref(),
    );
    let made = app.stripe.send_idempotent(&session, &claimed.stripe_key).await;
    let url = made.and_then(|page| {
        page.text("url").map(str::to_owned).ok_or_else(|| StripeError::lacks("url"))
    });
    let page = match url {
        Ok(url) => PortalResponse { url },
        Err(error) => {
            release(&app, claimed.request, error.is_final()).await;
            return Err(error.into());
        }
    };
    app.postgres.finish_portal(claimed.request, &json!(page), app.clock.now()).await?;
    Ok(Json(page))
}
