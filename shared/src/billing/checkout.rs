//! Creates Checkout sessions, in which users pay for a plan or a credit pack.
//!
//! Every request to Stripe is first stored with its Stripe idempotency key. A retry after a crash,
//! with or without the caller's idempotency key, continues the stored request. A user therefore has
//! one customer and at most one open subscription session.

use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::adapters::postgres::{
    Checkout, ClaimedCheckout, Customer, Purchase, ReleaseScope, Wanted,
};
use crate::adapters::stripe::{StripeError, requests};
use crate::app::App;
use crate::billing::fulfilment;
use crate::billing::suggestions::{self, Named};
use crate::domain::error::{Error, Result, error_chain};
use crate::domain::{Currency, IdempotencyKey, Refusal, Snapshot, UserId};

/// The time limit of all requests of one route to Stripe. It is shorter than their lease, and than
/// a function's time limit.
pub const STRIPE_TIME: Duration = Duration::from_secs(25);

/// The number of sessions that are expired concurrently.
const AT_ONCE: usize = 10;

/// Why no session was created.
#[derive(Debug)]
enum Failure {
    /// The user's customer could not be created.
    Customer(StripeError),
    Stripe(StripeError),
    /// The session to replace was paid.
    Paid,
}

impl From<StripeError> for Failure {
    fn from(error: StripeError) -> Self {
        Self::Stripe(error)
    }
}

/// Creates a session. Returns `{sessionId, url}`, the same for the same idempotency key.
pub async fn create_session(
    app: &App,
    user: &UserId,
    purchase: &Purchase,
    idempotency_key: Option<&IdempotencyKey>,
) -> Result<Value> {
    // Repeats if the previous session was paid, or if the customer was deleted at Stripe.
    for _ in 0..3 {
        let now = app.clock.now();
        let checkout = app.postgres.begin_checkout(user, purchase, idempotency_key, now).await;
        let claimed = match checkout {
            Ok(Checkout::Answer(answer)) => return Ok(answer),
            Ok(Checkout::Claimed(claimed)) => claimed,
            Err(error) => return Err(suggestions::explain(app, error, named(purchase)).await),
        };
        let sent = timeout(STRIPE_TIME, send_requests(app, user, &claimed)).await;
        match sent.unwrap_or_else(|elapsed| Err(StripeError::may_have_run(elapsed).into())) {
            Ok((customer, session)) => {
                return finish(app, user, &claimed, &customer, &session).await;
            }
            Err(Failure::Paid) => release_lease(app, claimed.request, ReleaseScope::Request).await,
            Err(Failure::Customer(error)) => {
                let scope = if error.is_final() {
                    ReleaseScope::RequestAndCustomer
                } else {
                    ReleaseScope::Nothing
                };
                release_lease(app, claimed.request, scope).await;
                return Err(error.into());
            }
            Err(Failure::Stripe(error)) => {
                release(app, claimed.request, error.is_final()).await;
                let is_gone = error.refusal().is_some_and(|refusal| refusal.is_missing("customer"));
                match &claimed.customer {
                    Customer::Known(id) if is_gone => {
                        app.postgres.unlink_customer(user, id, app.clock.now()).await?;
                    }
                    _ => return Err(error.into()),
                }
            }
        }
    }
    Err(Refusal::AlreadySubscribed { status: "active".to_owned() }.into())
}

fn named(purchase: &Purchase) -> Named<'_> {
    let currency = purchase.currency.as_ref().map(Currency::as_str);
    match &purchase.wanted {
        Wanted::Subscription { plan, interval } => Named {
            plan: Some(plan.as_str()),
            interval: Some(interval.as_str()),
            currency,
            ..Named::default()
        },
        Wanted::Payment { pack } => {
            Named { pack: Some(pack.as_str()), currency, ..Named::default() }
        }
    }
}

