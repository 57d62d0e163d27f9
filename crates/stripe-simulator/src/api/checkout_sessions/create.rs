//! `POST /v1/checkout/sessions`: reads and checks every parameter, then creates the session.

use serde_json::{Value, json};

use crate::api::checkout_sessions::settings;
use crate::api::params::Params;
use crate::api::prices::{self, Inline};
use crate::api::{Call, discounts, metadata};
use crate::error::StripeError;
use crate::lifecycle::checkout::KIND;
use crate::lifecycle::checkout::items::{self, price, set_totals, write_redemptions};
use crate::lifecycle::discounts::{Purchase, Redemption};
use crate::lifecycle::subscriptions::begin;
use crate::lifecycle::{self, customers};
use crate::world::calendar::{DAY, HOUR, MINUTE};
use crate::world::{World, amounts, notes, shapes, text};

const SHORTEST: i64 = 30 * MINUTE;

const LONGEST: i64 = 24 * HOUR;

/// A trial must end at least two days after the session could be completed.
const SHORTEST_TRIAL: i64 = 2 * DAY;

/// Stripe's minimum charge in USD and EUR, in cents.
const LEAST_AMOUNT: i64 = 50;

/// A requested line: an existing price, or `price_data` for a new one.
struct WantedLine {
    price: LinePrice,
    quantity: i64,
    adjustable: Value,
    metadata: Value,
}

enum LinePrice {
    Existing(Value),
    Inline(Inline),
}

pub fn run(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let mode = form
        .choice("mode", &["payment", "setup", "subscription"])?
        .ok_or_else(|| form.missing("mode"))?;
    let lines = read_lines(world, form, mode)?;
    let currency = currency_of(form, &lines)?;
    let customer = read_customer(world, form)?;
    let mut fields = settings::read(form, mode)?;
    fields["expires_at"] = json!(read_expiry(world, form)?);
    let notes = settings::read_data(form, mode)?;
    check_trial(world, form, &notes["subscription_data"])?;
    let redemptions = read_discounts(world, form, &fields)?;
    form.finish()?;
    check_lines(form, mode, &lines, &currency)?;
    check_redemptions(world, &redemptions, &customer, &currency)?;

    let session_id = world.new_id("cs_test");
    let made = lines.into_iter().map(|line| make_line(world, line, &currency)).collect::<Vec<_>>();
    let trial = notes["subscription_data"]["trial_end"].is_i64()
        || notes["subscription_data"]["trial_period_days"].is_i64();
    let mut priced = made.clone();
    let coupons = items::coupons(world, &redemptions);
    let totals = price(&mut priced, &currency, trial, &coupons);
    let ids: Vec<String> = priced
        .into_iter()
        .map(|mut item| {
            item["price"] = shapes::embedded_price(&item["price"]);
            world.insert(item)
        })
        .collect();
    let mut session = shapes::object(world, KIND, "cs_test");
    shapes::set(&mut session, fields);
    if mode == "payment" {
        session["invoice_creation"] = settings::invoice_creation(&notes["invoice_data"]);
    }
    shapes::set(
        &mut session,
        json!({
            "id": session_id,
            "currency": if mode == "setup" { form_currency(&currency) } else { json!(currency) },
            "customer": customer,
            "mode": mode,
            "url": format!("{}/simulator/checkout/{session_id}", call.base),
        }),
    );
    if mode == "setup" {
        shapes::set(
            &mut session,
            json!({ "payment_status": "no_payment_required", "total_details": null }),
        );
    } else {
        set_totals(&mut session, totals, &redemptions);
    }
    world.insert(session);
    notes::write(world, &session_id, "line_items", json!(ids));
    for name in ["subscription_data", "payment_intent_data", "customer_update", "invoice_data"] {
        notes::write(world, &session_id, name, notes[name].clone());
    }
    write_redemptions(world, &session_id, &redemptions);
    world.find(KIND, &session_id, "id").cloned()
}

