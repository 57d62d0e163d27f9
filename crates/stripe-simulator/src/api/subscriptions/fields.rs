//! Reads the fields of a subscription that do not affect its price.

use serde_json::{Value, json};

use crate::api::metadata;
use crate::api::params::Params;
use crate::api::subscriptions::cancel;
use crate::error::StripeError;
use crate::lifecycle::payment_methods;
use crate::lifecycle::subscriptions::items;
use crate::world::{World, shapes, text};

/// Stripe's parameters that have no effect here.
const WITHOUT_EFFECT: &[&str] = &[
    "application_fee_percent",
    "billing_schedules",
    "billing_thresholds",
    "default_source",
    "default_tax_rates",
    "invoice_settings",
    "off_session",
    "on_behalf_of",
    "pending_invoice_item_interval",
    "transfer_data",
    "trial_from_plan",
];

/// Reads the fields that a new subscription and a change share.
fn read_common(
    world: &World,
    form: &Params,
    current: &Value,
    customer: &str,
) -> Result<Value, StripeError> {
    let mut changes = json!({ "metadata": metadata::merged(form, &current["metadata"])? });
    if let Some(description) = form.text_or_unset("description")? {
        changes["description"] = description;
    }
    if let Some(method) = form.text_or_unset("default_payment_method")? {
        if let Some(id) = method.as_str() {
            payment_methods::of_customer(
                world,
                id,
                customer,
                &form.name("default_payment_method"),
            )?;
        }
        changes["default_payment_method"] = method;
    }
    if let Some(tax) = form.object("automatic_tax")? {
        let enabled = tax.boolean("enabled")?.unwrap_or(false);
        tax.ignore(&["liability"]);
        let liability = if enabled { json!({ "type": "self" }) } else { Value::Null };
        changes["automatic_tax"] =
            json!({ "disabled_reason": null, "enabled": enabled, "liability": liability });
    }
    if let Some(method) =
        form.choice("collection_method", &["charge_automatically", "send_invoice"])?
    {
        if method == "send_invoice" {
            return Err(form.refuse(
                "collection_method",
                "send_invoice is not simulated: use charge_automatically.".to_owned(),
            ));
        }
        changes["collection_method"] = json!(method);
    }
    read_payment_settings(form, current, &mut changes)?;
    read_trial_settings(form, current, &mut changes)?;
    form.ignore(WITHOUT_EFFECT);
    form.ignore(&["days_until_due"]);
    Ok(changes)
}

fn read_payment_settings(
    form: &Params,
    current: &Value,
    changes: &mut Value,
) -> Result<(), StripeError> {
    let Some(given) = form.object("payment_settings")? else { return Ok(()) };
    let mut settings = current["payment_settings"].clone();
    if let Some(saves) = given.choice("save_default_payment_method", &["off", "on_subscription"])? {
        settings["save_default_payment_method"] = json!(saves);
    }
    if let Some(types) = given.texts("payment_method_types")? {
        settings["payment_method_types"] =
            if types.is_empty() { Value::Null } else { json!(types) };
    }
    given.ignore(&["payment_method_options"]);
    changes["payment_settings"] = settings;
    Ok(())
}

pub fn read_trial_settings(
    form: &Params,
    current: &Value,
    changes: &mut Value,
) -> Result<(), StripeError> {
    let Some(given) = form.object("trial_settings")? else { return Ok(()) };
    let mut settings = current["trial_settings"].clone();
    if let Some(end) = given.object("end_behavior")? {
        if let Some(missing) =
            end.choice("missing_payment_method", &["cancel", "create_invoice", "pause"])?
        {
            settings["end_behavior"]["missing_payment_method"] = json!(missing);
        }
        end.ignore(&["billing_cycle_anchor"]);
    }
    changes["trial_settings"] = settings;
    Ok(())
}

/// Reads the fields of a new subscription.
pub fn read_new(world: &World, form: &Params, customer: &str) -> Result<Value, StripeError> {
    let blank = shapes::part("subscription");
    let mut fields = read_common(world, form, &blank, customer)?;
    read_billing_mode(form, &mut fields)?;
    let at_end = form.boolean("cancel_at_period_end")?;
    if let Some(at_end) = at_end {
        fields["cancel_at_period_end"] = json!(at_end);
    }
    if let Some(at) = form.integer("cancel_at")? {
        shapes::set(&mut fields, json!({ "cancel_at": at, "canceled_at": world.now() }));
    }
    Ok(fields)
}

