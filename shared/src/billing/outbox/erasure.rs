//! Erases what is left of a user outside Postgres: their customers and open sessions at Stripe,
//! their keys in Redis, and Farebox's fields at the identity provider.
//!
//! The three are independent, and each may be repeated: while one is down, the others are erased.

use futures_util::future::{try_join, try_join_all};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{DELIVERY_TIME, Outcome};
use crate::adapters::clerk::{self, ClerkError};
use crate::adapters::postgres::OutboxMessage;
use crate::adapters::redis::keys::UserKeys;
use crate::adapters::redis::{Command, RedisError};
use crate::adapters::stripe::{StripeError, requests};
use crate::app::App;
use crate::background::BackgroundTasks;
use crate::billing::alert;
use crate::billing::checkout::{delete_customer, expire_sessions};
use crate::clock::Clock;
use crate::domain::error::{BoxError, error_chain};
use crate::domain::object::{list, text};
use crate::domain::{CheckoutTerms, UserId};

/// How long Stripe remembers an idempotency key, and keeps a session open. After that, no request
/// of an erased user can be repeated, and no session of theirs can be paid.
const STRIPE_REMEMBERS: SignedDuration = SignedDuration::from_hours(24);

/// The time after which an erasure that still fails is reported to the operators.
const OVERDUE: SignedDuration = SignedDuration::from_hours(24);

/// The payload of an erasure: what `erase_user` found.
#[derive(Debug, Deserialize)]
struct Remains {
    user_id: UserId,
    customers: Vec<String>,
    sessions: Vec<String>,
    requests: Vec<StoredRequest>,
    /// Until then, a delivery of the user's plan to the identity provider may be in progress.
    identity_until: Option<Timestamp>,
}

