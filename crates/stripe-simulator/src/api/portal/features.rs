//! Reads the features of a portal configuration.

use serde_json::{Value, json};

use crate::api::params::Params;
use crate::error::StripeError;
use crate::world::World;

const PRORATIONS: &[&str] = &["always_invoice", "create_prorations", "none"];

pub fn read(world: &World, given: &Params, features: &mut Value) -> Result<(), StripeError> {
    if let Some(update) = given.object("customer_update")? {
        enable(&update, &mut features["customer_update"])?;
        if let Some(allowed) = update.texts("allowed_updates")? {
            features["customer_update"]["allowed_updates"] = json!(allowed);
        }
    }
    if let Some(history) = given.object("invoice_history")? {
        enable(&history, &mut features["invoice_history"])?;
    }
    if let Some(update) = given.object("payment_method_update")? {
        enable(&update, &mut features["payment_method_update"])?;
        update.ignore(&["payment_method_configuration"]);
    }
    if let Some(cancel) = given.object("subscription_cancel")? {
        read_cancel(&cancel, &mut features["subscription_cancel"])?;
    }
    if let Some(update) = given.object("subscription_update")? {
        read_update(world, &update, &mut features["subscription_update"])?;
    }
    Ok(())
}

fn enable(given: &Params, feature: &mut Value) -> Result<(), StripeError> {
    if let Some(enabled) = given.boolean("enabled")? {
        feature["enabled"] = json!(enabled);
    }
    Ok(())
}

fn read_cancel(given: &Params, feature: &mut Value) -> Result<(), StripeError> {
    enable(given, feature)?;
    if let Some(mode) = given.choice("mode", &["at_period_end", "immediately"])? {
        feature["mode"] = json!(mode);
    }
    if let Some(proration) = given.choice("proration_behavior", PRORATIONS)? {
        feature["proration_behavior"] = json!(proration);
    }
    if let Some(reason) = given.object("cancellation_reason")? {
        enable(&reason, &mut feature["cancellation_reason"])?;
        if let Some(options) = reason.texts("options")? {
            feature["cancellation_reason"]["options"] = json!(options);
        }
        reason.ignore(&["feedback_options"]);
    }
    Ok(())
}

fn read_update(world: &World, given: &Params, feature: &mut Value) -> Result<(), StripeError> {
    enable(given, feature)?;
    if let Some(allowed) = given.texts("default_allowed_updates")? {
        feature["default_allowed_updates"] = json!(allowed);
    }
    if let Some(proration) = given.choice("proration_behavior", PRORATIONS)? {
        feature["proration_behavior"] = json!(proration);
    }
    if let Some(anchor) = given.choice("billing_cycle_anchor", &["now", "unchanged"])? {
        feature["billing_cycle_anchor"] = json!(anchor);
    }
    if let Some(trial) = given.choice("trial_update_behavior", &["continue_trial", "end_trial"])? {
        feature["trial_update_behavior"] = json!(trial);
    }
    if let Some(schedule) = given.object("schedule_at_period_end")? {
        let mut conditions = Vec::new();
        for condition in schedule.objects("conditions")?.unwrap_or_default() {
            conditions.push(json!({ "type": condition.need_text("type")? }));
        }
        feature["schedule_at_period_end"]["conditions"] = json!(conditions);
    }
    if let Some(products) = given.objects("products")? {
        let read = |product: &Params| read_product(world, product);
        feature["products"] = json!(products.iter().map(read).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(())
}

fn read_product(world: &World, given: &Params) -> Result<Value, StripeError> {
    let product = given.need_text("product")?;
    world.find("product", &product, &given.name("product"))?;
    let prices = given.texts("prices")?.unwrap_or_default();
    for price in &prices {
        world.find("price", price, &given.name("prices"))?;
    }
    let mut adjustable = json!({ "enabled": false, "maximum": null, "minimum": 1 });
    if let Some(quantity) = given.object("adjustable_quantity")? {
        enable(&quantity, &mut adjustable)?;
        for name in ["maximum", "minimum"] {
            if let Some(bound) = quantity.integer_from(name, 0)? {
                adjustable[name] = json!(bound);
            }
        }
    }
    Ok(json!({ "adjustable_quantity": adjustable, "prices": prices, "product": product }))
}