/// Reads `billing_mode[type]`. The mode is stored, but both modes compute the same amounts here.
pub fn read_billing_mode(form: &Params, fields: &mut Value) -> Result<(), StripeError> {
    let Some(mode) = form.object("billing_mode")? else { return Ok(()) };
    if mode.choice("type", &["classic", "flexible"])? == Some("classic") {
        fields["billing_mode"] = json!({ "flexible": null, "type": "classic" });
    }
    mode.ignore(&["flexible"]);
    Ok(())
}

/// Reads the changed fields of an existing subscription.
pub fn read_changes(
    world: &World,
    form: &Params,
    subscription: &Value,
) -> Result<Value, StripeError> {
    let mut changes = read_common(world, form, subscription, text(subscription, "customer"))?;
    if let Some(details) = cancel::details(form, subscription)? {
        changes["cancellation_details"] = details;
    }
    read_pause(form, &mut changes)?;
    read_end(world, form, subscription, &mut changes)?;
    Ok(changes)
}

fn read_pause(form: &Params, changes: &mut Value) -> Result<(), StripeError> {
    if form.is_unset("pause_collection") {
        changes["pause_collection"] = Value::Null;
    } else if let Some(pause) = form.object("pause_collection")? {
        let words = &["keep_as_draft", "mark_uncollectible", "void"];
        let behavior = pause.choice("behavior", words)?.ok_or_else(|| pause.missing("behavior"))?;
        let resumes_at = pause.integer("resumes_at")?;
        changes["pause_collection"] = json!({ "behavior": behavior, "resumes_at": resumes_at });
    }
    Ok(())
}

/// Reads a scheduled cancellation, or its withdrawal.
fn read_end(
    world: &World,
    form: &Params,
    subscription: &Value,
    changes: &mut Value,
) -> Result<(), StripeError> {
    let period_end = items::period(subscription).1;
    let at_end = form.boolean("cancel_at_period_end")?;
    let unset = form.is_unset("cancel_at");
    let at = match form.text_or_unset("cancel_at")?.as_ref().and_then(Value::as_str) {
        Some("min_period_end" | "max_period_end" | "max_billed_until") => Some(period_end),
        Some(_) => form.integer("cancel_at")?,
        None => None,
    };
    if at.is_some_and(|at| at <= world.now()) {
        return Err(form.refuse("cancel_at", "cancel_at must be in the future.".to_owned()));
    }
    let stays = at_end == Some(false) || unset;
    if let Some(at) = at.or((at_end == Some(true)).then_some(period_end)) {
        let ends = json!({
            "cancel_at": at,
            "cancel_at_period_end": at_end == Some(true),
            "canceled_at": world.now(),
        });
        shapes::set(changes, ends);
        set_reason(changes, subscription, json!("cancellation_requested"));
    } else if stays && !subscription["cancel_at"].is_null() {
        let goes_on =
            json!({ "cancel_at": null, "cancel_at_period_end": false, "canceled_at": null });
        shapes::set(changes, goes_on);
        set_reason(changes, subscription, Value::Null);
    }
    Ok(())
}

fn set_reason(changes: &mut Value, subscription: &Value, reason: Value) {
    if changes["cancellation_details"].is_null() {
        changes["cancellation_details"] = subscription["cancellation_details"].clone();
    }
    changes["cancellation_details"]["reason"] = reason;
}

const MOST_TRIAL_DAYS: i64 = 730;

/// Reads `trial_period_days`.
pub fn read_trial_days(form: &Params) -> Result<Option<i64>, StripeError> {
    match form.integer_from("trial_period_days", 0)? {
        Some(days) if days > MOST_TRIAL_DAYS => {
            let message = format!("The maximum number of trial days is {MOST_TRIAL_DAYS}.");
            Err(form.refuse("trial_period_days", message))
        }
        days => Ok(days.filter(|days| *days > 0)),
    }
}
