//! Reads a price's amount and interval from `prices`, `price_data` and `default_price_data`.

use serde_json::{Map, Value, json};

use crate::api::params::Params;
use crate::error::StripeError;

pub const TAX_BEHAVIORS: &[&str] = &["exclusive", "inclusive", "unspecified"];

/// Reads the fields of a price that define its amount and interval.
pub fn read(form: &Params) -> Result<Map<String, Value>, StripeError> {
    let currency = read_currency(form)?;
    let recurring = form.object("recurring")?;
    let recurring = recurring.as_ref().map(read_recurring).transpose()?;
    let tiered = form.choice("billing_scheme", &["per_unit", "tiered"])? == Some("tiered");
    let tiers_mode = form.choice("tiers_mode", &["graduated", "volume"])?;
    let terms = PriceTerms::read(form)?;
    terms.check(form, tiered)?;
    if tiered && tiers_mode.is_none() {
        return Err(form.missing("tiers_mode"));
    }
    let kind = if recurring.is_some() { "recurring" } else { "one_time" };
    let mut options = read_currency_options(form)?;
    options.insert(currency.clone(), terms.option());
    let fields = json!({
        "billing_scheme": if tiered { "tiered" } else { "per_unit" },
        "currency": currency,
        "currency_options": options,
        "custom_unit_amount": terms.custom,
        "recurring": recurring,
        "tax_behavior": terms.tax_behavior,
        "tiers_mode": tiers_mode,
        "transform_quantity": read_transform(form)?,
        "type": kind,
        "unit_amount": terms.unit_amount,
        "unit_amount_decimal": terms.unit_amount_decimal,
    });
    let mut fields = fields.as_object().cloned().unwrap_or_default();
    fields.extend(terms.tiers.map(|tiers| ("tiers".to_owned(), tiers)));
    Ok(fields)
}

/// Reads the amounts in other currencies.
pub fn read_currency_options(form: &Params) -> Result<Map<String, Value>, StripeError> {
    let option = |(currency, given): &(String, Params)| {
        Ok((currency.to_lowercase(), PriceTerms::read(given)?.option()))
    };
    form.named_objects("currency_options")?.iter().map(option).collect()
}

fn read_currency(form: &Params) -> Result<String, StripeError> {
    let currency = form.need_text("currency")?.to_lowercase();
    if currency.len() != 3 || !currency.chars().all(|c| c.is_ascii_lowercase()) {
        return Err(form.refuse("currency", format!("Invalid currency: {currency}")));
    }
    Ok(currency)
}

/// The unit amount in one currency.
#[derive(Debug)]
struct PriceTerms {
    unit_amount: Option<i64>,
    unit_amount_decimal: Option<String>,
    tax_behavior: &'static str,
    custom: Option<Value>,
    tiers: Option<Value>,
}

impl PriceTerms {
    fn read(form: &Params) -> Result<Self, StripeError> {
        let (unit_amount, unit_amount_decimal) = read_amount(form, "unit_amount")?;
        let tiers = form.objects("tiers")?.filter(|tiers| !tiers.is_empty());
        let tiers = tiers.map(|tiers| tiers.iter().map(read_tier).collect()).transpose()?;
        let tax_behavior = form.choice("tax_behavior", TAX_BEHAVIORS)?.unwrap_or("unspecified");
        let custom = read_custom(form)?;
        Ok(Self { unit_amount, unit_amount_decimal, tax_behavior, custom, tiers })
    }

    fn check(&self, form: &Params, tiered: bool) -> Result<(), StripeError> {
        let missing = match (tiered, &self.tiers) {
            (true, None) => "tiers",
            (false, _) if self.unit_amount_decimal.is_none() && self.custom.is_none() => {
                "unit_amount"
            }
            _ => return Ok(()),
        };
        Err(form.missing(missing))
    }

    fn option(&self) -> Value {
        let mut option = json!({
            "custom_unit_amount": self.custom,
            "tax_behavior": self.tax_behavior,
            "unit_amount": self.unit_amount,
            "unit_amount_decimal": self.unit_amount_decimal,
        });
        if let Some(tiers) = &self.tiers {
            option["tiers"] = tiers.clone();
        }
        option
    }
}

/// Reads an amount as a decimal, and as an integer if it is whole.
fn read_amount(form: &Params, name: &str) -> Result<(Option<i64>, Option<String>), StripeError> {
    if let Some(amount) = form.integer_from(name, 0)? {
        return Ok((Some(amount), Some(amount.to_string())));
    }
    let decimal_name = format!("{name}_decimal");
    let Some(text) = form.text(&decimal_name)? else { return Ok((None, None)) };
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    if whole.is_empty() || fraction.len() > 12 || !digits(whole) || !digits(fraction) {
        return Err(form.refuse(&decimal_name, format!("Invalid decimal: {text}")));
    }
    let is_whole = fraction.trim_end_matches('0').is_empty();
    let amount = whole.parse().ok().filter(|_| is_whole);
    Ok((amount, Some(if is_whole { whole.to_owned() } else { text })))
}

fn read_recurring(form: &Params) -> Result<Value, StripeError> {
    let interval = form.choice("interval", &["day", "month", "week", "year"])?;
    let count = form.integer_from("interval_count", 1)?.unwrap_or(1);
    if form.choice("usage_type", &["licensed", "metered"])? == Some("metered") {
        let message = "Metered prices are not simulated: use licensed.";
        return Err(form.refuse("usage_type", message.to_owned()));
    }
    Ok(json!({
        "interval": interval.ok_or_else(|| form.missing("interval"))?,
        "interval_count": count,
        "meter": null,
        "trial_period_days": form.integer_from("trial_period_days", 1)?,
        "usage_type": "licensed",
    }))
}

fn read_tier(form: &Params) -> Result<Value, StripeError> {
    let (flat_amount, flat_amount_decimal) = read_amount(form, "flat_amount")?;
    let (unit_amount, unit_amount_decimal) = read_amount(form, "unit_amount")?;
    let up_to = form.need_text("up_to")?;
    let bound = up_to.parse::<i64>().ok();
    if bound.is_none() && up_to != "inf" {
        return Err(form.refuse("up_to", format!("Invalid integer: {up_to}")));
    }
    Ok(json!({
        "flat_amount": flat_amount,
        "flat_amount_decimal": flat_amount_decimal,
        "unit_amount": unit_amount,
        "unit_amount_decimal": unit_amount_decimal,
        "up_to": bound,
    }))
}

/// Reads the amounts that the buyer may choose.
fn read_custom(form: &Params) -> Result<Option<Value>, StripeError> {
    let Some(given) = form.object("custom_unit_amount")? else { return Ok(None) };
    let (maximum, minimum) = (given.integer("maximum")?, given.integer("minimum")?);
    let amounts =
        json!({ "maximum": maximum, "minimum": minimum, "preset": given.integer("preset")? });
    let enabled = given.boolean("enabled")?.ok_or_else(|| given.missing("enabled"))?;
    Ok(enabled.then_some(amounts))
}

fn read_transform(form: &Params) -> Result<Option<Value>, StripeError> {
    let Some(given) = form.object("transform_quantity")? else { return Ok(None) };
    let round = given.choice("round", &["down", "up"])?.ok_or_else(|| given.missing("round"))?;
    let divide_by =
        given.integer_from("divide_by", 1)?.ok_or_else(|| given.missing("divide_by"))?;
    Ok(Some(json!({ "divide_by": divide_by, "round": round })))
}
