//! Selling: from what a user wants to a page of Stripe's where they pay for it.
//!
//! Everything that Stripe is asked to make is written down first, with the key it is asked under. So
//! whoever comes back after a crash, with the same idempotency key or without one, finds what was
//! begun and goes on with it: one customer, one open subscription session, however often it broke.

use serde_json::{Value, json};

use crate::app::App;
use crate::domain::UserId;
use crate::error::{ApiError, ApiResult, chain};
use crate::fulfilment;
use crate::http::Once;
use crate::store::{BegunCheckout, Checkout, Customer, Purchase, StoreError};
use crate::stripe::object::Snapshot;
use crate::stripe::{StripeError, requests};

/// How it ended, short of a session.
#[derive(Debug)]
enum Failure {
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
    once: Option<&Once>,
) -> ApiResult<Value> {
    // Twice, for a customer that has been deleted at Stripe.
    for _ in 0..2 {
        let begun = app.store.begin_checkout(user, purchase, once, app.clock.now()).await;
        let begun = match begun.map_err(not_allowed)? {
            Checkout::Answer(answer) => return Ok(answer),
            Checkout::Begun(begun) => begun,
        };
        match ask(app, user, &begun).await {
            Ok((customer, session)) => return finish(app, &begun, &customer, &session).await,
            Err(Failure::Paid) => {
                release(app, begun.request, true).await;
                return Err(explain("already_subscribed"));
            }
            Err(Failure::Stripe(error)) => {
                release(app, begun.request, error.is_final()).await;
                let gone = error.refusal().is_some_and(|refusal| refusal.is_missing("customer"));
                match &begun.customer {
                    Customer::Known(id) if gone => {
                        app.store.forget_customer(user, id, app.clock.now()).await?;
                    }
                    _ => return Err(error.into()),
                }
            }
        }
    }
    Err(ApiError::internal("a customer that Stripe made and does not know"))
}

/// Everything there is to ask of Stripe. Each step may be repeated.
async fn ask(
    app: &App,
    user: &UserId,
    begun: &BegunCheckout,
) -> Result<(String, Snapshot), Failure> {
    let customer = match &begun.customer {
        Customer::Known(id) => id.clone(),
        Customer::New { stripe_key, email } => {
            let request = requests::create_customer(user, email.as_deref());
            id(&app.stripe.post(&request, stripe_key).await?)?
        }
    };
    let tax = app.config.stripe.automatic_tax;
    for unfinished in &begun.unfinished {
        let request = requests::create_session(user, &customer, &unfinished.terms, tax);
        // Only what exists must be closed: if Stripe refuses to make it, it does not.
        match app.stripe.post(&request, &unfinished.stripe_key).await {
            Ok(session) => close(app, &id(&session)?).await?,
            Err(error) if error.is_final() => {}
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(open) = &begun.open_session {
        close(app, open).await?;
    }
    let request = requests::create_session(user, &customer, &begun.terms, tax);
    let session = app.stripe.post(&request, &begun.stripe_key).await?;
    Ok((customer, session))
}

fn id(made: &Snapshot) -> Result<String, StripeError> {
    made.text("id").map(str::to_owned).ok_or_else(|| StripeError::lacks("id"))
}

/// Makes sure that nobody can pay in a session any more. If somebody has, that counts.
async fn close(app: &App, session: &str) -> Result<(), Failure> {
    let key = format!("expire-{session}");
    match app.stripe.post(&requests::expire_session(session), &key).await {
        Ok(_) => return Ok(()),
        Err(error) if error.is_final() => {}
        Err(error) => return Err(error.into()),
    }
    // It is not open: either it is over, or it was paid and we have not heard of it yet.
    let session = app.stripe.ask(&requests::retrieve_session(session)).await?;
    if session.text("status") != Some("complete") {
        return Ok(());
    }
    if let Err(error) = fulfilment::hear_session(app, &session).await {
        // The webhook will bring it; that it was paid is certain.
        tracing::warn!(problem = chain(&error), "a paid session is not applied yet");
    }
    Err(Failure::Paid)
}

async fn finish(
    app: &App,
    begun: &BegunCheckout,
    customer: &str,
    session: &Snapshot,
) -> ApiResult<Value> {
    let (Some(id), Some(url)) = (session.text("id"), session.text("url")) else {
        return Err(ApiError::internal("a session without an id or a page"));
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
    if app.store.finish_checkout(begun.request, customer, &made, &answer, now).await? {
        return Ok(answer);
    }
    // Somebody took over from us, and has closed this session or keeps it as theirs.
    Err(ApiError::under_way())
}

/// Gives the request up. If that fails too its lease runs out by itself.
pub async fn release(app: &App, request: i64, forget: bool) {
    let now = app.clock.now();
    if let Err(error) = app.store.release_stripe_request(request, forget, now).await {
        tracing::warn!(problem = chain(&error), "a request to Stripe stays leased for a while");
    }
}

fn not_allowed(error: StoreError) -> ApiError {
    error.not_allowed().map(explain).unwrap_or_else(|| error.into())
}

/// Why a user may not buy, and what to do instead.
fn explain(why: &str) -> ApiError {
    let (why, status) = why.split_once(' ').unwrap_or((why, ""));
    match (why, status) {
        ("already_subscribed", "past_due" | "unpaid" | "incomplete") => ApiError::conflict(
            "already_subscribed",
            "There is a subscription whose payment is missing. Pay it in the customer portal \
             (POST /api/stripe/create-portal-session), or cancel it with PATCH /api/subscription.",
        ),
        ("already_subscribed", "paused") => ApiError::conflict(
            "already_subscribed",
            "There is a paused subscription. Resume it with PATCH /api/subscription.",
        ),
        ("already_subscribed", _) => ApiError::conflict(
            "already_subscribed",
            "There is a subscription already. Change it with PATCH /api/subscription.",
        ),
        ("unknown_plan", _) => ApiError::invalid("tier", "is not a plan that is sold"),
        ("unknown_interval", _) => ApiError::invalid("interval", "is not sold for this plan"),
        ("unknown_pack", _) => ApiError::invalid("pack", "is not a pack that is sold"),
        ("unknown_currency", _) => ApiError::invalid("currency", "is not one it is sold in"),
        ("no_seats", _) => ApiError::invalid("quantity", "must be 1: this plan has no seats"),
        _ => ApiError::internal(format!("an unknown refusal: {why}")),
    }
}
