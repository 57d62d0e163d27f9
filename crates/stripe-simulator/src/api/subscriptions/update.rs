//! `POST /v1/subscriptions/{id}`: reads the requested changes, then applies them.

use serde_json::{Value, json};

use crate::api::params::Params;
use crate::api::subscriptions::{fields, items};
use crate::api::{Call, discounts};
use crate::error::StripeError;
use crate::lifecycle::subscriptions::begin::PaymentBehavior;
use crate::lifecycle::subscriptions::items::ItemChange;
use crate::lifecycle::subscriptions::priced_change::Proration;
use crate::lifecycle::subscriptions::update::{self, SubscriptionUpdate, TrialEnd};
use crate::lifecycle::subscriptions::{self};
use crate::world::{World, text};

pub fn run(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let subscription = world.find("subscription", call.id(), "id")?.clone();
    let wanted = read(world, &call.form, &subscription)?;
    call.form.finish()?;
    if subscriptions::is_over(&subscription) && !wanted.is_about_the_past() {
        let message = format!(
            "A canceled subscription can only update its cancellation_details and metadata: {}",
            call.id()
        );
        return Err(call.form.refuse("id", message));
    }
    update::apply(world, call.id(), wanted)?;
    world.find("subscription", call.id(), "id").cloned()
}

/// `POST /v1/subscription_items/{id}`: updates one item.
pub fn run_for_item(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    change_item(world, call, false)?;
    let changed = subscriptions::items::find(world, call.id());
    changed.cloned().ok_or_else(|| StripeError::missing("subscription_item", call.id(), "id"))
}

pub fn delete_item(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    change_item(world, call, true)?;
    Ok(json!({ "id": call.id(), "object": "subscription_item", "deleted": true }))
}

fn change_item(world: &mut World, call: &Call, deletes: bool) -> Result<(), StripeError> {
    let form = &call.form;
    let item = subscriptions::items::find(world, call.id());
    let item = item.ok_or_else(|| StripeError::missing("subscription_item", call.id(), "id"))?;
    let id = text(item, "subscription").to_owned();
    let subscription = world.find("subscription", &id, "id")?;
    let change = match deletes {
        true => ItemChange::Delete(call.id().to_owned()),
        false => items::read_change(world, form, subscription, call.id(), "id")?,
    };
    let wanted = SubscriptionUpdate {
        fields: json!({}),
        items: Some(vec![change]),
        proration: read_proration(form)?,
        behavior: read_behavior(form)?,
        proration_date: read_proration_date(form, subscription)?,
        restarts: false,
        trial_end: None,
        discounts: None,
    };
    form.ignore(&["off_session"]);
    form.finish()?;
    update::apply(world, &id, wanted)
}

fn read(
    world: &World,
    form: &Params,
    subscription: &Value,
) -> Result<SubscriptionUpdate, StripeError> {
    Ok(SubscriptionUpdate {
        fields: fields::read_changes(world, form, subscription)?,
        items: items::read_changes(world, form, subscription)?,
        proration: read_proration(form)?,
        behavior: read_behavior(form)?,
        proration_date: read_proration_date(form, subscription)?,
        restarts: read_anchor(form)? == Some("now"),
        trial_end: read_trial_end(form)?,
        discounts: discounts::read(world, form)?,
    })
}

pub fn read_proration(form: &Params) -> Result<Proration, StripeError> {
    let words = &["create_prorations", "always_invoice", "none"];
    Ok(match form.choice("proration_behavior", words)? {
        Some("always_invoice") => Proration::AlwaysInvoice,
        Some("none") => Proration::None,
        _ => Proration::Create,
    })
}

/// Reads the time to which a change is prorated. It must be in the current period.
fn read_proration_date(form: &Params, subscription: &Value) -> Result<Option<i64>, StripeError> {
    let date = form.integer("proration_date")?;
    let (start, end) = subscriptions::items::period(subscription);
    match date.filter(|date| !(start..=end).contains(date)) {
        Some(_) => {
            let message = "The `proration_date` must be within the current billing period.";
            Err(form.refuse("proration_date", message.to_owned()))
        }
        None => Ok(date),
    }
}

pub fn read_behavior(form: &Params) -> Result<PaymentBehavior, StripeError> {
    let words =
        &["allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"];
    Ok(match form.choice("payment_behavior", words)? {
        Some("default_incomplete") => PaymentBehavior::DefaultIncomplete,
        Some("error_if_incomplete") => PaymentBehavior::ErrorIfIncomplete,
        Some("pending_if_incomplete") => PaymentBehavior::PendingIfIncomplete,
        _ => PaymentBehavior::AllowIncomplete,
    })
}

/// Reads `billing_cycle_anchor[type]=now`, or older clients' `billing_cycle_anchor=now`.
pub fn read_anchor(form: &Params) -> Result<Option<&'static str>, StripeError> {
    let words = &["now", "unchanged"];
    match form.object("billing_cycle_anchor") {
        Ok(Some(anchor)) => anchor.choice("type", words),
        _ => form.choice("billing_cycle_anchor", words),
    }
}

pub fn read_trial_end(form: &Params) -> Result<Option<TrialEnd>, StripeError> {
    match form.text("trial_end")?.as_deref() {
        None => Ok(None),
        Some("now") => Ok(Some(TrialEnd::Now)),
        Some(_) => form.integer("trial_end").map(|end| end.map(TrialEnd::At)),
    }
}

/// Reads the change that a preview describes in `subscription_details`.
pub fn read_preview(
    world: &World,
    details: &Params,
    subscription: &Value,
) -> Result<SubscriptionUpdate, StripeError> {
    let proration = read_proration(details)?;
    let proration_date = read_proration_date(details, subscription)?;
    if proration == Proration::None && proration_date.is_some() {
        let message = "You cannot pass `proration_date` when `proration_behavior` is `none`.";
        return Err(details.refuse("proration_date", message.to_owned()));
    }
    Ok(SubscriptionUpdate {
        fields: json!({}),
        items: items::read_changes(world, details, subscription)?,
        proration,
        behavior: PaymentBehavior::DefaultIncomplete,
        proration_date,
        restarts: read_anchor(details)? == Some("now"),
        trial_end: read_trial_end(details)?,
        discounts: None,
    })
}
