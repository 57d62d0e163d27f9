//! Formats amounts, intervals and times for the pages.
//!
//! English only: the simulator is a developer tool.

use jiff::Timestamp;
use serde_json::Value;

use crate::pages::money::money;
use crate::world::text;

/// Formats an amount field in the object's currency.
pub fn amount(object: &Value, field: &str) -> String {
    money(object[field].as_i64().unwrap_or_default(), text(object, "currency"))
}

/// Formats a price: `USD 9.99 per month`, `USD 30.00 every 3 months`, or `USD 5.00` if one-time.
pub fn price(price: &Value) -> String {
    let amount = amount(price, "unit_amount");
    match interval(&price["recurring"]) {
        Some(interval) => format!("{amount} {interval}"),
        None => amount,
    }
}

/// Formats a quantity of a price: `USD 48.00 per month (2 × USD 24.00)`.
pub fn priced(each: &Value, quantity: &Value) -> String {
    let count = quantity.as_i64().unwrap_or(1);
    if count == 1 {
        return price(each);
    }
    let unit = amount(each, "unit_amount");
    let mut all = each.clone();
    all["unit_amount"] =
        Value::from(each["unit_amount"].as_i64().unwrap_or_default().saturating_mul(count));
    format!("{} ({count} × {unit})", price(&all))
}

/// Formats an interval: `per month`, `every 3 months`.
pub fn interval(recurring: &Value) -> Option<String> {
    let unit = recurring["interval"].as_str()?;
    Some(match recurring["interval_count"].as_i64() {
        None | Some(1) => format!("per {unit}"),
        Some(count) => format!("every {count} {unit}s"),
    })
}

/// Formats a time: `20 Nov 2026, 13:14:05 UTC`.
pub fn moment(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(
        |_| "a time out of range".to_owned(),
        |moment| moment.strftime("%-d %b %Y, %H:%M:%S UTC").to_string(),
    )
}

/// Formats a day: `20 November 2026`.
pub fn day(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(
        |_| "a day out of range".to_owned(),
        |moment| moment.strftime("%-d %B %Y").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_price_includes_its_interval() {
        let recurring = |count: i64| json!({ "interval": "month", "interval_count": count });
        for (recurring, expected) in [
            (recurring(1), "USD 9.99 per month"),
            (recurring(3), "USD 9.99 every 3 months"),
            (Value::Null, "USD 9.99"),
        ] {
            let object = json!({ "unit_amount": 999, "currency": "usd", "recurring": recurring });
            assert_eq!(price(&object), expected);
        }
    }

    #[test]
    fn a_quantity_shows_the_total_and_the_unit_price() {
        let recurring = json!({ "interval": "month", "interval_count": 1 });
        let each = json!({ "unit_amount": 2_400, "currency": "usd", "recurring": recurring });
        assert_eq!(priced(&each, &json!(2)), "USD 48.00 per month (2 × USD 24.00)");
        assert_eq!(priced(&each, &json!(1)), "USD 24.00 per month");
        assert_eq!(priced(&each, &Value::Null), "USD 24.00 per month");
    }

    #[test]
    fn times_are_in_utc() {
        assert_eq!(moment(0), "1 Jan 1970, 00:00:00 UTC");
        assert_eq!(day(1_795_180_445), "20 November 2026");
        assert_eq!(moment(i64::MAX), "a time out of range");
    }
}
