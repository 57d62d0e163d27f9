//! `POST /v1/invoices/create_preview`: the invoice that a change would lead to.
//!
//! The change is applied to a copy of the world, and the invoice is read from the copy. A preview
//! therefore uses the same code as the change itself.

use serde_json::{Value, json};

use crate::api::params::Params;
use crate::api::subscriptions::{items, update};
use crate::api::{Call, discounts};
use crate::error::StripeError;
use crate::lifecycle::invoicing::{self, lines};
use crate::lifecycle::subscriptions::begin::{self, NewSubscription, PaymentBehavior};
use crate::lifecycle::subscriptions::priced_change::Proration;
use crate::lifecycle::subscriptions::{self, proration};
use crate::lifecycle::{billing, customers};
use crate::world::{World, shapes, text};

pub fn run(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let mut copy = world.clone();
    let customer = form.text("customer")?;
    let subscription = form.text("subscription")?;
    let details = form.object("subscription_details")?;
    let currency = form.text("currency")?;
    let discounts = discounts::read(world, form)?;
    form.ignore(&["automatic_tax", "customer_details", "issuer", "preview_mode"]);
    let mut invoice = match (subscription, &details) {
        (Some(id), details) => of_subscription(&mut copy, form, &id, details.as_ref())?,
        (None, Some(details)) => {
            let customer = customer.ok_or_else(|| form.missing("customer"))?;
            customers::find_existing(world, &customer, "customer")?;
            let wanted = NewSubscription {
                items: items::read_new(world, details)?,
                currency: currency.unwrap_or_default(),
                discounts: discounts.unwrap_or_default(),
                customer,
                ..NewSubscription::default()
            };
            of_new(&mut copy, form, details, wanted)?
        }
        (None, None) => return Err(form.missing("subscription")),
    };
    if !text(&invoice, "id").starts_with("upcoming_in") {
        invoice["id"] = json!(world.new_id("upcoming_in"));
        lines::rename(&mut invoice);
    }
    Ok(invoice)
}

/// Previews the first invoice of a new subscription.
fn of_new(
    copy: &mut World,
    form: &Params,
    details: &Params,
    mut wanted: NewSubscription,
) -> Result<Value, StripeError> {
    wanted.trial_end = match update::read_trial_end(details)? {
        Some(subscriptions::update::TrialEnd::At(end)) => Some(end),
        _ => None,
    };
    details.ignore(&[
        "billing_cycle_anchor",
        "billing_mode",
        "metadata",
        "proration_behavior",
        "start_date",
    ]);
    form.finish()?;
    if wanted.currency.is_empty() {
        let first = wanted.items.first().map(|item| text(&item.price, "currency").to_owned());
        wanted.currency = first.unwrap_or_default();
    }
    wanted.behavior = PaymentBehavior::DefaultIncomplete;
    let id = begin::begin(copy, wanted)?;
    let latest = copy.get(&id).map(|subscription| text(subscription, "latest_invoice").to_owned());
    Ok(as_draft(copy.get(&latest.unwrap_or_default()).cloned().unwrap_or_default()))
}

/// Previews a subscription's next invoice, with the requested change applied.
fn of_subscription(
    copy: &mut World,
    form: &Params,
    id: &str,
    details: Option<&Params>,
) -> Result<Value, StripeError> {
    let subscription = copy.find("subscription", id, "subscription")?.clone();
    if subscriptions::is_over(&subscription) {
        let message = "No upcoming invoices for this subscription: it has ended.";
        return Err(StripeError::invalid("invoice_upcoming_none", "subscription", message));
    }
    let Some(details) = details else {
        form.finish()?;
        return next(copy, id);
    };
    let wanted = update::read_preview(copy, details, &subscription)?;
    let ends_now = details.boolean("cancel_now")?.unwrap_or(false);
    let ends = details.boolean("cancel_at_period_end")?.unwrap_or(false);
    details.ignore(&["billing_mode", "cancel_at", "metadata"]);
    form.finish()?;
    if ends_now {
        return Ok(of_end(copy, &subscription, wanted.proration));
    }
    let always = wanted.proration == Proration::AlwaysInvoice;
    subscriptions::update::apply(copy, id, wanted)?;
    if ends {
        copy.edit(id, |subscription| subscription["cancel_at_period_end"] = json!(true));
    }
    let after = copy.find("subscription", id, "subscription")?;
    let latest = &after["latest_invoice"];
    let made = *latest != subscription["latest_invoice"];
    match copy.get(latest.as_str().unwrap_or_default()).filter(|_| made || always) {
        Some(invoice) if made => Ok(as_draft(invoice.clone())),
        _ => next(copy, id),
    }
}

fn next(copy: &World, id: &str) -> Result<Value, StripeError> {
    let subscription = copy.find("subscription", id, "subscription")?;
    if subscription["cancel_at_period_end"] == true {
        let message = "No upcoming invoices for this subscription: it ends with its period.";
        return Err(StripeError::invalid("invoice_upcoming_none", "subscription", message));
    }
    Ok(billing::upcoming(copy, subscription))
}

/// Previews the last invoice of a subscription that ends now.
fn of_end(copy: &mut World, subscription: &Value, proration: Proration) -> Value {
    if proration != Proration::None {
        let now = copy.now();
        proration::credit_all(copy, subscription, now);
    }
    let id = text(subscription, "id");
    let now = copy.now();
    let draft = invoicing::Draft {
        customer: text(subscription, "customer").to_owned(),
        currency: text(subscription, "currency").to_owned(),
        reason: "upcoming",
        subscription: Some(id.to_owned()),
        lines: lines::pending(copy, id),
        period: (subscriptions::items::period(subscription).0, now),
        ..Default::default()
    };
    invoicing::build(copy, draft)
}

/// Resets an invoice of the copy to a draft: a preview is never final.
fn as_draft(mut invoice: Value) -> Value {
    let due = invoice["amount_due"].clone();
    shapes::set(
        &mut invoice,
        json!({
            "amount_paid": 0, "amount_remaining": due, "attempt_count": 0, "attempted": false,
            "auto_advance": false, "effective_at": null, "hosted_invoice_url": null,
            "invoice_pdf": null, "next_payment_attempt": null, "number": null, "status": "draft",
            "status_transitions": {
                "finalized_at": null, "marked_uncollectible_at": null, "paid_at": null,
                "voided_at": null,
            },
        }),
    );
    invoice
}
