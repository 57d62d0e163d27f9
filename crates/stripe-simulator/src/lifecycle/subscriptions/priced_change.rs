//! Changes that affect billing: other items, another end of the trial, a new billing cycle.

use serde_json::{Value, json};

use crate::error::StripeError;
use crate::lifecycle::cards::{self, BankResponse, Payer};
use crate::lifecycle::discounts;
use crate::lifecycle::invoicing::{self, Draft, lines};
use crate::lifecycle::subscriptions::begin::{self, PaymentBehavior};
use crate::lifecycle::subscriptions::proration::{self, ProrationLine};
use crate::lifecycle::subscriptions::{self, items, method_of};
use crate::world::calendar::HOUR;
use crate::world::{World, notes, text};

/// A pending update expires after this time.
const PENDING_FOR: i64 = 23 * HOUR;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proration {
    /// Add the difference to the next invoice.
    #[default]
    Create,
    /// Invoice and charge the difference immediately.
    AlwaysInvoice,
    None,
}

/// A checked change that affects billing.
#[derive(Clone, Debug)]
pub struct PricedChange {
    /// The subscription after the change, without the fields that `compute` sets.
    pub after: Value,
    pub items: Vec<Value>,
    pub moment: i64,
    pub proration: Proration,
    pub behavior: PaymentBehavior,
    /// True if a new billing cycle begins now.
    pub restarts: bool,
}

/// The subscription after the change, and the amounts to pay for it.
struct ComputedChange {
    after: Value,
    pieces: Vec<ProrationLine>,
    /// The lines of a new period, if one begins now.
    period_lines: Vec<Value>,
    invoices_now: bool,
}

/// Returns true if a change of items begins a new billing cycle: another interval, or the change
/// from a free price to a paid one.
pub fn must_restart(world: &World, subscription: &Value, items: &[Value]) -> bool {
    let costs = |items: &[Value]| {
        let with =
            |item: &Value| lines::full_price(world, item)["unit_amount"].as_i64().unwrap_or(1) > 0;
        items.iter().any(with)
    };
    let before = items::of(subscription);
    items::interval(before) != items::interval(items) || (!costs(before) && costs(items))
}

/// Applies a change, invoices it if due, and collects the invoice.
pub fn apply(
    world: &mut World,
    subscription_id: &str,
    change: PricedChange,
) -> Result<(), StripeError> {
    let before = world.find("subscription", subscription_id, "id")?.clone();
    let behavior = change.behavior;
    let moment = change.moment;
    let outcome = compute(world, &before, change);
    let due: i64 = outcome.pieces.iter().map(|piece| piece.amount).sum::<i64>()
        + outcome.period_lines.iter().map(|line| line["amount"].as_i64().unwrap_or(0)).sum::<i64>();
    let method = method_of(world, &outcome.after);
    let charges = outcome.invoices_now && due > 0;
    if charges && behavior == PaymentBehavior::ErrorIfIncomplete {
        begin::check_accepted(world, method.as_deref())?;
    }
    let would_work = method.as_deref().and_then(|id| world.get(id)).is_some_and(|method| {
        matches!(
            cards::authorize(method, Payer::Present),
            BankResponse::Accepted | BankResponse::Later { .. }
        )
    });
    if charges && behavior == PaymentBehavior::PendingIfIncomplete && !would_work {
        return hold(world, &before, outcome, moment);
    }
    proration::record(world, &before, &outcome.pieces, moment);
    let invoice_id = outcome.invoices_now.then(|| draft(world, &before, &outcome)).flatten();
    let mut after = outcome.after;
    if let Some(invoice_id) = &invoice_id {
        after["latest_invoice"] = json!(invoice_id);
        after["discounts"] = subscriptions::without_once(world, &after);
    }
    let previous = world.edit(subscription_id, |subscription| *subscription = after);
    subscriptions::emit_updated(world, subscription_id, previous);
    let Some(invoice_id) = invoice_id else { return Ok(()) };
    world.emit("invoice.created", &invoice_id);
    invoicing::finalize(world, &invoice_id);
    let is_open = world.get(&invoice_id).is_some_and(|invoice| invoice["status"] == "open");
    match behavior {
        _ if !is_open => {}
        PaymentBehavior::DefaultIncomplete => {
            subscriptions::set_status(world, subscription_id, "past_due")
        }
        _ => {
            // A declined card is not an error: the subscription becomes past due.
            let _ = invoicing::collect(world, &invoice_id, None, Payer::Present);
        }
    }
    Ok(())
}

