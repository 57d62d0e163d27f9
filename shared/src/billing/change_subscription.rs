//! Changes of a subscription: upgrade, downgrade, cancel, resume.
//!
//! An upgrade is paid for now, and counts once it is paid. A downgrade waits for the end of the paid
//! period. One SQL call decides what to do, under the user's lock, and stores it with its key, so that a
//! retry sends the same requests.

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::timeout;

use crate::adapters::postgres::{
    Change, ChangeKind, ChangePlan, ChangeRequest, ClaimedChange, PostgresError,
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

/// Stripe's last answer.
struct StripeAnswer {
    /// The subscription now; none for a scheduled change, which leaves it as it was.
    subscription: Option<Snapshot>,
    schedule: Option<String>,
}

/// Answers the subscription as `GET /api/subscription` does, in SQL's names.
pub async fn change(
    app: &App,
    user: &UserId,
    request: &ChangeRequest,
    idempotency_key: Option<&IdempotencyKey>,
) -> Result<Value> {
    let now = app.clock.now();
    let change = app.postgres.begin_subscription_change(user, request, idempotency_key, now).await;
    let ClaimedChange { request, stripe_key, plan } = match change.map_err(refused)? {
        Change::Answer(answer) | Change::Unchanged(answer) => return Ok(answer),
        Change::Claimed(claimed) => claimed,
    };
    let sent = timeout(STRIPE_TIME, send_requests(app, &plan, &stripe_key)).await;
    let answer = match sent.unwrap_or_else(|elapsed| Err(StripeError::may_have_run(elapsed))) {
        Ok(answer) => answer,
        Err(error) => {
            release(app, request, error.is_final()).await;
            return Err(explain(app, &plan, error).await);
        }
    };
    let now = app.clock.now();
    let observation = answer.subscription.as_ref().map(|it| observe(it, now)).transpose()?;
    if let Some(changed) = &answer.subscription
        && plan.kind == ChangeKind::Upgrade
        && changed.object["pending_update"].is_object()
        && let Some(observation) = observation
    {
        release(app, request, true).await;
        fulfilment::apply(app, observation).await?;
        return Err(unpaid(app, &changed.object).await);
    }
    let schedule = answer.schedule.as_deref();
    let finished = app
        .postgres
        .finish_subscription_change(request, observation.as_ref(), schedule, now)
        .await?
        .ok_or_else(Error::request_in_progress)?;
    if let Some(entitlement) = &finished.entitlement {
        fulfilment::push_best_effort(app, entitlement, now).await;
    }
    Ok(finished.answer)
}

fn observe(subscription: &Snapshot, now: Timestamp) -> Result<Observation<'static>> {
    let facts = Facts::of_subscription(&subscription.object).map_err(Error::internal)?;
    Ok(Observation::from_response(facts, subscription, now))
}

/// Makes the planned change at Stripe. Each request may be repeated.
async fn send_requests(
    app: &App,
    plan: &ChangePlan,
    key: &str,
) -> Result<StripeAnswer, StripeError> {
    release_schedule(app, plan, key).await?;
    let post = |name: &'static str, request| {
        let key = format!("{key}-{name}");
        async move { app.stripe.send_idempotent(&request, &key).await }
    };
    let id = plan.subscription.as_str();
    let reason = plan.reason.as_deref();
    let item = plan.item.as_deref().unwrap_or_default();
    let price = plan.price.as_deref().unwrap_or_default();
    let quantity = plan.quantity.unwrap_or(1);
    let subscription = match plan.kind {
        ChangeKind::Upgrade => {
            let pending = match plan.is_pending {
                Some(true) => pending_upgrade(app, plan, key).await?,
                _ => None,
            };
            match pending {
                Some(same) => same,
                None => post("upgrade", requests::upgrade(id, item, price, quantity)).await?,
            }
        }
        ChangeKind::SwapPrice => {
            post("replace", requests::replace(id, item, price, quantity)).await?
        }
        ChangeKind::CancelLater => post("cancel", requests::cancel_later(id, reason)).await?,
        ChangeKind::UndoCancellation if plan.cancels_on_a_date => {
            post("keep", requests::clear_cancel_at(id)).await?
        }
        ChangeKind::UndoCancellation => post("keep", requests::undo_cancellation(id)).await?,
        ChangeKind::Unpause => post("unpause", requests::unpause(id)).await?,
        ChangeKind::CancelNow => cancel_now(app, id, reason).await?,
        ChangeKind::Downgrade => return schedule_change(app, plan, key).await,
    };
    if !subscription.replayed {
        return Ok(StripeAnswer { subscription: Some(subscription), schedule: None });
    }
    // A replayed answer is old: since then the subscription may have been paid, or canceled.
    let now = app.stripe.send(&requests::retrieve_subscription(id)).await?;
    Ok(StripeAnswer { subscription: Some(now), schedule: None })
}

