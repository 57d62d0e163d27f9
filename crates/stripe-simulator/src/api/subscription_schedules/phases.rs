//! Reads the phases of a schedule: their items, start and end.

use serde_json::{Value, json};

use crate::api::metadata;
use crate::api::params::Params;
use crate::error::StripeError;
use crate::lifecycle::schedules::phases;
use crate::lifecycle::subscriptions::items;
use crate::world::calendar::Interval;
use crate::world::{World, shapes, text};

/// Stripe's fields of a phase that have no effect here.
const WITHOUT_EFFECT: &[&str] = &[
    "add_invoice_items",
    "application_fee_percent",
    "automatic_tax",
    "billing_thresholds",
    "collection_method",
    "currency",
    "default_tax_rates",
    "description",
    "discounts",
    "invoice_settings",
    "on_behalf_of",
    "transfer_data",
    "trial",
];

/// Reads `phases`: the current one, then the future ones, without gaps.
pub fn read(
    world: &World,
    form: &Params,
    schedule: &Value,
) -> Result<Option<Vec<Value>>, StripeError> {
    let Some(entries) = form.objects("phases")? else { return Ok(None) };
    if entries.is_empty() {
        return Err(form.missing("phases"));
    }
    let subscription = world.get(text(schedule, "subscription")).unwrap_or(&Value::Null);
    let first_start = schedule["current_phase"]["start_date"].as_i64().unwrap_or(world.now());
    let mut start = first_start;
    let mut phases = Vec::new();
    let count = entries.len();
    for (place, entry) in entries.iter().enumerate() {
        let is_last = place + 1 == count;
        let phase = read_one(world, entry, subscription, start, is_last)?;
        start = phase["end_date"].as_i64().unwrap_or(start);
        phases.push(phase);
    }
    Ok(Some(phases))
}

fn read_one(
    world: &World,
    entry: &Params,
    subscription: &Value,
    start: i64,
    is_last: bool,
) -> Result<Value, StripeError> {
    let items = entry.objects("items")?.unwrap_or_default();
    if items.is_empty() {
        return Err(entry.missing("items"));
    }
    let mut listed = Vec::new();
    let mut interval = None;
    for item in &items {
        let price = items::recurring_price(world, &item.need_text("price")?, &item.name("price"))?;
        let quantity = item.integer_from("quantity", 0)?.unwrap_or(1);
        item.ignore(&["billing_thresholds", "discounts", "plan", "tax_rates"]);
        interval = Some(Interval::of(&price["recurring"]));
        listed.push(phases::phase_item(text(&price, "id"), quantity, &metadata::of(item)?));
    }
    let given_start = read_moment(world, entry, "start_date")?.unwrap_or(start);
    if given_start != start {
        let message =
            format!("Phases must follow each other without gaps: this one starts at {start}.");
        return Err(entry.refuse("start_date", message));
    }
    let end = read_end(world, entry, start, interval)?;
    let end = match (end, is_last, interval) {
        (Some(end), ..) => end,
        // A last phase without an end lasts one period, as with Stripe.
        (None, true, Some(interval)) => interval.period_at(start, start).1,
        (None, ..) => return Err(entry.missing("end_date")),
    };
    if end <= start {
        return Err(entry.refuse("end_date", "A phase must end after it starts.".to_owned()));
    }
    let anchor = entry.choice("billing_cycle_anchor", &["automatic", "phase_start"])?;
    let mut phase = shapes::part("phase");
    shapes::set(
        &mut phase,
        json!({
            "billing_cycle_anchor": anchor,
            "currency": subscription["currency"],
            "default_payment_method": entry.text("default_payment_method")?,
            "end_date": end,
            "items": listed,
            "metadata": metadata::of(entry)?,
            "start_date": start,
            "trial_end": read_moment(world, entry, "trial_end")?,
        }),
    );
    let words = &["always_invoice", "create_prorations", "none"];
    if let Some(behavior) = entry.choice("proration_behavior", words)? {
        phase["proration_behavior"] = json!(behavior);
    }
    entry.ignore(WITHOUT_EFFECT);
    Ok(phase)
}

/// Reads the end: `end_date`, `duration`, or older clients' `iterations` of the price's interval.
fn read_end(
    world: &World,
    entry: &Params,
    start: i64,
    interval: Option<Interval>,
) -> Result<Option<i64>, StripeError> {
    let duration = entry.object("duration")?;
    let iterations = entry.integer_from("iterations", 1)?;
    if let Some(end) = read_moment(world, entry, "end_date")? {
        return Ok(Some(end));
    }
    if let Some(duration) = duration {
        let words = &["day", "week", "month", "year"];
        let unit =
            duration.choice("interval", words)?.ok_or_else(|| duration.missing("interval"))?;
        let count = duration.integer_from("interval_count", 1)?.unwrap_or(1);
        let interval = Interval::of(&json!({ "interval": unit, "interval_count": count }));
        return Ok(Some(interval.boundary(start, 1)));
    }
    Ok(iterations.zip(interval).map(|(count, interval)| interval.boundary(start, count)))
}

fn read_moment(world: &World, entry: &Params, name: &str) -> Result<Option<i64>, StripeError> {
    match entry.text(name)?.as_deref() {
        Some("now") => Ok(Some(world.now())),
        _ => entry.integer(name),
    }
}
