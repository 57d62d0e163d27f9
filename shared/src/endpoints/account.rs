//! `DELETE /api/account`: deletes a user and everything that is theirs (AI-2).
//!
//! Who is gone pays no more: what they subscribed to is canceled at Stripe before anything is
//! forgotten, since nobody would know of it afterwards. Then Postgres: from its commit on nothing of
//! the user's can be written there again. Should a later step fail, the caller is told so and calls
//! again; every step may be repeated.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{MethodRouter, delete};

use crate::app::App;
use crate::error::ApiResult;
use crate::http::User;
use crate::stats;
use crate::stripe::requests;

pub fn routes() -> MethodRouter<App> {
    delete(erase)
}

async fn erase(State(app): State<App>, User(user): User) -> ApiResult<StatusCode> {
    for subscription in app.store.live_subscriptions(&user).await? {
        let request = requests::cancel_now(&subscription, Some("The account was deleted."));
        match app.stripe.ask(&request).await {
            Err(error) if error.refusal().is_some_and(|refusal| refusal.is_missing("id")) => {}
            canceled => drop(canceled?),
        }
    }
    let now = app.clock.now();
    app.store.erase_user(&user, now).await?;
    stats::erase(&app.redis, &user, now, app.auth.token_lifetime_seconds()).await?;
    Ok(StatusCode::NO_CONTENT)
}
