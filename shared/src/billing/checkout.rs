//! Selling: from what a user wants to a page of Stripe's where they pay for it.
//!
//! Everything that Stripe is asked to make is written down first, with the key it is asked under. So
//! whoever comes back after a crash, with the same idempotency key or without one, finds what was
//! begun and goes on with it: one customer, one open subscription session, however often it broke.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::adapters::postgres::{Checkout, ClaimedCheckout, Customer, Purchase, ReleaseScope};
use crate::adapters::stripe::{StripeError, requests};
use crate::app::App;
use crate::billing::fulfilment;
use crate::domain::error::{Error, ErrorCode, Result, error_chain};
use crate::domain::{IdempotencyKey, Refusal, Snapshot, UserId};

/// For everything that one route asks of Stripe: less than its lease, and than a function may run.
pub const STRIPE_TIME: Duration = Duration::from_secs(25);

/// How it ended, short of a session.
#[derive(Debug)]
enum Failure {
    /// The user's customer could not be made.
    Customer(StripeError),
    Stripe(StripeError),
    /// The session that was to be replaced has been paid.
    Paid,
}

impl From<StripeError> for Failure {
    fn from(error: StripeError) -> Self {
        Self::Stripe(error)
    }
}

/// Answers `{sessionId, url}`, the same for the same idempotency key.
pub async fn create_session(
    app: &App,
    user: &UserId,
    purchase: &Purchase,
    once: Option<&IdempotencyKey>,
) -> Result<Value> {
    // Again, once it is known that a session was paid, or that a customer is gone at Stripe.
    for _ in 0..3 {
        let begun = app.postgres.begin_checkout(user, purchase, once, app.clock.now()).await;
        let begun = match begun? {
            Checkout::Answer(answer) => return Ok(answer),
            Checkout::Begun(begun) => begun,
        };
        let asked = timeout(STRIPE_TIME, ask(app, user, &begun)).await;
        match asked.unwrap_or_else(|elapsed| Err(StripeError::may_have_run(elapsed).into())) {
            Ok((customer, session)) => return finish(app, &begun, &customer, &session).await,
            Err(Failure::Paid) => release_lease(app, begun.request, ReleaseScope::Request).await,
            Err(Failure::Customer(error)) => {
                let forget = if error.is_final() {
                    ReleaseScope::RequestAndCustomer
                } else {
                    ReleaseScope::Nothing
                };
                release_lease(app, begun.request, forget).await;
                return Err(error.into());
            }
            Err(Failure::Stripe(error)) => {
                release(app, begun.request, error.is_final()).await;
                let gone = error.refusal().is_some_and(|refusal| refusal.is_missing("customer"));
                match &begun.customer {
                    Customer::Known(id) if gone => {
                        app.postgres.forget_customer(user, id, app.clock.now()).await?;
                    }
                    _ => return Err(error.into()),
                }
            }
        }
    }
    Err(Refusal::AlreadySubscribed { status: "active".to_owned() }.into())
}

/// Everything there is to ask of Stripe. Each step may be repeated.
async fn ask(
    app: &App,
    user: &UserId,
    begun: &ClaimedCheckout,
) -> Result<(String, Snapshot), Failure> {
    let customer = match &begun.customer {
        Customer::Known(id) => id.clone(),
        Customer::New { stripe_key, email } => {
            let request = requests::create_customer(user, email.as_deref());
            let made = app
                .stripe
                .send_idempotent(&request, stripe_key)
                .await
                .map_err(Failure::Customer)?;
            requests::id(&made)?.to_owned()
        }
    };
    if let Some(unfinished) = &begun.unfinished {
        let request = requests::create_session(user, &customer, &unfinished.terms);
        match app.stripe.send_idempotent(&request, &unfinished.stripe_key).await {
            Ok(session) => close(app, requests::id(&session)?).await?,
            // Either it was never made, or nobody can learn what it is: it was shown to nobody.
            Err(error) if error.is_final() => {}
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(open) = &begun.open_session {
        close(app, open).await?;
    }
    let request = requests::create_session(user, &customer, &begun.terms);
    let session = app.stripe.send_idempotent(&request, &begun.stripe_key).await?;
    Ok((customer, session))
}

/// Makes sure that nobody can pay in a session any more. If somebody has, that counts.
async fn close(app: &App, session: &str) -> Result<(), Failure> {
    // Without a key: only what is open can be closed, and a failure must not be replayed for a day.
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
                // The webhook will bring it; that it was paid is certain.
                tracing::warn!(problem = error_chain(&error), "a paid session is not applied yet");
            }
            Err(Failure::Paid)
        }
        _ => Err(error.into()),
    }
}

async fn finish(
    app: &App,
    begun: &ClaimedCheckout,
    customer: &str,
    session: &Snapshot,
) -> Result<Value> {
    let (Some(id), Some(url)) = (session.text("id"), session.text("url")) else {
        return Err(Error::internal("a session without an id or a page"));
    };
    let answer = json!({ "sessionId": id, "url": url });
    let made = json!({
        "id": id,
        "url": url,
        "currency": session.text("currency"),
        "amount_total": session.integer("amount_total"),
        "expires_at": session.integer("expires_at"),
        "created": session.integer("created"),
    });
    let now = app.clock.now();
    match app.postgres.finish_checkout(begun.request, customer, &made, &answer, now).await {
        Ok(true) => Ok(answer),
        // Somebody took over from us, and has closed this session or keeps it as theirs.
        Ok(false) => Err(Error::request_in_progress()),
        Err(error) => {
            let error = Error::from(error);
            if error.code == ErrorCode::AccountErased {
                // Nobody is left to pay: what was made for them goes as well.
                forget_at_stripe(app, &[id.to_owned()], &[customer.to_owned()]).await?;
            }
            Err(error)
        }
    }
}

/// Leaves nothing at Stripe that somebody could go on paying. May be repeated.
pub async fn forget_at_stripe(
    app: &App,
    sessions: &[String],
    customers: &[String],
) -> Result<(), StripeError> {
    for session in sessions {
        match app.stripe.send(&requests::expire_session(session)).await {
            // It is over, or it was paid: what was bought ends with its customer.
            Err(error) if error.is_invalid_request() => {}
            closed => drop(closed?),
        }
    }
    for customer in customers {
        match app.stripe.send(&requests::delete_customer(customer)).await {
            Err(error) if error.refusal().is_some_and(|refusal| refusal.is_missing("id")) => {}
            deleted => drop(deleted?),
        }
    }
    Ok(())
}

/// Gives the request up. If that fails too its lease runs out by itself.
pub async fn release(app: &App, request: i64, is_final: bool) {
    release_lease(
        app,
        request,
        if is_final { ReleaseScope::Request } else { ReleaseScope::Nothing },
    )
    .await;
}

async fn release_lease(app: &App, request: i64, forget: ReleaseScope) {
    let now = app.clock.now();
    if let Err(error) = app.postgres.release_stripe_request(request, forget, now).await {
        tracing::warn!(
            problem = error_chain(&error),
            "a request to Stripe stays leased for a while"
        );
    }
}
