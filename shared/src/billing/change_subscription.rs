//! Changes subscriptions: upgrade, downgrade, cancel, resume.
//!
//! An upgrade is invoiced now, and takes effect when it is paid. A downgrade takes effect at the
//! end of the paid period. One SQL call decides on the change under the account's lock, and stores
//! it with its idempotency key, so that a retry sends the same requests.

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
use crate::billing::preview_subscription::{check_price, has_target};
use crate::billing::suggestions::{self, Named};
use crate::domain::error::{Error, ErrorCode, ProblemExtension, Result};
use crate::domain::facts::Facts;
use crate::domain::object::{Object, flag, integer, link, list, text};
use crate::domain::{
    BillingInterval, CatalogKey, IdempotencyKey, InvalidReason, Observation, Refusal, Snapshot,
    UserId,
};

/// The result of a change at Stripe.
struct StripeAnswer {
    /// The subscription now; none for a scheduled change, which does not change it yet.
    subscription: Option<Snapshot>,
    schedule: Option<String>,
}

/// Makes a change, and returns the subscription as `GET /api/subscription` does, with SQL's field
/// names.
pub async fn change(
    app: &App,
    user: &UserId,
    request: &ChangeRequest,
    idempotency_key: Option<&IdempotencyKey>,
) -> Result<Value> {
    let now = app.clock.now();
    let change = app.postgres.begin_subscription_change(user, request, idempotency_key, now).await;
    let ClaimedChange { request, stripe_key, plan } = match change {
        Ok(Change::Answer(answer) | Change::Unchanged(answer)) => return Ok(answer),
        Ok(Change::Claimed(claimed)) => claimed,
        Err(error) => return Err(refused(app, request, error).await),
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

/// Makes the stored change at Stripe. Each request may be repeated.
async fn send_requests(
    app: &App,
    plan: &ChangePlan,
    key: &str,
) -> Result<StripeAnswer, StripeError> {
    release_schedule(app, plan, key).await?;
    let send = |name: &'static str, request| {
        let key = format!("{key}-{name}");
        async move { app.stripe.send_idempotent(&request, &key).await }
    };
    let (id, item, price, quantity) = plan.target();
    let reason = plan.reason.as_deref();
    let subscription = match plan.kind {
        ChangeKind::Upgrade => {
            if let Some(preview) = &plan.preview {
                check_price(app, plan, preview).await?;
            }
            let date = plan.preview.map(|preview| preview.proration_date);
            let pending = match plan.is_pending {
                Some(true) => pending_upgrade(app, plan, key).await?,
                _ => None,
            };
            match pending {
                Some(same) => same,
                None => send("upgrade", requests::upgrade(id, item, price, quantity, date)).await?,
            }
        }
        ChangeKind::SwapPrice => {
            send("replace", requests::replace(id, item, price, quantity)).await?
        }
        ChangeKind::CancelLater => send("cancel", requests::cancel_later(id, reason)).await?,
        ChangeKind::UndoCancellation if plan.cancels_on_a_date => {
            send("keep", requests::clear_cancel_at(id)).await?
        }
        ChangeKind::UndoCancellation => send("keep", requests::undo_cancellation(id)).await?,
        ChangeKind::Unpause => send("unpause", requests::unpause(id)).await?,
        ChangeKind::CancelNow => cancel_now(app, id, reason).await?,
        ChangeKind::Downgrade => return schedule_change(app, plan, key).await,
    };
    if !subscription.replayed {
        return Ok(StripeAnswer { subscription: Some(subscription), schedule: None });
    }
    // A replayed answer is old: the subscription may have been paid or canceled since.
    let now = app.stripe.send(&requests::retrieve_subscription(id)).await?;
    Ok(StripeAnswer { subscription: Some(now), schedule: None })
}

/// Releases the schedule of an earlier scheduled change. A downgrade updates the schedule instead,
/// and an immediate cancellation ends it.
async fn release_schedule(app: &App, plan: &ChangePlan, key: &str) -> Result<(), StripeError> {
    let Some(schedule) = &plan.schedule else { return Ok(()) };
    if matches!(plan.kind, ChangeKind::CancelNow | ChangeKind::Downgrade) {
        return Ok(());
    }
    let request = requests::release_schedule(schedule);
    match app.stripe.send_idempotent(&request, &format!("{key}-release")).await {
        // The schedule was already released or completed, and its event has not arrived yet.
        Err(error) if error.is_invalid_request() => Ok(()),
        released => released.map(drop),
    }
}

/// Cancels a subscription. A DELETE has no idempotency key, so an earlier attempt may have canceled
/// it.
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

/// Returns the subscription if the same upgrade already waits for its payment. Voids the invoice of
/// a different pending upgrade, so that the user owes one upgrade at a time.
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
    if has_target(list(pending, "subscription_items"), plan) {
        return Ok(Some(now));
    }
    if let Some(invoice) = link(&now.object, "latest_invoice") {
        match app
            .stripe
            .send_idempotent(&requests::void_invoice(invoice), &format!("{key}-void"))
            .await
        {
            // The invoice was already paid or voided.
            Err(error) if error.is_invalid_request() => {}
            voided => drop(voided?),
        }
    }
    Ok(None)
}

