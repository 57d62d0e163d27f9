//! Changes the plan from the portal: immediately, or at the end of the period if the configuration
//! requires it for a downgrade.

use serde_json::{Value, json};

use crate::api::{Verb, request};
use crate::error::StripeError;
use crate::pages::fields::Fields;
use crate::pages::portal::{PageData, offered};
use crate::world::{World, text};

/// Days of an interval unit, to compare intervals.
const DAYS: [(&str, i64); 4] = [("day", 1), ("week", 7), ("month", 30), ("year", 365)];

/// Changes a subscription item to the chosen price and quantity.
pub fn change(
    world: &mut World,
    subscription: &Value,
    data: &PageData,
    chosen: &Fields,
) -> Result<(), StripeError> {
    offered(data, "subscription_update")?;
    let id = chosen.get("item").unwrap_or_default();
    let items = subscription["items"]["data"].as_array();
    let item = items.into_iter().flatten().find(|item| text(item, "id") == id);
    let item = item.ok_or_else(|| StripeError::missing("subscription_item", id, "item"))?;
    let price = match chosen.filled("price") {
        None => &item["price"],
        Some(id) => {
            let offered = data.prices.iter().find(|(offered, _)| text(offered, "id") == id);
            &offered.ok_or_else(|| StripeError::missing("price", id, "price"))?.0
        }
    };
    let quantity =
        chosen.filled("quantity").map_or_else(|| quantity(item, price), |text| json!(text));
    let feature = &data.features["subscription_update"];
    if is_scheduled(feature, item, price, &quantity) {
        return schedule(world, subscription, item, price, &quantity);
    }
    let mut form = json!({
        "items": [{ "id": id, "price": price["id"], "quantity": quantity }],
        "proration_behavior": feature["proration_behavior"].as_str().unwrap_or("none"),
    });
    if feature["billing_cycle_anchor"] == "now" {
        form["billing_cycle_anchor"] = json!({ "type": "now" });
    }
    if subscription["status"] == "trialing" && feature["trial_update_behavior"] == "end_trial" {
        form["trial_end"] = json!("now");
    }
    let path = format!("/v1/subscriptions/{}", text(subscription, "id"));
    request(world, Verb::Post, &path, form).map(drop)
}

/// The quantity after a change of price. It is kept within a product and is 1 for another product,
/// which may not have seats.
pub fn quantity(item: &Value, price: &Value) -> Value {
    match price["product"] == item["price"]["product"] {
        true => item["quantity"].clone(),
        false => json!(1),
    }
}

/// Returns true if the configuration schedules this change for the end of the period.
fn is_scheduled(feature: &Value, item: &Value, price: &Value, quantity: &Value) -> bool {
    let conditions = feature["schedule_at_period_end"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| match text(condition, "type") {
        "decreasing_item_amount" => {
            amount(price, quantity) < amount(&item["price"], &item["quantity"])
        }
        "shortening_interval" => days(price) < days(&item["price"]),
        _ => false,
    })
}

fn amount(price: &Value, quantity: &Value) -> i64 {
    let quantity = quantity.as_str().and_then(|text| text.parse().ok()).or(quantity.as_i64());
    price["unit_amount"].as_i64().unwrap_or(0).saturating_mul(quantity.unwrap_or(1))
}

fn days(price: &Value) -> i64 {
    let recurring = &price["recurring"];
    let unit = DAYS.iter().find(|(unit, _)| *unit == text(recurring, "interval"));
    unit.map_or(0, |(_, days)| days * recurring["interval_count"].as_i64().unwrap_or(1))
}

/// Schedules the change for the end of the period.
fn schedule(
    world: &mut World,
    subscription: &Value,
    item: &Value,
    price: &Value,
    quantity: &Value,
) -> Result<(), StripeError> {
    const SCHEDULES: &str = "/v1/subscription_schedules";
    // The new change replaces one that is already scheduled.
    if let Some(id) = subscription["schedule"].as_str() {
        request(world, Verb::Post, &format!("{SCHEDULES}/{id}/release"), json!({}))?;
    }
    let from = json!({ "from_subscription": subscription["id"] });
    let schedule = request(world, Verb::Post, SCHEDULES, from)?;
    let recurring = &price["recurring"];
    let form = json!({
        "end_behavior": "release",
        "phases": [
            {
                "items": [{ "price": item["price"]["id"], "quantity": item["quantity"] }],
                "start_date": schedule["phases"][0]["start_date"],
                "end_date": schedule["phases"][0]["end_date"],
            },
            {
                "items": [{ "price": price["id"], "quantity": quantity }],
                "duration": {
                    "interval": recurring["interval"],
                    "interval_count": recurring["interval_count"],
                },
            },
        ],
    });
    let path = format!("{SCHEDULES}/{}", text(&schedule, "id"));
    request(world, Verb::Post, &path, form).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(minor: i64, interval: &str) -> Value {
        let recurring = json!({ "interval": interval, "interval_count": 1 });
        json!({ "unit_amount": minor, "recurring": recurring })
    }

    #[test]
    fn a_downgrade_is_scheduled_if_the_configuration_requires_it() {
        let item = json!({ "price": price(1_000, "month"), "quantity": 2 });
        for (condition, price, quantity, waits) in [
            ("decreasing_item_amount", price(500, "month"), json!(2), true),
            ("decreasing_item_amount", price(1_000, "month"), json!("1"), true),
            ("decreasing_item_amount", price(500, "month"), json!("4"), false),
            ("decreasing_item_amount", price(3_000, "month"), json!(2), false),
            ("shortening_interval", price(1_000, "week"), json!(2), true),
            ("shortening_interval", price(1_000, "year"), json!(2), false),
            ("something_newer", price(1, "day"), json!(1), false),
        ] {
            let conditions = json!({ "conditions": [{ "type": condition }] });
            let feature = json!({ "schedule_at_period_end": conditions });
            assert_eq!(is_scheduled(&feature, &item, &price, &quantity), waits, "{condition}");
        }
        assert!(!is_scheduled(&json!({}), &item, &price(1, "day"), &json!(1)));
    }
}
