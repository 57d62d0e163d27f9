//! `DELETE /api/account`: deletes a user and their data (AI-2).
//!
//! The order matters. The customer is deleted at Stripe first, which cancels their subscriptions:
//! without the rows in Postgres, Farebox could no longer find the customer. Then Postgres deletes
//! the user's rows and refuses new ones. Redis comes last. If a step fails, the request fails and
//! the caller sends it again; every step is safe to repeat.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{MethodRouter, delete};

use crate::app::App;
use crate::billing::checkout::delete_at_stripe;
use crate::companion::stats;
use crate::domain::error::Result;
use crate::http::{CallDetails, User};

pub fn routes() -> MethodRouter<Arc<App>> {
    delete(delete_account)
}

async fn delete_account(
    State(app): State<Arc<App>>,
    User(user): User,
) -> Result<(Extension<CallDetails>, StatusCode)> {
    let payable = app.postgres.get_erasure_targets(&user).await?;
    delete_at_stripe(&app, &payable.sessions, &payable.customers).await?;
    let now = app.clock.now();
    app.postgres.erase_account(&user, now).await?;
    stats::erase(&app.redis, &user, now, app.auth.token_lifetime_seconds()).await?;
    let details = CallDetails { is_user_erased: true, ..CallDetails::default() };
    Ok((Extension(details), StatusCode::NO_CONTENT))
}