/// Releases the schedule of a change that was planned before. A downgrade changes the schedule instead,
/// and a cancellation now ends it.
async fn release_schedule(app: &App, plan: &ChangePlan, key: &str) -> Result<(), StripeError> {
    let Some(schedule) = &plan.schedule else { return Ok(()) };
    if matches!(plan.kind, ChangeKind::CancelNow | ChangeKind::Downgrade) {
        return Ok(());
    }
    let request = requests::release_schedule(schedule);
    match app.stripe.send_idempotent(&request, &format!("{key}-release")).await {
        // It was released or completed before, and no event has said so yet.
        Err(error) if error.is_invalid_request() => Ok(()),
        released => released.map(drop),
    }
}

/// Cancels a subscription. A DELETE has no key: an attempt before may have done it.
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

/// Answers the subscription if the same upgrade waits for its payment already. The invoice of another
/// upgrade is voided, so that the user owes one upgrade at a time.
async fn pending_upgrade(
    app: &App,
    plan: &ChangePlan,
    key: &str,
) -> Result<Option<Snapshot>, StripeError> {
    let now = app.stripe.send(&requests::retrieve_subscription(&plan.subscription)).await?;
    let pending = &now.object["pending_update"];
    if !pending.is_object() {
        return Ok(None);
    }
    let items = list(pending, "subscription_items");
    let same = items.iter().find(|item| text(item, "id") == plan.item.as_deref());
    let item = same.or(items.first()).unwrap_or(&Value::Null);
    let quantity = integer(item, "quantity").and_then(|it| u64::try_from(it).ok());
    if link(item, "price") == plan.price.as_deref() && quantity == plan.quantity {
        return Ok(Some(now));
    }
    if let Some(invoice) = link(&now.object, "latest_invoice") {
        match app
            .stripe
            .send_idempotent(&requests::void_invoice(invoice), &format!("{key}-void"))
            .await
        {
            // It was paid or voided before.
            Err(error) if error.is_invalid_request() => {}
            voided => drop(voided?),
        }
    }
    Ok(None)
}

/// Schedules the change at Stripe, which makes it when the period ends.
async fn schedule_change(
    app: &App,
    plan: &ChangePlan,
    key: &str,
) -> Result<StripeAnswer, StripeError> {
    let schedule = match &plan.schedule {
        Some(schedule) => app.stripe.send(&requests::retrieve_schedule(schedule)).await?,
        None => {
            let request = requests::create_schedule(&plan.subscription);
            app.stripe.send_idempotent(&request, &format!("{key}-schedule")).await?
        }
    };
    let id = requests::id(&schedule)?;
    let since = integer(&schedule.object["current_phase"], "start_date");
    let phases = list(&schedule.object, "phases");
    let running = phases.iter().find(|phase| integer(phase, "start_date") == since);
    let running = running.ok_or_else(|| StripeError::lacks("current_phase"))?;
    // Stripe knows the current price. If it is another one, the change may be no downgrade.
    let prices = list(running, "items").iter().map(|item| link(item, "price"));
    let current = plan.current_price.as_deref().unwrap_or_default();
    if !prices.flatten().any(|price| price == current) {
        return Err(StripeError::StateChanged);
    }
    let request = requests::schedule_change(
        id,
        running,
        (current, plan.price.as_deref().unwrap_or_default()),
        plan.quantity.unwrap_or(1),
        plan.interval.unwrap_or(BillingInterval::Monthly),
    );
    app.stripe.send_idempotent(&request, &format!("{key}-phases")).await?;
    Ok(StripeAnswer { subscription: None, schedule: Some(id.to_owned()) })
}

/// The error of an upgrade that waits for its payment, with the page where to pay.
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

/// Turns Stripe's refusal into an error. Most likely the subscription has changed since Farebox last
/// observed it, so its present state is fetched and applied.
async fn explain(app: &App, plan: &ChangePlan, error: StripeError) -> Error {
    if !error.is_invalid_request() {
        return error.into();
    }
    let request = requests::retrieve_subscription(&plan.subscription);
    if let Ok(found) = app.stripe.send(&request).await {
        let applied = match observe(&found, app.clock.now()) {
            Ok(observation) => fulfilment::apply(app, observation).await.map(drop),
            Err(unreadable) => Err(unreadable),
        };
        if let Err(apply_error) = applied {
            return apply_error;
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
