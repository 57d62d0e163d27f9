//! Changing a subscription: from what a user wants of it to what Stripe is asked.
//!
//! Up is paid for now, and only counts once it is paid; down waits until what was paid is used up.
//! What to do is decided in one SQL call under the user's lock and written down with its key, so that a
//! retry does the same thing again, and not another.

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::timeout;

use crate::adapters::postgres::{BegunChange, Change, Steps, StoreError, Told, Way, Wish};
use crate::adapters::stripe::{Snapshot, StripeError, requests};
use crate::app::App;
use crate::billing::checkout::{STRIPE_TIME, release};
use crate::billing::fulfilment;
use crate::domain::error::{ApiError, ApiResult, Particulars};
use crate::domain::facts::Facts;
use crate::domain::object::{Object, flag, integer, link, list, text};
use crate::domain::{Interval, UserId};
use crate::http::Once;

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
    wish: &Wish,
    once: Option<&Once>,
) -> ApiResult<Value> {
    let now = app.clock.now();
    let begun = app.store.begin_subscription_change(user, wish, once, now).await;
    let BegunChange { request, stripe_key, steps } = match begun.map_err(not_allowed)? {
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
        && steps.way == Way::Upgrade
        && changed.object["pending_update"].is_object()
        && let Some(told) = told
    {
        release(app, request, true).await;
        fulfilment::hear(app, told).await?;
        return Err(unpaid(app, &changed.object).await);
    }
    let schedule = outcome.schedule.as_deref();
    let store = &app.store;
    let finished = store.finish_subscription_change(request, told.as_ref(), schedule, now).await?;
    let finished = finished.ok_or_else(ApiError::under_way)?;
    if let Some(entitlement) = &finished.entitlement {
        fulfilment::show_if_possible(app, entitlement, now).await;
    }
    Ok(finished.answer)
}

fn told(subscription: &Snapshot, now: Timestamp) -> ApiResult<Told<'static>> {
    let facts = Facts::of_subscription(&subscription.object).map_err(ApiError::internal)?;
    Ok(Told::by_asking(facts, subscription, now))
}

async fn ask(app: &App, steps: &Steps, key: &str) -> Result<Outcome, StripeError> {
    let post = |name: &'static str, request| {
        let key = format!("{key}-{name}");
        async move { app.stripe.post(&request, &key).await }
    };
    let id = steps.subscription.as_str();
    let reason = steps.reason.as_deref();
    let item = steps.item.as_deref().unwrap_or_default();
    let price = steps.price.as_deref().unwrap_or_default();
    let quantity = steps.quantity.unwrap_or(1);
    if let Some(schedule) = &steps.schedule
        && !matches!(steps.way, Way::CancelNow | Way::Downgrade)
    {
        match post("release", requests::release_schedule(schedule)).await {
            // It has been released or is done, and we have not heard of it.
            Err(error) if error.is_impossible() => {}
            released => drop(released?),
        }
    }
    let subscription = match steps.way {
        Way::Upgrade if steps.is_pending == Some(true) => {
            match pending_upgrade(app, steps, key).await? {
                Some(same) => same,
                None => post("upgrade", requests::upgrade(id, item, price, quantity)).await?,
            }
        }
        Way::Upgrade => post("upgrade", requests::upgrade(id, item, price, quantity)).await?,
        Way::Replace => post("replace", requests::replace(id, item, price, quantity)).await?,
        Way::CancelLater => post("cancel", requests::cancel_later(id, reason)).await?,
        Way::Keep if steps.cancels_on_a_date => {
            post("keep", requests::keep_beyond_date(id)).await?
        }
        Way::Keep => post("keep", requests::keep(id)).await?,
        Way::Unpause => post("unpause", requests::unpause(id)).await?,
        Way::CancelNow => cancel_now(app, id, reason).await?,
        Way::Downgrade => return plan_ahead(app, steps, key).await,
    };
    if !subscription.replayed {
        return Ok(Outcome { subscription: Some(subscription), schedule: None });
    }
    // What a key was answered before is no news: since then it may have been paid, or canceled.
    let now = app.stripe.ask(&requests::retrieve_subscription(id)).await?;
    Ok(Outcome { subscription: Some(now), schedule: None })
}

/// Only a POST has a key: the first of two attempts may have done it.
async fn cancel_now(
    app: &App,
    subscription: &str,
    reason: Option<&str>,
) -> Result<Snapshot, StripeError> {
    match app.stripe.ask(&requests::cancel_now(subscription, reason)).await {
        Err(error) if error.refusal().is_some_and(|refusal| refusal.is_missing("id")) => {
            app.stripe.ask(&requests::retrieve_subscription(subscription)).await
        }
        canceled => canceled,
    }
}

/// An upgrade that waits for its payment is owed once: the same wish is answered with the same invoice,
/// and another wish takes its place, once nobody can pay that invoice any more.
async fn pending_upgrade(
    app: &App,
    steps: &Steps,
    key: &str,
) -> Result<Option<Snapshot>, StripeError> {
    let now = app.stripe.ask(&requests::retrieve_subscription(&steps.subscription)).await?;
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
        match app.stripe.post(&requests::void_invoice(invoice), &format!("{key}-void")).await {
            // It is paid or void already.
            Err(error) if error.is_impossible() => {}
            voided => drop(voided?),
        }
    }
    Ok(None)
}

