//! Retrieves a subscription from Stripe that an invoice names but no event has described, and
//! applies it.

use serde_json::Value;

use super::Outcome;
use crate::adapters::stripe::requests;
use crate::app::App;
use crate::billing::fulfilment::{self, Fulfilment};
use crate::domain::error::{ErrorCode, Result};
use crate::domain::object::text;

pub(super) async fn refetch(app: &App, payload: &Value) -> Outcome {
    let Some(id) = text(payload, "id") else {
        return Outcome::Rejected("the message names no subscription".to_owned());
    };
    match apply_subscription(app, id).await {
        Ok(_) => Outcome::Delivered,
        Err(error) if error.code == ErrorCode::AccountErased => {
            Outcome::NoRecipient("unknown user")
        }
        Err(error) if error.code.is_retryable() => Outcome::failed(error.code.to_string()),
        Err(error) => Outcome::Rejected(error.code.to_string()),
    }
}

async fn apply_subscription(app: &App, id: &str) -> Result<Fulfilment> {
    let found = app.stripe.send(&requests::retrieve_subscription(id)).await?;
    fulfilment::apply_subscription(app, &found).await
}
