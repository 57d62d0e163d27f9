//! What Stripe's objects say, in the form in which the database merges it.
//!
//! Pure, and tolerant of every version of Stripe's API: where a field moved, whichever place has it
//! counts. Times are Stripe's own seconds; nothing here knows what time it is.

use serde_json::{Map, Value, json};

use super::object::{Object, flag, integer, link, list, text};

/// Everything one event, or one answer, tells: objects by their kind, in SQL's names.
#[derive(Clone, Debug, Default)]
pub struct Facts(Map<String, Value>);

/// What is missing from an object without which it says nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unreadable(&'static str);

impl Facts {
    pub fn of_subscription(object: &Object) -> Result<Self, Unreadable> {
        let mut facts = Self::default();
        facts.0.insert("subscription".to_owned(), subscription(object)?);
        Ok(facts)
    }

    /// A session, and the subscription it made where that came with it.
    pub fn of_session(object: &Object) -> Result<Self, Unreadable> {
        let made = &object["subscription"];
        let mut facts =
            if made.is_object() { Self::of_subscription(made)? } else { Self::default() };
        facts.0.insert("session".to_owned(), session(object)?);
        Ok(facts)
    }

    pub fn subscription_id(&self) -> Option<&str> {
        text(self.0.get("subscription")?, "id")
    }

    pub fn payment_id(&self) -> Option<&str> {
        text(self.0.get("payment")?, "id")
    }

    /// What they say of whom they are about: `customer` or `user_id`.
    pub fn said(&self, field: &str) -> Option<&str> {
        self.0.values().find_map(|fact| text(fact, field))
    }

    /// The id of the session in it, if that is complete and paid as far as it will be for now.
    pub fn finished_session(&self) -> Option<&str> {
        let session = self.0.get("session")?;
        text(session, "id").filter(|_| text(session, "status") == Some("complete"))
    }

    pub fn as_json(&self) -> &Map<String, Value> {
        &self.0
    }
}

/// Farebox sells subscriptions of one item each.
fn subscription(object: &Object) -> Result<Value, Unreadable> {
    let item = list(object, "items").first().unwrap_or(&Value::Null);
    // Before there were prices there were plans; before there were items, the subscription had one.
    let price = [&item["price"], &item["plan"], &object["plan"]];
    let price = price.into_iter().find(|price| price.is_object()).unwrap_or(&Value::Null);
    let quantity = integer(item, "quantity").or(integer(object, "quantity")).unwrap_or(1);
    let unit = integer(price, "unit_amount").or(integer(price, "amount"));
    // Since Basil the period is the item's.
    let period = |field| integer(item, field).or(integer(object, field));
    let currency = text(object, "currency").or(text(price, "currency"));
    let same_currency = text(price, "currency").is_none_or(|own| Some(own) == currency);
    let details = &object["cancellation_details"];
    let reason = text(details, "comment").or(text(details, "feedback"));
    let pending = &object["pending_update"];
    let pending_item = pending["subscription_items"].get(0).unwrap_or(&Value::Null);
    Ok(json!({
        "id": text(object, "id").ok_or(Unreadable("id"))?,
        "customer": link(object, "customer").ok_or(Unreadable("customer"))?,
        "status": text(object, "status").ok_or(Unreadable("status"))?,
        "created": integer(object, "created").ok_or(Unreadable("created"))?,
        "user_id": named_user(object),
        "plan": text(&object["metadata"], "plan"),
        "plan_version": text(&object["metadata"], "planVersion")
            .and_then(|version| version.parse::<i32>().ok()),
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
        "trial_start": integer(object, "trial_start"),
        "trial_end": integer(object, "trial_end"),
        "cancel_at": integer(object, "cancel_at"),
        "cancel_at_period_end": flag(object, "cancel_at_period_end"),
        "canceled_at": integer(object, "canceled_at"),
        "ended_at": integer(object, "ended_at"),
        "cancellation_reason": reason.or(text(details, "reason")),
        "schedule": link(object, "schedule"),
        "pending_price": link(pending_item, "price"),
        "pending_quantity": integer(pending_item, "quantity"),
        "pending_until": integer(pending, "expires_at"),
    }))
}

fn session(object: &Object) -> Result<Value, Unreadable> {
    Ok(json!({
        "id": text(object, "id").ok_or(Unreadable("id"))?,
        "mode": text(object, "mode").ok_or(Unreadable("mode"))?,
        "status": text(object, "status").ok_or(Unreadable("status"))?,
        "created": integer(object, "created").ok_or(Unreadable("created"))?,
        "payment_status": text(object, "payment_status"),
        // Not `client_reference_id`: whoever opens a payment link may write there what they like.
        "user_id": named_user(object),
        "customer": link(object, "customer"),
        "subscription": link(object, "subscription"),
        "payment_intent": link(object, "payment_intent"),
        "currency": text(object, "currency"),
        "amount_total": integer(object, "amount_total"),
        "expires_at": integer(object, "expires_at"),
    }))
}

/// Whom the maker of an object wrote into it.
fn named_user(object: &Object) -> Option<&str> {
    let metadata = &object["metadata"];
    text(metadata, "userId").or(text(metadata, "user_id"))
}

/// Our name for how often a price is charged, if we have one.
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

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "an object of Stripe's without its {}", self.0)
    }
}

impl std::error::Error for Unreadable {}

#[cfg(test)]
mod tests;
