//! Payment methods: stores test cards and attaches them to customers.
//!
//! Any card number works. Only its last four digits are stored, and they determine its behavior.

use serde_json::{Value, json};

use crate::error::StripeError;
use crate::lifecycle::{cards, payments};
use crate::world::{World, text};

pub const KIND: &str = "payment_method";

/// Returns a stored method, or a new one from a test token.
pub fn resolve(world: &World, id: &str, param: &str) -> Result<Value, StripeError> {
    if let Some(method) = cards::from_token(world, id) {
        return Ok(method);
    }
    world.find(KIND, id, param).cloned()
}

/// Checks that a method is attached to the customer.
pub fn of_customer(
    world: &World,
    id: &str,
    customer: &str,
    param: &str,
) -> Result<(), StripeError> {
    let method = world.find(KIND, id, param)?;
    if method["customer"] == customer {
        return Ok(());
    }
    let message = format!(
        "The customer does not have a payment method with the ID {id}. The payment method must \
            be attached to the customer."
    );
    Err(StripeError::invalid("resource_missing", param, message))
}

/// Attaches a method to a customer. A card that the bank declines cannot be attached.
pub fn attach_checked(
    world: &mut World,
    method: Value,
    customer_id: &str,
) -> Result<String, StripeError> {
    if let Some(decline) = cards::refusal(&method) {
        return Err(payments::refusal(&method, decline));
    }
    Ok(attach(world, method, customer_id))
}

/// Attaches a method without a check, for example one that has just paid.
pub fn attach(world: &mut World, method: Value, customer_id: &str) -> String {
    let id = insert_if_new(world, method);
    let previous = world.edit(&id, |method| method["customer"] = json!(customer_id));
    if !previous.is_empty() {
        world.emit("payment_method.attached", &id);
    }
    id
}

/// Stores a method unless it exists.
pub fn insert_if_new(world: &mut World, method: Value) -> String {
    let id = text(&method, "id").to_owned();
    if world.get(&id).is_none() {
        world.insert(method);
    }
    id
}