/// Creates the customer, closes earlier sessions, and creates the session. Each step may be
/// repeated.
async fn send_requests(
    app: &App,
    user: &UserId,
    claimed: &ClaimedCheckout,
) -> Result<(String, Snapshot), Failure> {
    let customer = match &claimed.customer {
        Customer::Known(id) => id.clone(),
        Customer::New { stripe_key, email } => {
            let request = requests::create_customer(user, email.as_deref());
            let created = app.stripe.send_idempotent(&request, stripe_key).await;
            requests::id(&created.map_err(Failure::Customer)?)?.to_owned()
        }
    };
    if let Some(unconfirmed) = &claimed.unconfirmed_session {
        let request = requests::create_session(user, &customer, &unconfirmed.terms);
        match app.stripe.send_idempotent(&request, &unconfirmed.stripe_key).await {
            Ok(session) => close(app, requests::id(&session)?).await?,
            // The session does not exist, or its id is lost for good. No user ever got its URL.
            Err(error) if error.is_final() => {}
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(open) = &claimed.open_session {
        close(app, open).await?;
    }
    let request = requests::create_session(user, &customer, &claimed.terms);
    let session = app.stripe.send_idempotent(&request, &claimed.stripe_key).await?;
    Ok((customer, session))
}

/// Expires a session, so that it can no longer be paid. Applies a session that was already paid.
async fn close(app: &App, session: &str) -> Result<(), Failure> {
    // Without an idempotency key, for which Stripe would replay a failure for a day. Repeating is
    // safe.
    let Err(error) = app.stripe.send(&requests::expire_session(session)).await else {
        return Ok(());
    };
    if !error.is_invalid_request() {
        return Err(error.into());
    }
    let session = app.stripe.send(&requests::retrieve_session(session)).await?;
    match session.text("status") {
        Some("expired") => Ok(()),
        Some("complete") => {
            if let Err(error) = fulfilment::apply_session(app, &session).await {
                // The session is paid in any case. Its webhook applies it later.
                tracing::warn!(
                    problem = error_chain(&error),
                    "applying a paid session failed: its webhook applies it"
                );
            }
            Err(Failure::Paid)
        }
        _ => Err(error.into()),
    }
}

async fn finish(
    app: &App,
    user: &UserId,
    claimed: &ClaimedCheckout,
    customer: &str,
    session: &Snapshot,
) -> Result<Value> {
    let (Some(id), Some(url)) = (session.text("id"), session.text("url")) else {
        return Err(Error::internal("Stripe's session has no id or no url"));
    };
    let answer = json!({ "sessionId": id, "url": url });
    let created = json!({
        "id": id,
        "url": url,
        "currency": session.text("currency"),
        "amount_total": session.integer("amount_total"),
        "expires_at": session.integer("expires_at"),
        "created": session.integer("created"),
    });
    let now = app.clock.now();
    let finished =
        app.postgres.finish_checkout(user, claimed.request, customer, &created, &answer, now).await;
    match finished {
        Ok(true) => Ok(answer),
        // Another process took over the request, and closes this session or uses it.
        Ok(false) => Err(Error::request_in_progress()),
        Err(error) => {
            if error.is_erased() {
                close_erased(app, id, customer).await;
            }
            Err(error.into())
        }
    }
}

/// Deletes what a request created at Stripe while its user was erased. If that fails, the message
/// of the erasure does it: it has the keys of the request.
async fn close_erased(app: &App, session: &str, customer: &str) {
    let sessions = [session.to_owned()];
    let (session, customer) =
        tokio::join!(expire_sessions(app, &sessions), delete_customer(app, customer));
    if let Err(error) = session.and(customer) {
        tracing::warn!(
            problem = error_chain(&error),
            "closing a checkout of an erased user failed: the minute job retries it"
        );
    }
}

/// Expires sessions at Stripe, so that they can no longer be paid. May be repeated.
pub async fn expire_sessions(app: &App, sessions: &[String]) -> Result<(), StripeError> {
    for some in sessions.chunks(AT_ONCE) {
        let expiries: Vec<_> = some.iter().map(|session| expire(app, session)).collect();
        try_join_all(expiries).await?;
    }
    Ok(())
}

async fn expire(app: &App, session: &str) -> Result<(), StripeError> {
    match app.stripe.send(&requests::expire_session(session)).await {
        // The session expired or was paid. Deleting the customer cancels its subscription.
        Err(error) if error.is_invalid_request() => Ok(()),
        expired => expired.map(drop),
    }
}

/// Deletes a customer at Stripe, which cancels their subscriptions. May be repeated.
pub async fn delete_customer(app: &App, customer: &str) -> Result<(), StripeError> {
    match app.stripe.send(&requests::delete_customer(customer)).await {
        Err(error) if error.refusal().is_some_and(|refusal| refusal.is_missing("id")) => Ok(()),
        deleted => deleted.map(drop),
    }
}

/// Releases the lease on a request, and deletes the request if Stripe's answer is final.
pub async fn release(app: &App, request: i64, is_final: bool) {
    let scope = if is_final { ReleaseScope::Request } else { ReleaseScope::Nothing };
    release_lease(app, request, scope).await;
}

/// Releases the lease on a request. If this fails, the lease expires by itself.
async fn release_lease(app: &App, request: i64, scope: ReleaseScope) {
    let now = app.clock.now();
    if let Err(error) = app.postgres.release_stripe_request(request, scope, now).await {
        tracing::warn!(
            problem = error_chain(&error),
            "releasing a lease failed: it expires by itself"
        );
    }
}