/// A request to Stripe whose answer was not stored. Repeating it under its key returns the object
/// that it created.
#[derive(Debug, Deserialize)]
struct StoredRequest {
    kind: RequestKind,
    stripe_key: String,
    parameters: Value,
    /// The customer that a checkout uses; none if the customer is also new.
    customer_id: Option<String>,
    created_at: Timestamp,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum RequestKind {
    Customer,
    Checkout,
}

pub(super) async fn erase(app: &App, message: &OutboxMessage) -> Outcome {
    let remains = match Remains::deserialize(&message.payload) {
        Ok(remains) => remains,
        // Never given up: a later version may read it.
        Err(_) => return Outcome::failed("the payload of an erasure cannot be read"),
    };
    let key = format!("{}-{}", message.id, message.generation);
    let (stripe, redis, identity) = tokio::join!(
        erase_at_stripe(app, &remains, message.created_at),
        erase_in_redis(app, &remains.user_id),
        erase_at_identity_provider(app, &remains, &key),
    );
    let (identity, retry_after) = match identity {
        Err(ClerkError::Failed { problem, retry_after }) => (Some(problem), retry_after),
        Ok(()) | Err(ClerkError::UnknownUser) => (None, None),
    };
    let problems = [
        stripe.err().map(|error| error_chain(&*error)),
        redis.err().map(|error| error_chain(&error)),
        identity,
    ];
    let problems: Vec<String> = problems.into_iter().flatten().collect();
    if problems.is_empty() {
        return Outcome::Delivered;
    }
    Outcome::Failed { problem: problems.join("; "), retry_after }
}

/// Alerts operators, at most once a day, of an erasure that has failed for a day.
pub(super) async fn report_if_overdue(
    app: &App,
    background: &BackgroundTasks,
    message: &OutboxMessage,
) {
    if app.clock.now().duration_since(message.created_at) < OVERDUE {
        return;
    }
    let text = format!(
        "The erasure of an account has failed for a day: outbox message {}. Its column `problem` has \
         the cause. Farebox retries it every hour.",
        message.id
    );
    alert::raise_daily(app, background, alert::ERASURE_OVERDUE, text).await;
}

/// Expires the user's sessions and deletes their customers, which cancels every subscription.
async fn erase_at_stripe(
    app: &App,
    remains: &Remains,
    begun_at: Timestamp,
) -> Result<(), BoxError> {
    let is_old = |since: Timestamp| app.clock.now().duration_since(since) > STRIPE_REMEMBERS;
    let (mut customers, mut sessions) = (remains.customers.clone(), remains.sessions.clone());
    if is_old(begun_at) {
        sessions.clear();
    }
    let recent = remains.requests.iter().filter(|request| !is_old(request.created_at));
    let repeated = repeat(app, &remains.user_id, &recent.collect::<Vec<_>>()).await;
    let (repeated, unconfirmed) = repeated.map_or_else(
        |error| (Err(error), None),
        |(customer, created)| {
            sessions.extend(created);
            (Ok(()), customer)
        },
    );
    let found = find_customers(app, &remains.user_id).await;
    let (found, others) = found.map_or_else(|error| (Err(error), Vec::new()), |ids| (Ok(()), ids));
    let unknown: Vec<&str> = others
        .iter()
        .chain(&unconfirmed)
        .map(String::as_str)
        .filter(|id| customers.iter().all(|known| known != id))
        .collect();
    if !unknown.is_empty() {
        let now = app.clock.now();
        customers.extend(app.postgres.erase_customers(&remains.user_id, &unknown, now).await?);
    }
    let expired = expire_sessions(app, &sessions).await;
    let deletions: Vec<_> = customers.iter().map(|id| delete_customer(app, id)).collect();
    let deleted = try_join_all(deletions).await;
    repeated.and(found).and(expired).and(deleted.map(drop)).map_err(BoxError::from)
}

/// Repeats the requests whose answers are unknown. Returns the customer that they created, and the
/// sessions.
async fn repeat(
    app: &App,
    user: &UserId,
    stored: &[&StoredRequest],
) -> Result<(Option<String>, Vec<String>), StripeError> {
    let mut customer = None;
    if let Some(one) = stored.iter().find(|one| one.kind == RequestKind::Customer) {
        let request = requests::create_customer(user, text(&one.parameters, "email"));
        customer = created(app.stripe.send_idempotent(&request, &one.stripe_key).await)?;
    }
    let mut sessions = Vec::new();
    for one in stored.iter().filter(|one| one.kind == RequestKind::Checkout) {
        let Some(customer) = one.customer_id.as_ref().or(customer.as_ref()) else { continue };
        let earlier = &one.parameters["unconfirmed_session"];
        let mut latest = one.parameters.clone();
        latest.as_object_mut().map(|terms| terms.remove("unconfirmed_session"));
        let both = [
            (text(earlier, "stripe_key"), &earlier["terms"]),
            (Some(one.stripe_key.as_str()), &latest),
        ];
        for (key, terms) in both {
            let (Some(key), Ok(terms)) = (key, CheckoutTerms::deserialize(terms)) else { continue };
            let request = requests::create_session(user, customer, &terms);
            sessions.extend(created(app.stripe.send_idempotent(&request, key).await)?);
        }
    }
    Ok((customer, sessions))
}

/// Returns the id of the object; none if Stripe refused the request for good, so that no object
/// exists.
fn created(
    answer: Result<crate::domain::Snapshot, StripeError>,
) -> Result<Option<String>, StripeError> {
    match answer {
        Ok(object) => requests::id(&object).map(|id| Some(id.to_owned())),
        Err(error) if error.is_final() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Finds the customers at Stripe whose metadata names exactly this user.
async fn find_customers(app: &App, user: &UserId) -> Result<Vec<String>, StripeError> {
    let found = match app.stripe.send(&requests::search_customers(user)).await {
        Ok(found) => found,
        // Stripe has no search in some countries, and a restricted key may not allow it.
        Err(error) if error.is_final() => {
            tracing::warn!(
                problem = error_chain(&error),
                "Stripe refused a search for the customers of an erased user"
            );
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let customers = list(&found.object, "data").iter();
    let own = customers.filter(|one| text(&one["metadata"], "userId") == Some(user.as_str()));
    Ok(own.filter_map(|one| text(one, "id")).map(str::to_owned).collect())
}

/// Deletes the user's keys and stored answers, removes the user from the API log, and marks the
/// user as erased for as long as a token can live.
///
/// The mark is set first. From then on no answer is stored, so the indexes are complete.
async fn erase_in_redis(app: &App, user: &UserId) -> Result<(), RedisError> {
    let keys = UserKeys::of(user, app.clock.now());
    let marking = [
        Command::set(&keys.erased, "1", app.auth.token_lifetime_seconds()),
        Command::del(&keys.stats)
            .arg(&keys.last_login)
            .arg(&keys.credits)
            .arg(&keys.entitlement)
            .arg(&keys.index_expired),
        Command::hgetall(&keys.index),
        Command::hgetall(&keys.index_before),
    ];
    let (answers, ()) =
        try_join(app.redis.transaction(&marking), app.redis.forget_logged_user(user)).await?;
    let remembered = answers.iter().filter_map(Value::as_array).flatten();
    let remembered: Vec<&str> =
        remembered.filter_map(Value::as_str).filter(|key| key.starts_with("once:")).collect();
    if !remembered.is_empty() {
        let delete = Command::del(&keys.index).arg(&keys.index_before);
        let delete = remembered.into_iter().fold(delete, Command::arg);
        app.redis.run::<u64>(&delete).await?;
    }
    Ok(())
}

/// Removes the fields that Farebox wrote into the user's public metadata. The user stays.
async fn erase_at_identity_provider(
    app: &App,
    remains: &Remains,
    key: &str,
) -> Result<(), ClerkError> {
    let Some(config) = &app.config.clerk else { return Ok(()) };
    // Leases use the wall clock.
    if remains.identity_until.is_some_and(|until| until > Clock::wall()) {
        let problem = "an update of the identity provider is in progress".to_owned();
        return Err(ClerkError::Failed { problem, retry_after: None });
    }
    let metadata = json!({ "plan": null, "planName": null, "status": null });
    let user = remains.user_id.as_str();
    clerk::set_public_metadata(&app.http, config, user, key, &metadata, DELIVERY_TIME).await
}
