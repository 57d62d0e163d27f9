//! Changing a subscription: from what a user wants of it to what Stripe is asked.
//!
//! Up is paid for now, and only counts once it is paid; down waits until what was paid is used up.
//! What to do is decided in one SQL call under the user's lock and written down with its key, so that a
//! retry does the same thing again, and not another.

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::timeout;

use crate::adapters::postgres::{
    BegunChange, Change, ChangeKind, ChangePlan, ChangeRequest, PostgresError,
};
use crate::adapters::stripe::{StripeError, requests};
use crate::app::App;
use crate::billing::checkout::{STRIPE_TIME, release};
use crate::billing::fulfilment;
use crate::domain::error::{Error, ErrorCode, ProblemExtension, Result};
use crate::domain::facts::Facts;
use crate::domain::object::{Object, flag, integer, link, list, text};
use crate::domain::{
    BillingInterval, IdempotencyKey, InvalidReason, Observation, Refusal, Snapshot, UserId,
};

/// What Stripe answered in the end.
struct Outcome {
    /// The subscription as it is now; a change planned ahead leaves it as it was.
    subscription: Option<Snapshot>,
    schedule: Option<String>,
}

/// Answers the subscription as `GET /api/subscription` does, in SQL's names.
pub async fn change(
    app: &App,
    user: &UserId,
    wish: &ChangeRequest,
    once: Option<&IdempotencyKey>,
) -> Result<Value> {
    let now = app.clock.now();
    let begun = app.postgres.begin_subscription_change(user, wish, once, now).await;
    let BegunChange { request, stripe_key, steps } = match begun.map_err(refused)? {
        Change::Answer(answer) | Change::Unchanged(answer) => return Ok(answer),
        Change::Begun(begun) => begun,
    };
    let asked = timeout(STRIPE_TIME, ask(app, &steps, &stripe_key)).await;
    let outcome = match asked.unwrap_or_else(|elapsed| Err(StripeError::may_have_run(elapsed))) {
        Ok(outcome) => outcome,
        Err(error) => {
            release(app, request, error.is_final()).await;
            return Err(explain(app, &steps, error).await);
        }
    };
    let now = app.clock.now();
    let told = outcome.subscription.as_ref().map(|it| told(it, now)).transpose()?;
    if let Some(changed) = &outcome.subscription
        && steps.way == ChangeKind::Upgrade
        && changed.object["pending_update"].is_object()
        && let Some(told) = told
    {
        release(app, request, true).await;
        fulfilment::apply(app, told).await?;
        return Err(unpaid(app, &changed.object).await);
    }
    let schedule = outcome.schedule.as_deref();
    let store = &app.postgres;
    let finished = store.finish_subscription_change(request, told.as_ref(), schedule, now).await?;
    let finished = finished.ok_or_else(Error::request_in_progress)?;
    if let Some(entitlement) = &finished.entitlement {
        fulfilment::push_best_effort(app, entitlement, now).await;
    }
    Ok(finished.answer)
}

fn told(subscription: &Snapshot, now: Timestamp) -> Result<Observation<'static>> {
    let facts = Facts::of_subscription(&subscription.object).map_err(Error::internal)?;
    Ok(Observation::from_response(facts, subscription, now))
}

async fn ask(app: &App, steps: &ChangePlan, key: &str) -> Result<Outcome, StripeError> {
    let post = |name: &'static str, request| {
        let key = format!("{key}-{name}");
        async move { app.stripe.send_idempotent(&request, &key).await }
    };
    let id = steps.subscription.as_str();
    let reason = steps.reason.as_deref();
    let item = steps.item.as_deref().unwrap_or_default();
    let price = steps.price.as_deref().unwrap_or_default();
    let quantity = steps.quantity.unwrap_or(1);
    if let Some(schedule) = &steps.schedule
        && !matches!(steps.way, ChangeKind::CancelNow | ChangeKind::Downgrade)
    {
        match post("release", requests::release_schedule(schedule)).await {
            // It has been released or is done, and we have not heard of it.
            Err(error) if error.is_invalid_request() => {}
            released => drop(released?),
        }
    }
    let subscription = match steps.way {
        ChangeKind::Upgrade if steps.is_pending == Some(true) => {
            match pending_upgrade(app, steps, key).await? {
                Some(same) => same,
                None => post("upgrade", requests::upgrade(id, item, price, quantity)).await?,
            }
        }
        ChangeKind::Upgrade => {
            post("upgrade", requests::upgrade(id, item, price, quantity)).await?
        }
        ChangeKind::SwapPrice => {
            post("replace", requests::replace(id, item, price, quantity)).await?
        }
        ChangeKind::CancelLater => post("cancel", requests::cancel_later(id, reason)).await?,
        ChangeKind::UndoCancellation if steps.cancels_on_a_date => {
            post("keep", requests::clear_cancel_at(id)).await?
        }
        ChangeKind::UndoCancellation => post("keep", requests::undo_cancellation(id)).await?,
        ChangeKind::Unpause => post("unpause", requests::unpause(id)).await?,
        ChangeKind::CancelNow => cancel_now(app, id, reason).await?,
        ChangeKind::Downgrade => return schedule_change(app, steps, key).await,
    };
    if !subscription.replayed {
        return Ok(Outcome { subscription: Some(subscription), schedule: None });
    }
    // What a key was answered before is no news: since then it may have been paid, or canceled.
    let now = app.stripe.send(&requests::retrieve_subscription(id)).await?;
    Ok(Outcome { subscription: Some(now), schedule: None })
}

