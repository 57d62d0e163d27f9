//! A summary of a user's plan and status after a trigger.

use serde_json::{Value, json};

use crate::fixtures::{DEFAULT_USER, FixtureContext, prices};
use crate::world::{World, text};

/// Returns the user with the plan, interval and status of their latest subscription. If `plan` has
/// a one-time price, it describes the latest payment instead. Missing values are null.
pub fn summary(world: &mut World, user: Option<&str>, plan: Option<&str>) -> Value {
    let named = user.unwrap_or(DEFAULT_USER);
    let mut summary = json!({ "user": named, "plan": null, "interval": null, "status": null });
    let Some(customer) = (FixtureContext { world, user, plan }).known_customer() else {
        return summary;
    };
    let theirs = |kind: &str| world.all(kind).find(|one| text(one, "customer") == customer);
    let asked = plan.and_then(|plan| prices::find(world, plan));
    if let Some(price) = asked.filter(|price| !price["recurring"].is_object()) {
        summary["plan"] = json!(prices::display_name(world, &price));
        summary["interval"] = json!("once");
        summary["status"] = theirs("payment_intent").map_or(Value::Null, |it| it["status"].clone());
    } else if let Some(subscription) = theirs("subscription") {
        let price = &subscription["items"]["data"][0]["price"];
        // The current price has the current name.
        let price = world.get(text(price, "id")).unwrap_or(price);
        summary["plan"] = json!(prices::display_name(world, price));
        summary["interval"] = json!(interval(&price["recurring"]));
        summary["status"] = subscription["status"].clone();
    }
    summary
}

fn interval(recurring: &Value) -> String {
    let unit = text(recurring, "interval");
    match (unit, recurring["interval_count"].as_i64().unwrap_or(1)) {
        ("day", 1) => "daily".to_owned(),
        ("month", 3) => "quarterly".to_owned(),
        (unit, 1) => format!("{unit}ly"),
        (unit, count) => format!("every {count} {unit}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::trigger::trigger;
    use crate::world::World;

    #[test]
    fn a_summary_describes_the_latest_subscription() {
        let mut world = World::default();
        world.set_now(1_800_000_000);
        let none = json!({ "user": "test-123", "plan": null, "interval": null, "status": null });
        assert_eq!(summary(&mut world, None, None), none);
        trigger(&mut world, "customer.subscription.created", Some("ada"), Some("pro")).unwrap();
        let has =
            json!({ "user": "ada", "plan": "pro", "interval": "monthly", "status": "active" });
        assert_eq!(summary(&mut world, Some("ada"), None), has);
        trigger(&mut world, "customer.subscription.deleted", Some("ada"), None).unwrap();
        assert_eq!(summary(&mut world, Some("ada"), None)["status"], "canceled");
    }
}