/// Leaves the change to Stripe, which will make it when the period ends, whatever becomes of us.
async fn plan_ahead(app: &App, steps: &Steps, key: &str) -> Result<Outcome, StripeError> {
    let schedule = match &steps.schedule {
        Some(schedule) => app.stripe.ask(&requests::retrieve_schedule(schedule)).await?,
        None => {
            let request = requests::create_schedule(&steps.subscription);
            app.stripe.post(&request, &format!("{key}-schedule")).await?
        }
    };
    let id = schedule.id()?;
    let since = integer(&schedule.object["current_phase"], "start_date");
    let phases = list(&schedule.object, "phases");
    let running = phases.iter().find(|phase| integer(phase, "start_date") == since);
    let running = running.ok_or_else(|| StripeError::lacks("current_phase"))?;
    // What is paid for now is Stripe's to say. If that is not what we thought, neither is this less.
    let prices = list(running, "items").iter().map(|item| link(item, "price"));
    let current = steps.current_price.as_deref().unwrap_or_default();
    if !prices.flatten().any(|price| price == current) {
        return Err(StripeError::Outdated);
    }
    let request = requests::plan_ahead(
        id,
        running,
        (current, steps.price.as_deref().unwrap_or_default()),
        steps.quantity.unwrap_or(1),
        steps.interval.unwrap_or(Interval::Monthly),
    );
    app.stripe.post(&request, &format!("{key}-phases")).await?;
    Ok(Outcome { subscription: None, schedule: Some(id.to_owned()) })
}

/// An upgrade that waits for its payment: why, and where to pay.
async fn unpaid(app: &App, subscription: &Object) -> ApiError {
    let invoice = &subscription["latest_invoice"];
    let payments = list(invoice, "payments");
    let payment = payments.iter().find(|payment| flag(payment, "is_default"));
    let payment = payment.or(payments.first()).unwrap_or(&Value::Null);
    let intent = match link(&payment["payment"], "payment_intent") {
        Some(id) => app.stripe.ask(&requests::retrieve_payment_intent(id)).await.ok(),
        None => None,
    };
    let intent = intent.map(|intent| intent.object).unwrap_or_default();
    let mut error = if text(&intent, "status") == Some("requires_action") {
        ApiError::payment_required(
            "payment_confirmation_required",
            "Your bank wants you to confirm this payment. Until you do, your plan stays as it is.",
        )
    } else {
        let reason = text(&intent["last_payment_error"], "message");
        let reason = reason.unwrap_or("The payment did not go through.");
        ApiError::payment_required(
            "payment_failed",
            format!("{reason} Your plan stays as it is; you can pay at paymentUrl."),
        )
    };
    let page = text(invoice, "hosted_invoice_url").map(str::to_owned);
    error.particulars = page.map(|payment_url| Box::new(Particulars::Payment { payment_url }));
    error
}

/// Stripe refused what looked possible from here: most likely the subscription is not what we thought
/// it was. What it is now is applied, and the caller looks again.
async fn explain(app: &App, steps: &Steps, error: StripeError) -> ApiError {
    if !error.is_impossible() {
        return error.into();
    }
    let request = requests::retrieve_subscription(&steps.subscription);
    if let Ok(found) = app.stripe.ask(&request).await {
        let heard = match told(&found, app.clock.now()) {
            Ok(told) => fulfilment::hear(app, told).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(unheard) = heard {
            return unheard;
        }
    }
    ApiError::conflict(
        "subscription_changed",
        "Stripe refused this change: the subscription is not what it was. Look at it again.",
    )
    .because(error)
}

fn not_allowed(error: StoreError) -> ApiError {
    error.not_allowed().map(reason).unwrap_or_else(|| error.into())
}

/// Why a wish cannot come true, and what to do instead.
fn reason(why: &str) -> ApiError {
    let (why, status) = why.split_once(' ').unwrap_or((why, ""));
    match why {
        "no_subscription" => ApiError::conflict(
            "no_subscription",
            "There is no subscription to change. Begin one with \
             POST /api/stripe/create-checkout-session.",
        ),
        "nothing_to_resume" => ApiError::conflict(
            "nothing_to_resume",
            "The subscription is neither paused, nor canceled, nor about to change.",
        ),
        "not_in_good_standing" => ApiError::conflict(
            "not_in_good_standing",
            format!(
                "The subscription is {status}: its payment has to be put right first, in the \
                 customer portal."
            ),
        ),
        "cancellation_pending" => ApiError::conflict(
            "cancellation_pending",
            "The subscription is going to end. Resume it first, with action resume.",
        ),
        "change_planned" => ApiError::conflict(
            "change_planned",
            "A change is planned for the end of the period. Take it back first, with action resume.",
        ),
        "unknown_plan" => {
            ApiError::invalid("tier", "is not a plan that is sold; to pay nothing, cancel")
        }
        "unknown_interval" => ApiError::invalid("interval", "is not sold for this plan"),
        "unknown_currency" => {
            ApiError::invalid("tier", "is not sold in the currency of this subscription")
        }
        "too_many" => ApiError::invalid("quantity", "costs more than Stripe takes at once"),
        "no_seats" => ApiError::invalid("quantity", "must be 1: this plan has no seats"),
        _ => ApiError::internal(format!("an unknown refusal: {why}")),
    }
}
