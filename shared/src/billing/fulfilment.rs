//! Applies observations: the one path from what Stripe says to what a user has, for webhooks, for the
//! success page, and for Farebox's own changes.
//!
//! Postgres first, then one push to Redis. A push that fails is queued in the outbox; if that fails too,
//! the caller gets an error and tries again. The version in every push lets the later of two win.

use jiff::Timestamp;

use crate::adapters::postgres::{Applied, PostgresError, RenewedCredits};
use crate::adapters::redis::RedisError;
use crate::adapters::stripe::requests;
use crate::app::App;
use crate::billing::entitlement_cache::{EntitlementCache, Pushed};
use crate::domain::error::{Error, Result, error_chain};
use crate::domain::event::Event;
use crate::domain::facts::Facts;
use crate::domain::{Entitlement, Observation, Snapshot, UserId};

/// What came of an observation, besides what the user has.
#[derive(Debug, Default)]
pub struct Fulfilment {
    /// The outbox has new messages.
    pub has_messages: bool,
    /// The observation names another user than the one whom its customer belongs to.
    pub names_another: bool,
    /// Something of the catalog was bought, and nothing says by which user: how that comes.
    pub unnamed_buyer: Option<String>,
}

/// Applies an observation, and pushes the entitlement that follows from it.
pub async fn apply(app: &App, observation: Observation<'_>) -> Result<Fulfilment> {
    let now = app.clock.now();
    let session = observation.facts.finished_session().map(str::to_owned);
    let applied = store(app, observation, now).await?;
    if let Some(entitlement) = &applied.entitlement {
        push_and_log(app, entitlement, session.as_deref(), applied.duplicate, now).await?;
    } else if let Some(credits) = &applied.credits {
        push_credits(app, credits, now).await;
    } else if applied.duplicate {
        tracing::info!("this event was processed before");
    }
    let Applied { has_messages, names_another, unnamed_buyer, .. } = applied;
    Ok(Fulfilment { has_messages, names_another, unnamed_buyer })
}

/// Applies a Stripe event.
pub async fn apply_event(app: &App, event: &Event) -> Result<Fulfilment> {
    let facts = event.facts().map_err(Error::internal)?;
    apply(app, Observation::from_event(event, facts)).await
}

/// Applies a session that Stripe answered with.
pub async fn apply_session(app: &App, session: &Snapshot) -> Result<Fulfilment> {
    let facts = Facts::of_session(&session.object).map_err(Error::internal)?;
    apply(app, Observation::from_response(facts, session, app.clock.now())).await
}

/// Applies a subscription that Stripe answered with.
pub async fn apply_subscription(app: &App, subscription: &Snapshot) -> Result<Fulfilment> {
    let facts = Facts::of_subscription(&subscription.object).map_err(Error::internal)?;
    apply(app, Observation::from_response(facts, subscription, app.clock.now())).await
}

/// Pushes an entitlement for a caller who cannot try again: a failure is logged, and the next event
/// pushes it.
pub async fn push_best_effort(app: &App, entitlement: &Entitlement, now: Timestamp) {
    if let Err(error) = push_and_log(app, entitlement, None, false, now).await {
        tracing::error!(problem = error_chain(&error), "an entitlement is not pushed");
    }
}

/// Queues a repair of the cache if a push failed. If that fails too it is logged; the cached value is
/// fresh for five minutes.
pub async fn queue_repair_on_error(
    app: &App,
    user: &UserId,
    pushed: Result<Pushed, RedisError>,
    now: Timestamp,
) {
    let Err(lost) = pushed else { return };
    tracing::warn!(problem = error_chain(&lost), "an entitlement is not pushed yet");
    if let Err(error) = app.postgres.repair_cache(user, now).await {
        tracing::error!(problem = error_chain(&error), "an entitlement is not pushed");
    }
}

