//! The facts of a subscription: its items, its period and its cancellation.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Unreadable, metadata_user_id};
use crate::domain::hash::sha256_i64;
use crate::domain::object::{
    Object, amount, flag, integer, is_unknown_value, link, list, seconds, text,
};

const STATUSES: [&str; 8] = [
    "active",
    "trialing",
    "past_due",
    "canceled",
    "unpaid",
    "paused",
    "incomplete",
    "incomplete_expired",
];

/// More items than Stripe allows in one subscription.
const MAX_ITEMS: usize = 100;

/// Returns the facts of a subscription, or `None` for an unknown status.
///
/// Farebox sells subscriptions with one item. A subscription from elsewhere may have several. The
/// fact then lists all of them, and Postgres, which has the catalog, chooses the item of a plan.
pub(super) fn subscription(object: &Object) -> Result<Option<Value>, Unreadable> {
    if is_unknown_value(object, "status", &STATUSES) {
        return Ok(None);
    }
    let items = list(object, "items");
    let details = &object["cancellation_details"];
    let reason = text(details, "comment").or(text(details, "feedback"));
    let mut fact = json!({
        "id": text(object, "id").ok_or(Unreadable("id"))?,
        "customer": link(object, "customer").ok_or(Unreadable("customer"))?,
        "status": status(object).ok_or(Unreadable("status"))?,
        "created": seconds(object, "created").ok_or(Unreadable("created"))?,
        "user_id": metadata_user_id(object),
        "plan": text(&object["metadata"], "plan"),
        "plan_version": text(&object["metadata"], "planVersion")
            .and_then(|version| version.parse::<i32>().ok()),
        "anchor": seconds(object, "billing_cycle_anchor"),
        "trial_start": seconds(object, "trial_start"),
        "trial_end": seconds(object, "trial_end"),
        "cancel_at": seconds(object, "cancel_at"),
        "cancel_at_period_end": flag(object, "cancel_at_period_end"),
        "canceled_at": seconds(object, "canceled_at"),
        "ended_at": seconds(object, "ended_at"),
        "cancellation_reason": reason.or(text(details, "reason")),
        "schedule": link(object, "schedule"),
        "pending_until": seconds(&object["pending_update"], "expires_at"),
    });
    if let (Some(fact), Value::Object(first)) =
        (fact.as_object_mut(), item(object, items.first().unwrap_or(&Value::Null))?)
    {
        fact.extend(first);
    }
    if items.len() > 1 {
        let items = items.iter().take(MAX_ITEMS).map(|one| item(object, one));
        fact["items"] = items.collect::<Result<Value, _>>()?;
    } else if let Some(fields) = fact.as_object() {
        fact["digest"] = digest(fields).into();
    }
    Ok(Some(fact))
}

/// The fields of the period. At a renewal, often only they change.
const PERIOD: [&str; 2] = ["period_start", "period_end"];

/// Returns a digest of all fields except the period. Two facts of a subscription that differ only
/// in the period have the same digest. A fact with several items has no digest, because the catalog
/// decides which of them counts.
fn digest(fact: &Map<String, Value>) -> i64 {
    let fields = fact.iter().filter(|(name, _)| !PERIOD.contains(&name.as_str()));
    let fields: BTreeMap<_, _> = fields.collect();
    sha256_i64(&json!(fields).to_string())
}

/// Returns the status. If collection is paused and invoices are void, Stripe calls the subscription
/// active. Its periods are not paid and must not be served, so the status here is `paused`. With
/// draft or uncollectible invoices, the service is free and the subscription stays active.
fn status(object: &Object) -> Option<&str> {
    let is_void = text(&object["pause_collection"], "behavior") == Some("void");
    text(object, "status")
        .map(|status| if is_void && status == "active" { "paused" } else { status })
}

/// Returns the facts of an item: its price, its period and its pending change. A negative quantity
/// is unreadable.
fn item(object: &Object, item: &Object) -> Result<Value, Unreadable> {
    // Older API versions have plans instead of prices. The oldest have no items, but one plan.
    let price = [&item["price"], &item["plan"], &object["plan"]];
    let price = price.into_iter().find(|price| price.is_object()).unwrap_or(&Value::Null);
    let quantity = integer(item, "quantity").or(integer(object, "quantity")).unwrap_or(1);
    if quantity < 0 {
        return Err(Unreadable("quantity"));
    }
    let unit = amount(price, "unit_amount").or(amount(price, "amount"));
    // Since API version Basil, the item has the period.
    let period = |field| seconds(item, field).or(seconds(object, field));
    let currency = text(object, "currency").or(text(price, "currency"));
    let same_currency = text(price, "currency").is_none_or(|own| Some(own) == currency);
    let pending = list(&object["pending_update"], "subscription_items");
    let same = pending.iter().find(|pending| text(pending, "id") == text(item, "id"));
    let is_only = list(object, "items").len() < 2;
    let only = pending.first().filter(|_| is_only);
    let pending = same.or(only).unwrap_or(&Value::Null);
    Ok(json!({
        "item": text(item, "id"),
        "price": text(price, "id"),
        "product": link(price, "product"),
        "interval": interval(price),
        "quantity": quantity,
        "currency": currency,
        "amount_minor": unit
            .filter(|_| same_currency)
            .and_then(|unit| unit.checked_mul(quantity)),
        "period_start": period("current_period_start"),
        "period_end": period("current_period_end"),
        "pending_price": link(pending, "price"),
        "pending_quantity": integer(pending, "quantity"),
    }))
}

/// Returns the name of a billing interval in Farebox, if it has one.
fn interval(price: &Object) -> Option<&'static str> {
    let recurring = if price["recurring"].is_object() { &price["recurring"] } else { price };
    match (text(recurring, "interval")?, integer(recurring, "interval_count").unwrap_or(1)) {
        ("week", 1) => Some("weekly"),
        ("month", 1) => Some("monthly"),
        ("month", 3) => Some("quarterly"),
        ("year", 1) | ("month", 12) => Some("yearly"),
        _ => None,
    }
}
