//! Describes amounts, intervals and subscriptions for the pages.

use dev_pages::format::{day, money};
use serde_json::Value;

use crate::world::text;

/// Formats an amount field in the object's currency.
pub fn amount(object: &Value, field: &str) -> String {
    money(object[field].as_i64().unwrap_or_default(), text(object, "currency"))
}

/// Formats a price: `$9.99 per month`, `$30.00 every 3 months`, or `$5.00` if one-time.
pub fn price(price: &Value) -> String {
    let amount = amount(price, "unit_amount");
    match interval(&price["recurring"]) {
        Some(interval) => format!("{amount} {interval}"),
        None => amount,
    }
}

/// Formats a quantity of a price: `$48.00 per month (2 × $24.00)`.
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

/// Describes when a subscription renews, cancels or leaves its trial: `Renews on 20 Nov 2026`.
pub fn renewal(subscription: &Value) -> Option<String> {
    let end = subscription["items"]["data"][0]["current_period_end"].as_i64();
    let cancels = subscription["cancel_at"]
        .as_i64()
        .or_else(|| end.filter(|_| subscription["cancel_at_period_end"] == true));
    match (text(subscription, "status"), cancels, end) {
        ("canceled" | "incomplete_expired", _, _) => {
            let ended = subscription["ended_at"].as_i64()?;
            Some(format!("Ended on {}", day(ended)))
        }
        (_, Some(at), _) => Some(format!("Cancels on {}", day(at))),
        ("active" | "past_due", None, Some(end)) => Some(format!("Renews on {}", day(end))),
        ("trialing", None, Some(end)) => Some(format!("Trial ends on {}", day(end))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_price_includes_its_interval() {
        let recurring = |count: i64| json!({ "interval": "month", "interval_count": count });
        for (recurring, expected) in [
            (recurring(1), "$9.99 per month"),
            (recurring(3), "$9.99 every 3 months"),
            (Value::Null, "$9.99"),
        ] {
            let object = json!({ "unit_amount": 999, "currency": "usd", "recurring": recurring });
            assert_eq!(price(&object), expected);
        }
    }

    #[test]
    fn a_quantity_shows_the_total_and_the_unit_price() {
        let recurring = json!({ "interval": "month", "interval_count": 1 });
        let each = json!({ "unit_amount": 2_400, "currency": "usd", "recurring": recurring });
        assert_eq!(priced(&each, &json!(2)), "$48.00 per month (2 × $24.00)");
        assert_eq!(priced(&each, &json!(1)), "$24.00 per month");
        assert_eq!(priced(&each, &Value::Null), "$24.00 per month");
    }

    #[test]
    fn a_renewal_is_described_by_the_status() {
        let items = json!({ "data": [{ "current_period_end": 1_795_180_445 }] });
        for (status, cancel_at, expected) in [
            ("active", Value::Null, Some("Renews on 20 Nov 2026")),
            ("trialing", Value::Null, Some("Trial ends on 20 Nov 2026")),
            ("active", json!(1_795_266_845), Some("Cancels on 21 Nov 2026")),
            ("canceled", Value::Null, Some("Ended on 1 Jan 1970")),
            ("paused", Value::Null, None),
        ] {
            let subscription = json!({
                "status": status, "items": items, "cancel_at": cancel_at, "ended_at": 0,
            });
            assert_eq!(renewal(&subscription).as_deref(), expected, "{status}");
        }
    }
}