/// Writes an observation. Where an event does not say enough, Farebox asks Stripe, and the answer takes
/// the event's place: two events differ about one second, a session that Farebox did not create does not
/// say what it sold, or a paid session does not name its payment.
async fn store(app: &App, observation: Observation<'_>, now: Timestamp) -> Result<Applied> {
    let observation = match observation.facts.session_without_payment().map(str::to_owned) {
        Some(id) => with_session(app, observation, &id, now).await?,
        None => trusting_reference(app, observation),
    };
    match app.postgres.apply(&observation, now).await {
        Err(error) if error.is_tie() => {
            let id = observation.facts.subscription_id().ok_or_else(|| surprise(&error))?;
            let found = app.stripe.send(&requests::retrieve_subscription(id)).await?;
            let facts = Facts::of_subscription(&found.object).map_err(Error::internal)?;
            let observation = observation.with_response(facts, &found, now);
            Ok(app.postgres.apply(&observation, now).await?)
        }
        Err(error) if error.needs_line_items() => {
            let id = observation.facts.finished_session().ok_or_else(|| surprise(&error))?;
            let id = id.to_owned();
            let observation = with_session(app, observation, &id, now).await?;
            Ok(app.postgres.apply(&observation, now).await?)
        }
        // The user was erased: the event is recorded, and that is all.
        Err(error) if error.is_erased() && observation.event.is_some() => {
            Ok(app.postgres.apply(&observation.without_facts(), now).await?)
        }
        applied => Ok(applied?),
    }
}

/// The same event, with what Stripe answers about that session. A paid session must name its payment.
async fn with_session<'a>(
    app: &App,
    observation: Observation<'a>,
    id: &str,
    now: Timestamp,
) -> Result<Observation<'a>> {
    let found = app.stripe.send(&requests::retrieve_session(id)).await?;
    let facts = Facts::of_session(&found.object).map_err(Error::internal)?;
    if facts.session_without_payment().is_some() {
        return Err(Error::internal(format!("{id} was paid and does not name its payment")));
    }
    Ok(trusting_reference(app, observation.with_response(facts, &found, now)))
}

/// The same observation, with the buyer whom a session's reference names, where the configuration says
/// that only the app's own pages write it.
fn trusting_reference<'a>(app: &App, observation: Observation<'a>) -> Observation<'a> {
    if !app.config.stripe.trusts_client_reference_id {
        return observation;
    }
    Observation { facts: observation.facts.trusting_reference(), ..observation }
}

/// Pushes the one balance that a renewal changed.
async fn push_credits(app: &App, credits: &RenewedCredits, now: Timestamp) {
    let RenewedCredits { user_id, unit, balance } = credits;
    let Ok(user) = UserId::try_from(user_id.clone()) else { return };
    let pushed = EntitlementCache::of(app).push_balance(&user, now, unit, balance).await;
    queue_repair_on_error(app, &user, pushed, now).await;
}

fn surprise(error: &PostgresError) -> Error {
    Error::internal(error_chain(error))
}

/// Pushes an entitlement, and logs what became of the session that brought it. A push that fails is
/// queued; only if that fails too is it an error.
async fn push_and_log(
    app: &App,
    entitlement: &Entitlement,
    session: Option<&str>,
    is_duplicate: bool,
    now: Timestamp,
) -> Result<()> {
    let user = &entitlement.user_id;
    let Ok(id) = UserId::try_from(user.clone()) else { return Ok(()) };
    let pushed = match EntitlementCache::of(app).push(&id, now, entitlement, session).await {
        Ok(pushed) => pushed,
        Err(error) => {
            tracing::warn!(problem = error_chain(&error), "an entitlement is not pushed yet");
            app.postgres.repair_cache(&id, now).await?;
            Pushed::Pushed
        }
    };
    match session {
        Some(session) if is_duplicate || pushed == Pushed::AlreadyProcessed => {
            tracing::info!(session, user, "the session was processed before, and is skipped");
        }
        Some(session) => tracing::info!(session, user, "the session was processed for the user"),
        None if is_duplicate => tracing::info!(user, "this event was processed before"),
        None => {}
    }
    Ok(())
}