fn compute(world: &World, before: &Value, change: PricedChange) -> ComputedChange {
    let PricedChange { mut after, items, moment, proration, restarts, .. } = change;
    let was_trial = before["status"] == "trialing";
    let in_trial = after["status"] == "trialing";
    let mut items = items;
    let pieces = match proration {
        _ if was_trial => Vec::new(),
        Proration::None => Vec::new(),
        _ if restarts || in_trial => proration::unused(world, before, moment),
        _ => proration::between(world, before, &items, moment),
    };
    let mut period_lines = Vec::new();
    if restarts && !in_trial {
        let now = world.now();
        let period = items::interval(&items).period_at(now, now);
        items.iter_mut().for_each(|item| items::set_period(item, period));
        after["billing_cycle_anchor"] = json!(now);
        items::put(&mut after, items);
        period_lines = lines::of_period(world, &after, period, false);
    } else {
        if let Some(end) = after["trial_end"].as_i64().filter(|_| in_trial) {
            let start = items::period(before).0;
            items.iter_mut().for_each(|item| items::set_period(item, (start, end)));
        }
        items::put(&mut after, items);
    }
    if after["cancel_at_period_end"] == true {
        after["cancel_at"] = json!(items::period(&after).1);
    }
    let has_costs = !pieces.is_empty() || !period_lines.is_empty();
    let invoices_now =
        has_costs && (proration == Proration::AlwaysInvoice || !period_lines.is_empty());
    ComputedChange { after, pieces, period_lines, invoices_now }
}

/// Drafts an invoice of all pending items and the new period. Returns `None` if it has no lines.
fn draft(world: &mut World, before: &Value, outcome: &ComputedChange) -> Option<String> {
    let id = text(before, "id");
    let mut all = lines::pending(world, id);
    all.extend(outcome.period_lines.iter().cloned());
    if all.is_empty() {
        return None;
    }
    let now = world.now();
    let draft = Draft {
        customer: text(before, "customer").to_owned(),
        currency: text(before, "currency").to_owned(),
        reason: "subscription_update",
        subscription: Some(id.to_owned()),
        lines: all,
        period: (items::period(before).0, now),
        discounts: discounts::active(world, &outcome.after["discounts"], now),
        other: json!({ "automatic_tax": subscriptions::automatic_tax(before) }),
        ..Draft::default()
    };
    Some(invoicing::draft(world, draft))
}

/// Stores the change as a pending update until its invoice is paid.
fn hold(
    world: &mut World,
    before: &Value,
    outcome: ComputedChange,
    moment: i64,
) -> Result<(), StripeError> {
    let id = text(before, "id");
    proration::record(world, before, &outcome.pieces, moment);
    let Some(invoice_id) = draft(world, before, &outcome) else { return Ok(()) };
    let expires_at = world.now() + PENDING_FOR;
    let after = outcome.after;
    let anchor = &after["billing_cycle_anchor"];
    let moves = *anchor != before["billing_cycle_anchor"];
    let pending = json!({
        "billing_cycle_anchor": anchor.as_i64().filter(|_| moves),
        "cancel_at_period_end": null,
        "discount": null,
        "discounts": null,
        "expires_at": expires_at,
        "metadata": null,
        "subscription_items": items::of(&after),
        "trial_end": null,
        "trial_from_plan": false,
    });
    let previous = world.edit(id, |subscription| {
        subscription["pending_update"] = pending;
        subscription["latest_invoice"] = json!(invoice_id);
    });
    notes::write(world, id, "pending_invoice", json!(invoice_id));
    notes::write(world, id, "pending_after", after);
    subscriptions::emit_updated(world, id, previous);
    world.emit("invoice.created", &invoice_id);
    invoicing::finalize(world, &invoice_id);
    // This fails: the attempt records the failure on the invoice.
    let _ = invoicing::collect(world, &invoice_id, None, Payer::Present);
    Ok(())
}

/// Applies a pending update after its invoice is paid.
pub fn apply_pending(world: &mut World, subscription_id: &str) {
    let waiting = notes::read(world, subscription_id, "pending_after").clone();
    forget_pending(world, subscription_id);
    let previous = world.edit(subscription_id, |subscription| {
        for name in ["items", "plan", "quantity", "billing_cycle_anchor"] {
            subscription[name] = waiting[name].clone();
        }
        subscription["pending_update"] = Value::Null;
    });
    subscriptions::emit_updated(world, subscription_id, previous);
    world.emit("customer.subscription.pending_update_applied", subscription_id);
}

/// Discards an update that was not paid in time, and voids its invoice.
pub fn expire_pending(world: &mut World, subscription_id: &str) {
    let invoice_id = notes::read_text(world, subscription_id, "pending_invoice");
    forget_pending(world, subscription_id);
    let previous =
        world.edit(subscription_id, |subscription| subscription["pending_update"] = Value::Null);
    subscriptions::emit_updated(world, subscription_id, previous);
    world.emit("customer.subscription.pending_update_expired", subscription_id);
    if world.get(&invoice_id).is_some_and(|invoice| invoice["status"] == "open") {
        invoicing::write_off(world, &invoice_id, "void");
    }
}

fn forget_pending(world: &mut World, subscription_id: &str) {
    notes::write(world, subscription_id, "pending_invoice", Value::Null);
    notes::write(world, subscription_id, "pending_after", Value::Null);
}
