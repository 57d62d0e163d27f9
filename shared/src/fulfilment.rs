//! From what Stripe says to what a user has: the one path that webhooks, the success page and our own
//! changes all take.
//!
//! Postgres first, then one push to Redis. A push that fails is logged and loses nothing: the version
//! in it lets any later one repair what is shown.

use jiff::Timestamp;

use crate::app::App;
use crate::domain::UserId;
use crate::domain::facts::Facts;
use crate::error::{ApiError, ApiResult, chain};
use crate::stats;
use crate::store::{Entitlement, Told};
use crate::stripe::{Snapshot, requests};

/// Applies what an event says. Where two of them tell different stories of one second, Stripe is asked
/// which is true, and its answer takes the event's place.
pub async fn hear(app: &App, told: Told<'_>) -> ApiResult<()> {
    let now = app.clock.now();
    let applied = match app.store.apply_event(&told, now).await {
        Err(error) if error.is_tie() => {
            let told = settle_tie(app, told, now).await?;
            app.store.apply_event(&told, now).await?
        }
        applied => applied?,
    };
    if applied.duplicate {
        tracing::info!("this event was processed before");
    }
    show(app, applied.entitlement.as_ref(), now).await;
    Ok(())
}

/// Applies what Stripe answered about a session.
pub async fn hear_session(app: &App, session: &Snapshot) -> ApiResult<()> {
    let facts = Facts::of_session(&session.object).map_err(ApiError::internal)?;
    hear(app, Told::by_asking(facts, session, app.clock.now())).await
}

async fn settle_tie<'a>(app: &App, told: Told<'a>, now: Timestamp) -> ApiResult<Told<'a>> {
    let Some(id) = told.facts.subscription_id() else {
        return Err(ApiError::internal("a tie without a subscription"));
    };
    let subscription = app.stripe.ask(&requests::retrieve_subscription(id)).await?;
    let facts = Facts::of_subscription(&subscription.object).map_err(ApiError::internal)?;
    Ok(Told { event: told.event, ..Told::by_asking(facts, &subscription, now) })
}

/// Shows a user's plan wherever it is shown.
pub async fn show(app: &App, entitlement: Option<&Entitlement>, now: Timestamp) {
    let Some(entitlement) = entitlement else { return };
    let Ok(user) = UserId::try_from(entitlement.user_id.clone()) else { return };
    let Entitlement { plan_name, version, .. } = entitlement;
    match stats::set_plan(&app.redis, &user, now, plan_name, *version).await {
        Ok(_) => {}
        // Somebody who was erased meanwhile is shown nothing.
        Err(error) if error.code == ApiError::ACCOUNT_ERASED => {}
        Err(error) => tracing::warn!(problem = chain(&error), "the new plan is not shown yet"),
    }
}
