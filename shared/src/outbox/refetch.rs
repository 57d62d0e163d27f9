//! Asking Stripe about what an event left open, and applying the answer like any other news.

use serde_json::Value;

use super::Outcome;
use crate::app::App;
use crate::domain::object::text;
use crate::error::ApiResult;
use crate::fulfilment;
use crate::stripe::requests;

pub(super) async fn ask(app: &App, payload: &Value) -> Outcome {
    let heard = match (text(payload, "object"), text(payload, "id")) {
        (Some("subscription"), Some(id)) => hear_subscription(app, id).await,
        (Some("session"), Some(id)) => hear_session(app, id).await,
        _ => return Outcome::failed("it does not say what to ask for"),
    };
    match heard {
        Ok(_) => Outcome::Heard,
        Err(error) => Outcome::failed(error.code),
    }
}

async fn hear_subscription(app: &App, id: &str) -> ApiResult<bool> {
    let found = app.stripe.ask(&requests::retrieve_subscription(id)).await?;
    fulfilment::hear_subscription(app, &found).await
}

async fn hear_session(app: &App, id: &str) -> ApiResult<bool> {
    let found = app.stripe.ask(&requests::retrieve_session(id)).await?;
    fulfilment::hear_session(app, &found).await
}
