//! Setup intents, which save a card without a payment. Checkout sessions and the API create them.

use serde_json::{Value, json};

use crate::lifecycle::payment_methods;
use crate::world::{World, shapes, text};

pub const KIND: &str = "setup_intent";

pub fn begin(world: &mut World, customer: &str, metadata: &Value) -> String {
    let mut intent = shapes::object(world, KIND, "seti");
    let secret = format!("{}_{}", text(&intent, "id"), world.new_id("secret"));
    let customer = if customer.is_empty() { Value::Null } else { json!(customer) };
    shapes::set(
        &mut intent,
        json!({ "client_secret": secret, "customer": customer, "metadata": metadata }),
    );
    let id = world.insert(intent);
    world.emit("setup_intent.created", &id);
    id
}

/// Creates a succeeded setup intent.
pub fn succeeded(world: &mut World, customer: &str, method_id: &str, metadata: &Value) -> String {
    let id = begin(world, customer, metadata);
    succeed(world, &id, method_id);
    id
}

fn succeed(world: &mut World, id: &str, method_id: &str) {
    world.edit(id, |intent| {
        shapes::set(intent, json!({ "payment_method": method_id, "status": "succeeded" }));
    });
    world.emit("setup_intent.succeeded", id);
}

pub fn keep(world: &mut World, id: &str, method: Value, customer: &str, confirms: bool) {
    if !confirms {
        let method_id = payment_methods::insert_if_new(world, method);
        let fields = json!({ "payment_method": method_id, "status": "requires_confirmation" });
        world.edit(id, |intent| shapes::set(intent, fields));
        return;
    }
    let method_id = match customer {
        "" => payment_methods::insert_if_new(world, method),
        customer => payment_methods::attach(world, method, customer),
    };
    succeed(world, id, &method_id);
}
