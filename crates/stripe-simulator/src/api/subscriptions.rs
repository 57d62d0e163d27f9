//! `/v1/subscriptions` and `/v1/subscription_items`.

use serde_json::{Value, json};

use crate::api::subscriptions::update::read_trial_end;
use crate::api::{Call, Route, discounts, list};
use crate::error::StripeError;
use crate::lifecycle::invoicing::{self, Draft, lines};
use crate::lifecycle::subscriptions::begin::{self, NewSubscription};
use crate::lifecycle::subscriptions::update::TrialEnd;
use crate::lifecycle::subscriptions::{self, KIND};
use crate::lifecycle::{self, cards, customers};
use crate::world::calendar::DAY;
use crate::world::{World, shapes, text};

pub mod cancel;
pub mod fields;
pub mod items;
pub mod update;

const STATUSES: &[&str] = &[
    "active",
    "all",
    "canceled",
    "ended",
    "incomplete",
    "incomplete_expired",
    "past_due",
    "paused",
    "trialing",
    "unpaid",
];

pub const ROUTES: &[Route] = &[
    Route::post("/v1/subscriptions", create),
    Route::get("/v1/subscriptions", index),
    Route::get("/v1/subscriptions/{id}", retrieve),
    Route::post("/v1/subscriptions/{id}", update::run),
    Route::delete("/v1/subscriptions/{id}", cancel::run),
    Route::post("/v1/subscriptions/{id}/resume", resume),
    Route::delete("/v1/subscriptions/{id}/discount", delete_discount),
    Route::get("/v1/subscription_items", items_of),
    Route::get("/v1/subscription_items/{id}", item),
    Route::post("/v1/subscription_items/{id}", update::run_for_item),
    Route::delete("/v1/subscription_items/{id}", update::delete_item),
];

fn create(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let customer = form.need_text("customer")?;
    customers::find_existing(world, &customer, "customer")?;
    let items = items::read_new(world, form)?;
    let fields = fields::read_new(world, form, &customer)?;
    let currency = match form.text("currency")? {
        Some(currency) => currency.to_lowercase(),
        None => {
            items.first().map(|item| text(&item.price, "currency").to_owned()).unwrap_or_default()
        }
    };
    let trial_end = match (read_trial_end(form)?, fields::read_trial_days(form)?) {
        (Some(TrialEnd::At(end)), _) => Some(end),
        (None, Some(days)) => Some(world.now() + days * DAY),
        _ => None,
    };
    let behavior = update::read_behavior(form)?;
    update::read_proration(form)?;
    let discounts = discounts::read(world, form)?.unwrap_or_default();
    form.finish()?;
    let payment_method = fields["default_payment_method"].as_str().map(str::to_owned);
    let wanted = NewSubscription {
        customer,
        currency,
        items,
        trial_end,
        discounts,
        behavior,
        payment_method,
        fields,
        ..NewSubscription::default()
    };
    let id = begin::begin(world, wanted)?;
    world.find(KIND, &id, "id").cloned()
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    world.find(KIND, call.id(), "id").cloned()
}

fn index(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let customer = call.form.text("customer")?;
    let price = call.form.text("price")?;
    let status = call.form.choice("status", STATUSES)?;
    let from = list::Times::of(&call.form, "current_period_start")?;
    let to = list::Times::of(&call.form, "current_period_end")?;
    call.form.ignore(&["collection_method"]);
    let has_status = |subscription: &Value| match status {
        Some("all") => true,
        Some("ended") => subscriptions::is_over(subscription),
        Some(status) => subscription["status"] == status,
        None => subscription["status"] != "canceled",
    };
    let wanted = |subscription: &&Value| {
        let (start, end) = subscriptions::items::period(subscription);
        let has_price = |id: &String| {
            subscriptions::items::of(subscription).iter().any(|item| item["price"]["id"] == **id)
        };
        has_status(subscription)
            && customer.as_ref().is_none_or(|id| subscription["customer"] == **id)
            && price.as_ref().is_none_or(has_price)
            && from.hold(start)
            && to.hold(end)
    };
    list::response(call, "/v1/subscriptions", world.all(KIND).filter(wanted))
}

/// Resumes a paused subscription: immediately if nothing is due, otherwise once its invoice is
/// paid.
fn resume(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let before = world.find(KIND, call.id(), "id")?.clone();
    let restarts = update::read_anchor(&call.form)? != Some("unchanged");
    update::read_proration(&call.form)?;
    call.form.ignore(&["payment_behavior", "proration_date"]);
    call.form.finish()?;
    if before["status"] != "paused" {
        let message = "You can only resume a paused subscription.";
        return Err(StripeError::invalid("subscription_not_paused", "id", message));
    }
    let now = world.now();
    let anchor =
        if restarts { now } else { before["billing_cycle_anchor"].as_i64().unwrap_or(now) };
    let period =
        subscriptions::items::interval(subscriptions::items::of(&before)).period_at(anchor, now);
    let mut after = before.clone();
    subscriptions::items::move_to(&mut after, period);
    after["billing_cycle_anchor"] = json!(anchor);
    let mut all = lines::pending(world, call.id());
    all.extend(lines::of_period(world, &after, period, false));
    let draft = Draft {
        customer: text(&before, "customer").to_owned(),
        currency: text(&before, "currency").to_owned(),
        reason: "subscription_update",
        subscription: Some(call.id().to_owned()),
        lines: all,
        period: (subscriptions::items::period(&before).0, now),
        discounts: lifecycle::discounts::active(world, &after["discounts"], now),
        ..Draft::default()
    };
    let invoice_id = invoicing::draft(world, draft);
    after["latest_invoice"] = json!(invoice_id);
    after["discounts"] = subscriptions::without_once(world, &after);
    let previous = world.edit(call.id(), |subscription| *subscription = after);
    subscriptions::emit_updated(world, call.id(), previous);
    world.emit("invoice.created", &invoice_id);
    invoicing::finalize(world, &invoice_id);
    if world.get(&invoice_id).is_some_and(|invoice| invoice["status"] == "open") {
        // A declined card is not an error: the subscription stays paused.
        let _ = invoicing::collect(world, &invoice_id, None, cards::Payer::Present);
    }
    world.find(KIND, call.id(), "id").cloned()
}

fn delete_discount(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let subscription = world.find(KIND, call.id(), "id")?;
    call.form.finish()?;
    let last =
        subscription["discounts"].as_array().and_then(|all| all.last()).and_then(Value::as_str);
    let id = last.ok_or_else(|| StripeError::missing("discount", call.id(), "id"))?.to_owned();
    let mut discount = world.get(&id).cloned().unwrap_or_else(|| shapes::part("discount"));
    let previous = world.edit(call.id(), |subscription| {
        if let Some(all) = subscription["discounts"].as_array_mut() {
            all.pop();
        }
    });
    world.emit("customer.discount.deleted", &id);
    subscriptions::emit_updated(world, call.id(), previous);
    discount["deleted"] = json!(true);
    Ok(discount)
}

fn items_of(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let id = call.form.need_text("subscription")?;
    let subscription = world.find(KIND, &id, "subscription")?;
    list::response(call, "/v1/subscription_items", subscriptions::items::of(subscription).iter())
}

fn item(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    let found = subscriptions::items::find(world, call.id());
    found.cloned().ok_or_else(|| StripeError::missing("subscription_item", call.id(), "id"))
}