/// Only a POST has a key: the first of two attempts may have done it.
async fn cancel_now(
    app: &App,
    subscription: &str,
    reason: Option<&str>,
) -> Result<Snapshot, StripeError> {
    match app.stripe.send(&requests::cancel_now(subscription, reason)).await {
        Err(error) if error.refusal().is_some_and(|refusal| refusal.is_missing("id")) => {
            app.stripe.send(&requests::retrieve_subscription(subscription)).await
        }
        canceled => canceled,
    }
}

/// An upgrade that waits for its payment is owed once: the same wish is answered with the same invoice,
/// and another wish takes its place, once nobody can pay that invoice any more.
async fn pending_upgrade(
    app: &App,
    steps: &ChangePlan,
    key: &str,
) -> Result<Option<Snapshot>, StripeError> {
    let now = app.stripe.send(&requests::retrieve_subscription(&steps.subscription)).await?;
    let pending = &now.object["pending_update"];
    if !pending.is_object() {
        return Ok(None);
    }
    let items = list(pending, "subscription_items");
    let same = items.iter().find(|item| text(item, "id") == steps.item.as_deref());
    let item = same.or(items.first()).unwrap_or(&Value::Null);
    let quantity = integer(item, "quantity").and_then(|it| u64::try_from(it).ok());
    if link(item, "price") == steps.price.as_deref() && quantity == steps.quantity {
        return Ok(Some(now));
    }
    if let Some(invoice) = link(&now.object, "latest_invoice") {
        match app
            .stripe
            .send_idempotent(&requests::void_invoice(invoice), &format!("{key}-void"))
            .await
        {
            // It is paid or void already.
            Err(error) if error.is_invalid_request() => {}
            voided => drop(voided?),
        }
    }
    Ok(None)
}

/// Leaves the change to Stripe, which will make it when the period ends, whatever becomes of us.
async fn schedule_change(app: &App, steps: &ChangePlan, key: &str) -> Result<Outcome, StripeError> {
    let schedule = match &steps.schedule {
        Some(schedule) => app.stripe.send(&requests::retrieve_schedule(schedule)).await?,
        None => {
            let request = requests::create_schedule(&steps.subscription);
            app.stripe.send_idempotent(&request, &format!("{key}-schedule")).await?
        }
    };
    let id = requests::id(&schedule)?;
    let since = integer(&schedule.object["current_phase"], "start_date");
    let phases = list(&schedule.object, "phases");
    let running = phases.iter().find(|phase| integer(phase, "start_date") == since);
    let running = running.ok_or_else(|| StripeError::lacks("current_phase"))?;
    // What is paid for now is Stripe's to say. If that is not what we thought, neither is this less.
    let prices = list(running, "items").iter().map(|item| link(item, "price"));
    let current = steps.current_price.as_deref().unwrap_or_default();
    if !prices.flatten().any(|price| price == current) {
        return Err(StripeError::StateChanged);
    }
    let request = requests::schedule_change(
        id,
        running,
        (current, steps.price.as_deref().unwrap_or_default()),
        steps.quantity.unwrap_or(1),
        steps.interval.unwrap_or(BillingInterval::Monthly),
    );
    app.stripe.send_idempotent(&request, &format!("{key}-phases")).await?;
    Ok(Outcome { subscription: None, schedule: Some(id.to_owned()) })
}

/// An upgrade that waits for its payment: why, and where to pay.
async fn unpaid(app: &App, subscription: &Object) -> Error {
    let invoice = &subscription["latest_invoice"];
    let payments = list(invoice, "payments");
    let payment = payments.iter().find(|payment| flag(payment, "is_default"));
    let payment = payment.or(payments.first()).unwrap_or(&Value::Null);
    let intent = match link(&payment["payment"], "payment_intent") {
        Some(id) => app.stripe.send(&requests::retrieve_payment_intent(id)).await.ok(),
        None => None,
    };
    let intent = intent.map(|intent| intent.object).unwrap_or_default();
    let mut error = if text(&intent, "status") == Some("requires_action") {
        Error::new(
            ErrorCode::PaymentConfirmationRequired,
            "Your bank wants you to confirm this payment. Until you do, your plan stays as it is.",
        )
    } else {
        let reason = text(&intent["last_payment_error"], "message");
        let reason = reason.unwrap_or("The payment did not go through.");
        Error::new(
            ErrorCode::PaymentFailed,
            format!("{reason} Your plan stays as it is; you can pay at paymentUrl."),
        )
    };
    let page = text(invoice, "hosted_invoice_url").map(str::to_owned);
    error.extension = page.map(|payment_url| Box::new(ProblemExtension::Payment { payment_url }));
    error
}

/// Stripe refused what looked possible from here: most likely the subscription is not what we thought
/// it was. What it is now is applied, and the caller looks again.
async fn explain(app: &App, steps: &ChangePlan, error: StripeError) -> Error {
    if !error.is_invalid_request() {
        return error.into();
    }
    let request = requests::retrieve_subscription(&steps.subscription);
    if let Ok(found) = app.stripe.send(&request).await {
        let tie_breaker = match told(&found, app.clock.now()) {
            Ok(told) => fulfilment::apply(app, told).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(unheard) = tie_breaker {
            return unheard;
        }
    }
    Error::new(
        ErrorCode::SubscriptionChanged,
        "Stripe refused this change: the subscription is not what it was. Look at it again.",
    )
    .with_cause(error)
}

/// A change names its plan by `tier`, and keeps the currency of the subscription.
fn refused(error: PostgresError) -> Error {
    match error.refusal() {
        Some(Refusal::InvalidInput(InvalidReason::UnknownPlan)) => {
            Error::invalid("tier", "is not a plan that is sold; to pay nothing, cancel")
        }
        Some(Refusal::InvalidInput(InvalidReason::UnknownCurrency)) => {
            Error::invalid("tier", "is not sold in the currency of this subscription")
        }
        _ => error.into(),
    }
}
