//! `POST /api/subscription/preview`: the price and the effects of a change, before it is made
//! (FX-9). `PATCH /api/subscription` confirms it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::{MethodRouter, post};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::adapters::postgres::ChangeRequest;
use crate::app::App;
use crate::billing::preview_subscription::{self, SubscriptionPreview};
use crate::domain::error::{Error, Result};
use crate::domain::{BillingInterval, CatalogKey, Quantity, if_given};
use crate::http::{Input, Owner};

/// A change of a subscription. At least one field is required; the others stay as they are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviewSubscriptionRequest {
    /// The key of the new plan.
    #[serde(default, deserialize_with = "if_given")]
    tier: Option<CatalogKey>,
    /// The new billing interval.
    #[serde(default, deserialize_with = "if_given")]
    interval: Option<BillingInterval>,
    /// The new number of seats.
    #[serde(default, deserialize_with = "if_given")]
    quantity: Option<Quantity>,
}

pub fn routes() -> MethodRouter<Arc<App>> {
    post(preview_subscription)
}

async fn preview_subscription(
    State(app): State<Arc<App>>,
    Owner(owner): Owner,
    Input(change): Input<PreviewSubscriptionRequest>,
) -> Result<Json<SubscriptionPreview>> {
    let PreviewSubscriptionRequest { tier, interval, quantity } = change;
    if tier.is_none() && interval.is_none() && quantity.is_none() {
        let message = "is missing: send `tier`, `interval` or `quantity`";
        return Err(Error::invalid("tier", message));
    }
    let change = ChangeRequest::Change { plan: tier, interval, quantity };
    Ok(Json(preview_subscription::preview(&app, &owner, &change).await?))
}