fn form_currency(currency: &str) -> Value {
    if currency.is_empty() { Value::Null } else { json!(currency) }
}

fn read_lines(world: &World, form: &Params, mode: &str) -> Result<Vec<WantedLine>, StripeError> {
    let entries = form.objects("line_items")?.unwrap_or_default();
    if entries.is_empty() && mode != "setup" {
        return Err(form.missing("line_items"));
    }
    entries.iter().map(|entry| read_line(world, entry)).collect()
}

fn read_line(world: &World, entry: &Params) -> Result<WantedLine, StripeError> {
    let price = match (entry.text("price")?, entry.object("price_data")?) {
        (Some(id), None) => LinePrice::Existing(existing(world, &id, &entry.name("price"))?),
        (None, Some(data)) => LinePrice::Inline(prices::read_inline(world, &data)?),
        (Some(_), Some(_)) => {
            let message = "You may only specify one of these parameters: price, price_data.";
            return Err(entry.refuse("price", message.to_owned()));
        }
        (None, None) => return Err(entry.missing("price")),
    };
    let quantity = entry.integer_from("quantity", 1)?.ok_or_else(|| entry.missing("quantity"))?;
    let mut adjustable = Value::Null;
    if let Some(given) = entry.object("adjustable_quantity")? {
        adjustable = json!({
            "enabled": given.boolean("enabled")?.unwrap_or(false),
            "maximum": given.integer_from("maximum", 1)?,
            "minimum": given.integer_from("minimum", 0)?,
        });
    }
    entry.ignore(&["tax_rates"]);
    Ok(WantedLine { price, quantity, adjustable, metadata: metadata::of(entry)? })
}

fn existing(world: &World, id: &str, param: &str) -> Result<Value, StripeError> {
    let price = world.find("price", id, param)?;
    if price["active"] == false {
        let message =
            format!("The price specified is inactive. This field only accepts active prices: {id}");
        return Err(StripeError::invalid("resource_missing", param, message));
    }
    Ok(price.clone())
}

impl WantedLine {
    /// The price's fields, available before an inline price is created.
    fn terms(&self) -> Value {
        match &self.price {
            LinePrice::Existing(price) => price.clone(),
            LinePrice::Inline(inline) => inline.terms(),
        }
    }
}

fn currency_of(form: &Params, lines: &[WantedLine]) -> Result<String, StripeError> {
    let given = form.text("currency")?;
    let of_first = || lines.first().map(|line| text(&line.terms(), "currency").to_owned());
    Ok(given.map(|currency| currency.to_lowercase()).or_else(of_first).unwrap_or_default())
}

fn check_lines(
    form: &Params,
    mode: &str,
    lines: &[WantedLine],
    currency: &str,
) -> Result<(), StripeError> {
    let mut total = 0;
    let mut recurring = None;
    for (place, line) in lines.iter().enumerate() {
        let terms = line.terms();
        let name = format!("line_items[{place}]");
        let Some(amount) = amounts::price_amount(&terms, currency, line.quantity) else {
            let message = format!(
                "The price of this line has no amount in {currency}, or its billing scheme is not \
                    simulated."
            );
            return Err(StripeError::invalid("currency_mismatch", &name, message));
        };
        total = amount.saturating_add(total);
        amounts::check_total(total, &name)?;
        if terms["recurring"].is_null() {
            continue;
        }
        if mode == "payment" {
            let message = "You specified `payment` mode but passed a recurring price. Either \
                switch to `subscription` mode or use only one-time prices.";
            return Err(form.refuse("line_items", message.to_owned()));
        }
        let interval =
            (terms["recurring"]["interval"].clone(), terms["recurring"]["interval_count"].clone());
        if recurring.as_ref().is_some_and(|other| *other != interval) {
            let message = "All recurring prices of a session must have the same interval; \
                mixed intervals are not simulated.";
            return Err(form.refuse("line_items", message.to_owned()));
        }
        recurring = Some(interval);
    }
    if mode == "subscription" && recurring.is_none() {
        let message = "You must provide at least one recurring price in `subscription` mode when \
            using prices.";
        return Err(form.refuse("line_items", message.to_owned()));
    }
    if mode == "payment" && (1..LEAST_AMOUNT).contains(&total) && matches!(currency, "usd" | "eur")
    {
        let message = "The Checkout Session's total amount due must add up to at least $0.50 usd";
        return Err(StripeError::invalid("amount_too_small", "line_items", message));
    }
    Ok(())
}

