//! Applies changes of a subscription. Previews apply them to a copy of the world.

use serde_json::{Value, json};

use crate::error::StripeError;
use crate::lifecycle::discounts::{self, Purchase, Redemption};
use crate::lifecycle::subscriptions::begin::{self, PaymentBehavior};
use crate::lifecycle::subscriptions::items::{self, ItemChange};
use crate::lifecycle::subscriptions::priced_change::{self, PricedChange, Proration};
use crate::lifecycle::subscriptions::{self};
use crate::world::{World, shapes, text};

/// The requested changes of a subscription.
#[derive(Debug)]
pub struct SubscriptionUpdate {
    pub fields: Value,
    pub items: Option<Vec<ItemChange>>,
    pub proration: Proration,
    pub behavior: PaymentBehavior,
    pub proration_date: Option<i64>,
    pub restarts: bool,
    pub trial_end: Option<TrialEnd>,
    pub discounts: Option<Vec<Redemption>>,
}

impl SubscriptionUpdate {
    /// Returns true if it changes only fields that a canceled subscription can still change.
    pub fn is_about_the_past(&self) -> bool {
        let still = |name: &String| matches!(name.as_str(), "cancellation_details" | "metadata");
        let words_only = self.fields.as_object().is_some_and(|fields| fields.keys().all(still));
        let bills = self.items.is_some() || self.trial_end.is_some() || self.restarts;
        words_only && !bills && self.discounts.is_none()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrialEnd {
    Now,
    At(i64),
}

/// Applies the requested changes.
pub fn apply(world: &mut World, id: &str, wanted: SubscriptionUpdate) -> Result<(), StripeError> {
    let before = world.find("subscription", id, "id")?.clone();
    let mut after = before.clone();
    shapes::set(&mut after, wanted.fields);
    let now = world.now();
    if let Some(TrialEnd::At(end)) = wanted.trial_end {
        begin::check_trial_end(world, end, "trial_end")?;
    }
    let ends_trial = end_trial(&mut after, wanted.trial_end, now);
    let extends_trial = matches!(wanted.trial_end, Some(TrialEnd::At(_)));
    let new_items = match &wanted.items {
        Some(changes) => Some(items::changed(world, &before, changes)?),
        None => None,
    };
    check_discounts(world, &before, wanted.discounts.as_deref())?;
    let items = new_items.unwrap_or_else(|| items::of(&before).to_vec());
    let in_trial = after["status"] == "trialing";
    let restarts = !in_trial
        && (ends_trial || wanted.restarts || priced_change::must_restart(world, &before, &items));
    let rebills = restarts || extends_trial || wanted.items.is_some();
    if let Some(wanted) = wanted.discounts {
        after["discounts"] = redeem(world, &before, &wanted);
    }
    if !rebills {
        let previous = world.edit(id, |subscription| *subscription = after);
        subscriptions::emit_updated(world, id, previous);
        return Ok(());
    }
    let change = PricedChange {
        after,
        items,
        moment: wanted.proration_date.unwrap_or(now),
        proration: wanted.proration,
        behavior: wanted.behavior,
        restarts,
    };
    priced_change::apply(world, id, change)
}

/// Sets the trial's new end. Returns true if the trial ends now.
fn end_trial(after: &mut Value, wanted: Option<TrialEnd>, now: i64) -> bool {
    match wanted {
        Some(TrialEnd::Now) if after["status"] == "trialing" => {
            after["trial_end"] = json!(now);
            after["status"] = json!("active");
            true
        }
        Some(TrialEnd::At(end)) => {
            after["trial_end"] = json!(end);
            after["billing_cycle_anchor"] = json!(end);
            if after["trial_start"].is_null() {
                after["trial_start"] = json!(now);
            }
            after["status"] = json!("trialing");
            false
        }
        _ => false,
    }
}

fn check_discounts(
    world: &World,
    subscription: &Value,
    wanted: Option<&[Redemption]>,
) -> Result<(), StripeError> {
    let purchase = Purchase {
        customer: text(subscription, "customer"),
        currency: text(subscription, "currency"),
        amount: i64::MAX,
    };
    wanted.unwrap_or_default().iter().try_for_each(|one| discounts::check(world, one, purchase))
}

fn redeem(world: &mut World, subscription: &Value, wanted: &[Redemption]) -> Value {
    let about = json!({ "subscription": subscription["id"] });
    let customer = text(subscription, "customer").to_owned();
    let ids: Vec<String> =
        wanted.iter().map(|one| discounts::redeem(world, one, &customer, about.clone())).collect();
    json!(ids)
}
