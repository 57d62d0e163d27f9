//! Setup intents: a card kept without a payment. Sessions make them; the API may look at them and
//! make one that is confirmed at once.

use serde_json::{Value, json};

use super::error::StripeError;
use super::http::{Call, Route};
use super::world::{World, text};
use super::{cards, customers, list, metadata, payment_methods, payments, shapes};

const KIND: &str = "setup_intent";

pub const ROUTES: &[Route] = &[
    Route::post("/v1/setup_intents", create),
    Route::get("/v1/setup_intents", index),
    Route::get("/v1/setup_intents/{id}", retrieve),
    Route::post("/v1/setup_intents/{id}/confirm", confirm),
];

fn begin(world: &mut World, customer: &str, metadata: &Value) -> String {
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

/// One that has kept that method already.
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

fn create(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let form = &call.form;
    let customer = form.text("customer")?.unwrap_or_default();
    if !customer.is_empty() {
        customers::living(world, &customer, "customer")?;
    }
    let method = form.text("payment_method")?;
    let method =
        method.map(|id| payment_methods::resolve(world, &id, "payment_method")).transpose()?;
    let confirms = form.boolean("confirm")?.unwrap_or(false);
    let metadata = metadata::of(form)?;
    form.ignore(&[
        "automatic_payment_methods",
        "description",
        "payment_method_types",
        "return_url",
        "usage",
    ]);
    form.finish()?;
    if confirms && method.is_none() {
        return Err(form.missing("payment_method"));
    }
    if let Some(method) = method.as_ref().filter(|_| confirms) {
        accept(method)?;
    }
    let id = begin(world, &customer, &metadata);
    if let Some(method) = method {
        keep(world, &id, method, &customer, confirms);
    }
    world.find(KIND, &id, "id").cloned()
}

fn accept(method: &Value) -> Result<(), StripeError> {
    cards::refusal(method).map_or(Ok(()), |decline| Err(payments::refusal(method, decline)))
}

fn keep(world: &mut World, id: &str, method: Value, customer: &str, confirms: bool) {
    if !confirms {
        let method_id = payment_methods::put(world, method);
        let fields = json!({ "payment_method": method_id, "status": "requires_confirmation" });
        world.edit(id, |intent| shapes::set(intent, fields));
        return;
    }
    let method_id = match customer {
        "" => payment_methods::put(world, method),
        customer => payment_methods::keep(world, method, customer),
    };
    succeed(world, id, &method_id);
}

fn confirm(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let intent = world.find(KIND, call.id(), "id")?.clone();
    let given = call.form.text("payment_method")?;
    call.form.ignore(&["return_url"]);
    call.form.finish()?;
    let method_id = given.unwrap_or_else(|| text(&intent, "payment_method").to_owned());
    let method = payment_methods::resolve(world, &method_id, "payment_method")?;
    if intent["status"] == "succeeded" {
        let message = "You cannot confirm this SetupIntent because it has already succeeded.";
        return Err(StripeError::invalid("setup_intent_unexpected_state", "id", message));
    }
    accept(&method)?;
    keep(world, call.id(), method, text(&intent, "customer"), true);
    world.find(KIND, call.id(), "id").cloned()
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.ignore(&["client_secret"]);
    call.form.finish()?;
    world.find(KIND, call.id(), "id").cloned()
}

fn index(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let customer = call.form.text("customer")?;
    let wanted = |intent: &&Value| customer.as_ref().is_none_or(|id| intent["customer"] == **id);
    list::answer(call, "/v1/setup_intents", world.all(KIND).filter(wanted))
}