fn read_customer(world: &World, form: &Params) -> Result<Option<String>, StripeError> {
    let Some(id) = form.text("customer")? else { return Ok(None) };
    customers::find_existing(world, &id, "customer")?;
    for name in ["customer_creation", "customer_email"] {
        if form.has(name) {
            let message =
                format!("You may only specify one of these parameters: customer, {name}.");
            return Err(form.refuse(name, message));
        }
    }
    Ok(Some(id))
}

fn read_expiry(world: &World, form: &Params) -> Result<i64, StripeError> {
    let now = world.now();
    let Some(at) = form.integer("expires_at")? else { return Ok(now + LONGEST) };
    // Allows for the time that passed since the caller read the clock.
    if at < now + SHORTEST - MINUTE {
        let message = "The `expires_at` timestamp must be at least 30 minutes from Checkout \
            Session creation.";
        return Err(form.refuse("expires_at", message.to_owned()));
    }
    if at > now + LONGEST + MINUTE {
        let message =
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.";
        return Err(form.refuse("expires_at", message.to_owned()));
    }
    Ok(at)
}

fn check_trial(world: &World, form: &Params, data: &Value) -> Result<(), StripeError> {
    let Some(end) = data["trial_end"].as_i64() else { return Ok(()) };
    if !data["trial_period_days"].is_null() {
        let message = "You may only specify one of these parameters: trial_end, trial_period_days.";
        return Err(form.refuse("subscription_data[trial_end]", message.to_owned()));
    }
    begin::check_trial_end(world, end, "subscription_data[trial_end]")?;
    if end < world.now() + SHORTEST_TRIAL {
        let message = "The `trial_end` date has to be at least 2 days in the future.";
        return Err(form.refuse("subscription_data[trial_end]", message.to_owned()));
    }
    Ok(())
}

fn read_discounts(
    world: &World,
    form: &Params,
    fields: &Value,
) -> Result<Vec<Redemption>, StripeError> {
    let redemptions = discounts::read(world, form)?.unwrap_or_default();
    if !redemptions.is_empty() && fields["allow_promotion_codes"] == true {
        let message =
            "You may only specify one of these parameters: allow_promotion_codes, discounts.";
        return Err(form.refuse("discounts", message.to_owned()));
    }
    Ok(redemptions)
}

fn check_redemptions(
    world: &World,
    redemptions: &[Redemption],
    customer: &Option<String>,
    currency: &str,
) -> Result<(), StripeError> {
    let customer = customer.as_deref().unwrap_or_default();
    let purchase = Purchase { customer, currency, amount: i64::MAX };
    redemptions.iter().try_for_each(|one| lifecycle::discounts::check(world, one, purchase))
}

fn make_line(world: &mut World, line: WantedLine, currency: &str) -> Value {
    let price = match line.price {
        LinePrice::Existing(price) => price,
        LinePrice::Inline(inline) => {
            let id = inline.insert(world);
            world.get(&id).cloned().unwrap_or(Value::Null)
        }
    };
    let mut item = shapes::object(world, "item", "li");
    let description = shapes::product_name(world, &price).to_owned();
    shapes::set(
        &mut item,
        json!({
            "adjustable_quantity": line.adjustable, "currency": currency,
            "description": description, "metadata": line.metadata, "price": price,
            "quantity": line.quantity,
        }),
    );
    item
}
