//! From what Stripe says to what a user has: the one path that webhooks, the success page and our own
//! changes all take.
//!
//! Postgres first, then one push to Redis. A push that fails is written down to be made later; where not
//! even that is possible the caller is told that it failed, and whoever called comes again. The version
//! in every push lets the later of two win.

use jiff::Timestamp;

use crate::adapters::postgres::{Applied, StoreError, Told};
use crate::adapters::redis::RedisError;
use crate::adapters::stripe::{Snapshot, requests};
use crate::app::App;
use crate::billing::entitlements::{self, Shown};
use crate::domain::error::{ApiError, ApiResult, chain};
use crate::domain::event::Event;
use crate::domain::facts::Facts;
use crate::domain::{Entitlement, UserId};

/// What came of what Stripe says, besides what the user has.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Others have yet to be told something.
    pub has_messages: bool,
    /// It names another user than the one whom its customer belongs to.
    pub names_another: bool,
    /// Something of the catalog was bought, and nothing says by which user: how that comes.
    pub unnamed_buyer: Option<String>,
}

/// Applies what an event says, and shows what follows from it.
pub async fn hear(app: &App, told: Told<'_>) -> ApiResult<Outcome> {
    let now = app.clock.now();
    let session = told.facts.finished_session().map(str::to_owned);
    let applied = apply(app, told, now).await?;
    if let Some(entitlement) = &applied.entitlement {
        show_for(app, entitlement, session.as_deref(), applied.duplicate, now).await?;
    } else if applied.duplicate {
        tracing::info!("this event was processed before");
    }
    let Applied { has_messages, names_another, unnamed_buyer, .. } = applied;
    Ok(Outcome { has_messages, names_another, unnamed_buyer })
}

/// Applies what an event of Stripe's says.
pub async fn hear_event(app: &App, event: &Event) -> ApiResult<Outcome> {
    let facts = event.facts().map_err(ApiError::internal)?;
    hear(app, Told::by_event(event, facts)).await
}

/// Applies what Stripe answered about a session.
pub async fn hear_session(app: &App, session: &Snapshot) -> ApiResult<Outcome> {
    let facts = Facts::of_session(&session.object).map_err(ApiError::internal)?;
    hear(app, Told::by_asking(facts, session, app.clock.now())).await
}

/// Applies what Stripe answered about a subscription.
pub async fn hear_subscription(app: &App, subscription: &Snapshot) -> ApiResult<Outcome> {
    let facts = Facts::of_subscription(&subscription.object).map_err(ApiError::internal)?;
    hear(app, Told::by_asking(facts, subscription, app.clock.now())).await
}

/// Shows what a user has, for who cannot come again: that it failed is in the log, and the next event
/// shows it.
pub async fn show_if_possible(app: &App, entitlement: &Entitlement, now: Timestamp) {
    if let Err(error) = show_for(app, entitlement, None, false, now).await {
        tracing::error!(problem = chain(&error), "what a user has is not shown");
    }
}

/// What a user has used or holds is in Postgres, and was or was not shown: if not, it is shown later. That
/// this, too, could not be written down is in the log, and what is shown is fresh for five minutes.
pub async fn repair_if_lost(
    app: &App,
    user: &UserId,
    shown: Result<Shown, RedisError>,
    now: Timestamp,
) {
    let Err(lost) = shown else { return };
    tracing::warn!(problem = chain(&lost), "what a user has is not shown yet");
    if let Err(error) = app.store.repair_cache(user, now).await {
        tracing::error!(problem = chain(&error), "what a user has is not shown");
    }
}

/// Where an event does not say enough, Stripe is asked, and its answer takes the event's place: two of
/// them tell different stories of one second, a session that is not ours does not say what it sold, or one
/// that was paid does not name its payment.
async fn apply(app: &App, told: Told<'_>, now: Timestamp) -> ApiResult<Applied> {
    let told = match told.facts.session_without_payment().map(str::to_owned) {
        Some(id) => answer_about_session(app, told, &id, now).await?,
        None => named(app, told),
    };
    match app.store.apply_event(&told, now).await {
        Err(error) if error.is_tie() => {
            let id = told.facts.subscription_id().ok_or_else(|| surprise(&error))?;
            let found = app.stripe.ask(&requests::retrieve_subscription(id)).await?;
            let facts = Facts::of_subscription(&found.object).map_err(ApiError::internal)?;
            Ok(app.store.apply_event(&told.answered_by(facts, &found, now), now).await?)
        }
        Err(error) if error.lacks_lines() => {
            let id = told.facts.finished_session().ok_or_else(|| surprise(&error))?.to_owned();
            let told = answer_about_session(app, told, &id, now).await?;
            Ok(app.store.apply_event(&told, now).await?)
        }
        // Whoever it is about was erased: it is taken note of, and that is all.
        Err(error) if error.is_erased() && told.event.is_some() => {
            let nothing = told.without_facts();
            Ok(app.store.apply_event(&nothing, now).await?)
        }
        applied => Ok(applied?),
    }
}

/// The same, with what Stripe answers about that session. One that was paid must name its payment.
async fn answer_about_session<'a>(
    app: &App,
    told: Told<'a>,
    id: &str,
    now: Timestamp,
) -> ApiResult<Told<'a>> {
    let found = app.stripe.ask(&requests::retrieve_session(id)).await?;
    let facts = Facts::of_session(&found.object).map_err(ApiError::internal)?;
    if facts.session_without_payment().is_some() {
        return Err(ApiError::internal(format!("{id} was paid and does not name its payment")));
    }
    Ok(named(app, told.answered_by(facts, &found, now)))
}

/// The same, with the buyer whom a session's reference names, where the configuration says that only the
/// app's own pages write it.
fn named<'a>(app: &App, told: Told<'a>) -> Told<'a> {
    if !app.config.stripe.trusts_client_reference_id {
        return told;
    }
    Told { facts: told.facts.trusting_reference(), ..told }
}

fn surprise(error: &StoreError) -> ApiError {
    ApiError::internal(chain(error))
}

/// Shows what a user has, and says in the log what became of the session that brought it. A push that
/// fails is written down; only if that fails too is it an error.
async fn show_for(
    app: &App,
    entitlement: &Entitlement,
    session: Option<&str>,
    is_duplicate: bool,
    now: Timestamp,
) -> ApiResult<()> {
    let user = &entitlement.user_id;
    let Ok(id) = UserId::try_from(user.clone()) else { return Ok(()) };
    let shown = match entitlements::show(&app.redis, &id, now, entitlement, session).await {
        Ok(shown) => shown,
        Err(error) => {
            tracing::warn!(problem = chain(&error), "what a user has is not shown yet");
            app.store.repair_cache(&id, now).await?;
            Shown::Shown
        }
    };
    match session {
        Some(session) if is_duplicate || shown == Shown::ProcessedBefore => {
            tracing::info!(session, user, "the session was processed before, and is skipped");
        }
        Some(session) => tracing::info!(session, user, "the session was processed for the user"),
        None if is_duplicate => tracing::info!(user, "this event was processed before"),
        None => {}
    }
    Ok(())
}
