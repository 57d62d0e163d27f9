//! Applies observations of Stripe's objects. Webhooks, the success page and Farebox's own changes
//! all use this path.
//!
//! It writes to Postgres first, then pushes to Redis once. A failed push is queued in the outbox.
//! If that fails too, the caller gets an error and retries. Each push has a version, so that the
//! newer of two pushes wins.

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

/// The result of applying an observation.
#[derive(Debug, Default)]
pub struct Fulfilment {
    /// True if the outbox has new messages.
    pub has_messages: bool,
    /// True if the observation names a user other than the customer's.
    pub names_another: bool,
    /// Why the user of a purchase from the catalog is unknown.
    pub unnamed_buyer: Option<String>,
}

/// Applies an observation, and pushes the new entitlement.
pub async fn apply(app: &App, observation: Observation<'_>) -> Result<Fulfilment> {
    let now = app.clock.now();
    let session = observation.facts.finished_session().map(str::to_owned);
    let applied = store(app, observation, now).await?;
    if let Some(entitlement) = &applied.entitlement {
        push_and_log(app, entitlement, session.as_deref(), applied.duplicate, now).await?;
    } else if let Some(credits) = &applied.credits {
        push_credits(app, credits, now).await;
    } else if applied.duplicate {
        tracing::info!("this event was already processed");
    }
    let Applied { has_messages, names_another, unnamed_buyer, .. } = applied;
    Ok(Fulfilment { has_messages, names_another, unnamed_buyer })
}

/// Applies a Stripe event.
pub async fn apply_event(app: &App, event: &Event) -> Result<Fulfilment> {
    let facts = event.facts().map_err(Error::internal)?;
    apply(app, Observation::from_event(event, facts)).await
}

/// Applies a Checkout session from an answer of Stripe's API.
pub async fn apply_session(app: &App, session: &Snapshot) -> Result<Fulfilment> {
    let facts = Facts::of_session(&session.object).map_err(Error::internal)?;
    apply(app, Observation::from_response(facts, session, app.clock.now())).await
}

/// Applies a subscription from an answer of Stripe's API.
pub async fn apply_subscription(app: &App, subscription: &Snapshot) -> Result<Fulfilment> {
    let facts = Facts::of_subscription(&subscription.object).map_err(Error::internal)?;
    apply(app, Observation::from_response(facts, subscription, app.clock.now())).await
}

/// Pushes an entitlement for a caller that cannot retry. A failure is logged, and the next event
/// pushes again.
pub async fn push_best_effort(app: &App, entitlement: &Entitlement, now: Timestamp) {
    if let Err(error) = push_and_log(app, entitlement, None, false, now).await {
        tracing::error!(problem = error_chain(&error), "an entitlement was not pushed");
    }
}

/// Queues a cache repair if a push failed. If that fails too, it is logged, and the cached value
/// may be outdated for up to five minutes.
pub async fn queue_repair_on_error(
    app: &App,
    user: &UserId,
    pushed: Result<Pushed, RedisError>,
    now: Timestamp,
) {
    let Err(lost) = pushed else { return };
    tracing::warn!(
        problem = error_chain(&lost),
        "pushing an entitlement failed: queueing a repair"
    );
    if let Err(error) = app.postgres.repair_cache(user, now).await {
        tracing::error!(problem = error_chain(&error), "an entitlement was not pushed");
    }
}

/// Applies an observation in Postgres. In three cases the event is not enough, and the object as
/// retrieved from Stripe replaces its facts:
///
/// - two events have different states of a subscription in the same second;
/// - a session that Farebox did not create does not include its line items;
/// - a paid session does not name its payment.
async fn store(app: &App, observation: Observation<'_>, now: Timestamp) -> Result<Applied> {
    let observation = match observation.facts.session_without_payment().map(str::to_owned) {
        Some(id) => with_session(app, observation, &id, now).await?,
        None => with_client_reference(app, observation),
    };
    match app.postgres.apply(&observation, now).await {
        Err(error) if error.is_tie() => {
            let id = observation.facts.subscription_id().ok_or_else(|| unexpected(&error))?;
            let found = app.stripe.send(&requests::retrieve_subscription(id)).await?;
            let facts = Facts::of_subscription(&found.object).map_err(Error::internal)?;
            let observation = observation.with_response(facts, &found, now);
            Ok(app.postgres.apply(&observation, now).await?)
        }
        Err(error) if error.needs_line_items() => {
            let id = observation.facts.finished_session().ok_or_else(|| unexpected(&error))?;
            let id = id.to_owned();
            let observation = with_session(app, observation, &id, now).await?;
            Ok(app.postgres.apply(&observation, now).await?)
        }
        // The user was erased: only the event's id is recorded.
        Err(error) if error.is_erased() && observation.event.is_some() => {
            Ok(app.postgres.apply(&observation.without_facts(), now).await?)
        }
        applied => Ok(applied?),
    }
}

/// Replaces the observation's facts with the session as retrieved from Stripe. A paid session must
/// name its payment.
async fn with_session<'a>(
    app: &App,
    observation: Observation<'a>,
    id: &str,
    now: Timestamp,
) -> Result<Observation<'a>> {
    let found = app.stripe.send(&requests::retrieve_session(id)).await?;
    let facts = Facts::of_session(&found.object).map_err(Error::internal)?;
    if facts.session_without_payment().is_some() {
        return Err(Error::internal(format!(
            "session {id} was paid, but does not name its payment"
        )));
    }
    Ok(with_client_reference(app, observation.with_response(facts, &found, now)))
}

/// Takes the user from a session's `client_reference_id`, if the configuration says that only the
/// app's own pages set it.
fn with_client_reference<'a>(app: &App, observation: Observation<'a>) -> Observation<'a> {
    if !app.config.stripe.trusts_client_reference_id {
        return observation;
    }
    Observation { facts: observation.facts.with_client_reference(), ..observation }
}

/// Pushes the one balance that a renewal changed.
async fn push_credits(app: &App, credits: &RenewedCredits, now: Timestamp) {
    let RenewedCredits { user_id, unit, balance } = credits;
    let Ok(user) = UserId::try_from(user_id.clone()) else { return };
    let pushed = EntitlementCache::of(app).push_balance(&user, now, unit, balance).await;
    queue_repair_on_error(app, &user, pushed, now).await;
}

fn unexpected(error: &PostgresError) -> Error {
    Error::internal(error_chain(error))
}

/// Pushes an entitlement, and logs whether its session was already processed. A failed push is
/// queued. If queueing fails too, it returns an error.
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
            tracing::warn!(
                problem = error_chain(&error),
                "pushing an entitlement failed: queueing a repair"
            );
            app.postgres.repair_cache(&id, now).await?;
            Pushed::Pushed
        }
    };
    match session {
        Some(session) if is_duplicate || pushed == Pushed::AlreadyProcessed => {
            tracing::info!(session, user, "Session {session} already processed, skipping");
        }
        Some(session) => {
            tracing::info!(
                session,
                user,
                "Successfully processed session {session} for user {user}"
            );
        }
        None if is_duplicate => tracing::info!(user, "this event was already processed"),
        None => {}
    }
    Ok(())
}
