mod any;
mod customer;
mod invoice;
mod payment;
mod session;
mod subscription;
mod unknown_values;

use serde_json::{Value, json};

use crate::domain::event::Event;

fn event(kind: &str, object: &Value) -> Event {
    let event = json!({ "id": "evt_1", "type": kind, "created": 1, "data": { "object": object } });
    Event::parse(event.to_string().as_bytes()).unwrap()
}

/// The facts of such an event, as Postgres receives them.
fn facts_of(kind: &str, object: Value) -> Value {
    Value::Object(event(kind, &object).facts().unwrap().as_json().clone())
}

fn is_unreadable(kind: &str, object: Value) -> bool {
    event(kind, &object).facts().is_err()
}

/// An object with some of its fields replaced.
fn of(base: &Value, changes: Value) -> Value {
    let mut object = base.clone();
    for (name, value) in changes.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

/// The facts of a payment of which only these fields are known.
fn payment(known: Value) -> Value {
    let unknown = json!({
        "id": null, "charge": null, "other_charges": null, "customer": null, "user_id": null, "session": null,
        "invoice": null, "currency": null, "amount": null, "status": null, "failure": null,
        "refunded": null,
    });
    of(&unknown, known)
}
