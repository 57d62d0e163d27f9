//! `POST /v1/subscriptions/{id}`: reads what is to change, then changes it.

use serde_json::{Value, json};

use super::begin::{self, Behavior};
use super::items::{self, ItemChange};
use super::rebill::{self, Change, Proration};
use super::{cancel, fields};
use crate::discounts::{self, Purchase, Redemption};
use crate::error::StripeError;
use crate::http::Call;
use crate::params::Params;
use crate::world::{World, text};

pub use super::rebill::apply_pending;

/// What a request asks to change.
#[derive(Debug)]
pub struct Wanted {
    pub fields: Value,
    pub items: Option<Vec<ItemChange>>,
    pub proration: Proration,
    pub behavior: Behavior,
    pub proration_date: Option<i64>,
    pub restarts: bool,
    pub trial_end: Option<TrialEnd>,
    pub discounts: Option<Vec<Redemption>>,
}

impl Wanted {
    /// Whether it changes only what may still be said of a subscription that is over.
    fn is_about_the_past(&self) -> bool {
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

pub fn run(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let subscription = world.find("subscription", call.id(), "id")?.clone();
    let wanted = read(world, &call.form, &subscription)?;
    call.form.finish()?;
    if cancel::is_over(&subscription) && !wanted.is_about_the_past() {
        let message = format!(
            "A canceled subscription can only update its cancellation_details and metadata: {}",
            call.id()
        );
        return Err(call.form.refuse("id", message));
    }
    apply(world, call.id(), wanted)?;
    world.find("subscription", call.id(), "id").cloned()
}

/// `POST` and `DELETE /v1/subscription_items/{id}`: the same for one item.
pub fn run_for_item(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    change_item(world, call, false)?;
    let changed = items::find(world, call.id());
    changed.cloned().ok_or_else(|| StripeError::missing("subscription_item", call.id(), "id"))
}

pub fn delete_item(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    change_item(world, call, true)?;
    Ok(json!({ "id": call.id(), "object": "subscription_item", "deleted": true }))
}

fn change_item(world: &mut World, call: &Call, deletes: bool) -> Result<(), StripeError> {
    let form = &call.form;
    let item = items::find(world, call.id());
    let item = item.ok_or_else(|| StripeError::missing("subscription_item", call.id(), "id"))?;
    let id = text(item, "subscription").to_owned();
    let subscription = world.find("subscription", &id, "id")?;
    let change = match deletes {
        true => ItemChange::Delete(call.id().to_owned()),
        false => items::read_change(world, form, subscription, call.id(), "id")?,
    };
    let wanted = Wanted {
        fields: json!({}),
        items: Some(vec![change]),
        proration: read_proration(form)?,
        behavior: read_behavior(form)?,
        proration_date: form.integer("proration_date")?,
        restarts: false,
        trial_end: None,
        discounts: None,
    };
    form.ignore(&["off_session"]);
    form.finish()?;
    apply(world, &id, wanted)
}

fn read(world: &World, form: &Params, subscription: &Value) -> Result<Wanted, StripeError> {
    Ok(Wanted {
        fields: fields::read_changes(world, form, subscription)?,
        items: items::read_changes(world, form, subscription)?,
        proration: read_proration(form)?,
        behavior: read_behavior(form)?,
        proration_date: form.integer("proration_date")?,
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

pub fn read_behavior(form: &Params) -> Result<Behavior, StripeError> {
    let words =
        &["allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"];
    Ok(match form.choice("payment_behavior", words)? {
        Some("default_incomplete") => Behavior::DefaultIncomplete,
        Some("error_if_incomplete") => Behavior::ErrorIfIncomplete,
        Some("pending_if_incomplete") => Behavior::PendingIfIncomplete,
        _ => Behavior::AllowIncomplete,
    })
}

/// `billing_cycle_anchor[type]=now`, or the bare word of older clients.
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

/// Applies what was read; also what a preview does to a copy of the world.
pub fn apply(world: &mut World, id: &str, wanted: Wanted) -> Result<(), StripeError> {
    let before = world.find("subscription", id, "id")?.clone();
    let mut after = before.clone();
    crate::shapes::set(&mut after, wanted.fields);
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
        && (ends_trial || wanted.restarts || rebill::must_restart(world, &before, &items));
    let rebills = restarts || extends_trial || wanted.items.is_some();
    if let Some(wanted) = wanted.discounts {
        after["discounts"] = redeem(world, &before, &wanted);
    }
    if !rebills {
        let previous = world.edit(id, |subscription| *subscription = after);
        rebill::emit_updated(world, id, previous);
        return Ok(());
    }
    let change = Change {
        after,
        items,
        moment: wanted.proration_date.unwrap_or(now),
        proration: wanted.proration,
        behavior: wanted.behavior,
        restarts,
    };
    rebill::run(world, id, change)
}

/// Sets the trial's new end, and answers whether the trial is over with it.
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

/// What a preview asks for below `subscription_details`.
pub fn read_preview(
    world: &World,
    details: &Params,
    subscription: &Value,
) -> Result<Wanted, StripeError> {
    Ok(Wanted {
        fields: json!({}),
        items: items::read_changes(world, details, subscription)?,
        proration: read_proration(details)?,
        behavior: Behavior::DefaultIncomplete,
        proration_date: details.integer("proration_date")?,
        restarts: read_anchor(details)? == Some("now"),
        trial_end: read_trial_end(details)?,
        discounts: None,
    })
}