/// Schedules the change at Stripe for the end of the period.
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
    // If Stripe has another current price, the change may not be a downgrade.
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

/// Returns the error of an upgrade that waits for its payment, with the URL of the payment page.
pub(super) async fn unpaid(app: &App, subscription: &Object) -> Error {
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
            "Your bank requires you to confirm this payment. Your plan does not change until you do.",
        )
    } else {
        let reason = text(&intent["last_payment_error"], "message");
        let reason = reason.unwrap_or("The payment did not go through.");
        Error::new(
            ErrorCode::PaymentFailed,
            format!("{reason} Your plan has not changed. To change it, pay at paymentUrl."),
        )
    };
    let page = text(invoice, "hosted_invoice_url").map(str::to_owned);
    error.extension = page.map(|payment_url| Box::new(ProblemExtension::Payment { payment_url }));
    error
}

/// Converts Stripe's refusal into an error. The subscription has probably changed since Farebox
/// last observed it, so its current state is retrieved and applied.
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
        // Stripe resumes only its own status `paused`. Collection is paused and resumed by hand.
        if plan.kind == ChangeKind::Unpause && found.object["pause_collection"].is_object() {
            let message = "The operator has paused this subscription at Stripe. Only the operator \
                           can resume it: please contact support.";
            return Error::new(ErrorCode::PausedByOperator, message).with_cause(error);
        }
    }
    match plan.preview {
        Some(_) => Error::preview_outdated().with_cause(error),
        None => Error::subscription_changed().with_cause(error),
    }
}

/// Converts a refusal. A change keeps the subscription's currency. A preview no longer holds if its
/// change would now be refused.
pub(super) async fn refused(app: &App, request: &ChangeRequest, error: PostgresError) -> Error {
    if matches!(request, ChangeRequest::Confirm { .. })
        && let Some(
            Refusal::CancellationPending
            | Refusal::ChangePlanned
            | Refusal::InvalidInput(_)
            | Refusal::NoSubscription
            | Refusal::NotInGoodStanding { .. },
        ) = error.refusal()
    {
        return Error::preview_outdated().with_cause(error);
    }
    if let Some(Refusal::InvalidInput(InvalidReason::UnknownCurrency)) = error.refusal() {
        return Error::invalid("tier", "is not sold in the currency of this subscription");
    }
    let ChangeRequest::Change { plan, interval, .. } = request else { return error.into() };
    let named = Named {
        plan: plan.as_ref().map(CatalogKey::as_str),
        interval: interval.map(BillingInterval::as_str),
        ..Named::default()
    };
    suggestions::explain(app, error, named).await
}
