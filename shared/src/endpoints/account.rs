//! `DELETE /api/account`: deletes a user and everything that is theirs (AI-2).
//!
//! Who is gone pays no more: their customer is deleted at Stripe, and with it what they subscribed to,
//! before anything is forgotten here, since nobody would know of it afterwards. Then Postgres: from its
//! commit on nothing of the user's can be written there again. Should a later step fail, the caller is
//! told so and calls again; every step may be repeated.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{MethodRouter, delete};

use crate::app::App;
use crate::billing::checkout::forget_at_stripe;
use crate::companion::stats;
use crate::domain::error::Result;
use crate::http::User;

pub fn routes() -> MethodRouter<Arc<App>> {
    delete(delete_account)
}

async fn delete_account(State(app): State<Arc<App>>, User(user): User) -> Result<StatusCode> {
    let payable = app.postgres.get_erasure_targets(&user).await?;
    forget_at_stripe(&app, &payable.sessions, &payable.customers).await?;
    let now = app.clock.now();
    app.postgres.erase_account(&user, now).await?;
    stats::erase(&app.redis, &user, now, app.auth.token_lifetime_seconds()).await?;
    Ok(StatusCode::NO_CONTENT)
}
