//! Asking Stripe about a subscription that an invoice names and nobody told us of, and applying the
//! answer like any other news.

use serde_json::Value;

use super::Outcome;
use crate::adapters::stripe::requests;
use crate::app::App;
use crate::billing::dead_letters::may_pass;
use crate::billing::fulfilment;
use crate::domain::error::{ApiError, ApiResult};
use crate::domain::object::text;

pub(super) async fn ask(app: &App, payload: &Value) -> Outcome {
    let Some(id) = text(payload, "id") else {
        return Outcome::Refused("it does not say what to ask for".to_owned());
    };
    match hear_subscription(app, id).await {
        Ok(_) => Outcome::Heard,
        Err(error) if error.code == ApiError::ACCOUNT_ERASED => Outcome::Nobody("unknown user"),
        Err(error) if may_pass(&error) => Outcome::failed(error.code),
        Err(error) => Outcome::Refused(error.code.to_owned()),
    }
}

async fn hear_subscription(app: &App, id: &str) -> ApiResult<fulfilment::Outcome> {
    let found = app.stripe.ask(&requests::retrieve_subscription(id)).await?;
    fulfilment::hear_subscription(app, &found).await
}
