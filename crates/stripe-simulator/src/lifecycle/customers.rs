//! Creates and finds customers.

use serde_json::{Value, json};

use crate::error::StripeError;
use crate::world::World;

/// Creates a customer. `fields` override the defaults.
pub fn create(world: &mut World, fields: Value) -> String {
    let id = world.new_id("cus");
    let prefix = id.chars().rev().take(8).collect::<String>().to_uppercase();
    let mut customer = json!({
        "id": id,
        "object": "customer",
        "address": null,
        "balance": 0,
        "created": world.now(),
        "currency": null,
        "customer_account": null,
        "default_source": null,
        "delinquent": false,
        "description": null,
        "discount": null,
        "email": null,
        "invoice_prefix": prefix,
        "invoice_settings": no_invoice_settings(),
        "livemode": false,
        "metadata": {},
        "name": null,
        "next_invoice_sequence": 1,
        "phone": null,
        "preferred_locales": [],
        "shipping": null,
        "tax_exempt": "none",
        "test_clock": null,
    });
    merge(&mut customer, fields);
    world.insert(customer);
    world.emit("customer.created", &id);
    id
}

/// Finds a customer that is not deleted.
pub fn find_existing<'a>(
    world: &'a World,
    id: &str,
    param: &str,
) -> Result<&'a Value, StripeError> {
    let customer = world.find("customer", id, param)?;
    match customer["deleted"].as_bool() {
        Some(true) => Err(StripeError::missing("customer", id, param)),
        _ => Ok(customer),
    }
}

pub fn no_invoice_settings() -> Value {
    json!({
        "custom_fields": null,
        "default_payment_method": null,
        "footer": null,
        "rendering_options": null,
    })
}

pub fn merge(customer: &mut Value, fields: Value) {
    if let (Value::Object(customer), Value::Object(fields)) = (customer, fields) {
        customer.extend(fields);
    }
}
