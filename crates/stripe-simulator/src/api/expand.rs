//! Renders objects for responses and events: expands links on request, and omits the fields that
//! Stripe includes only when expanded.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::api::includes;
use crate::error::StripeError;
use crate::world::{World, shapes, text};

const MAX_LEVELS: usize = 4;

/// Fields that are included only when expanded, as (kind, field).
const SHOWN_WHEN_ASKED: &[(&str, &str)] = &[
    ("charge", "refunds"),
    ("checkout.session", "line_items"),
    ("coupon", "applies_to"),
    ("coupon", "currency_options"),
    ("customer", "sources"),
    ("customer", "subscriptions"),
    ("customer", "tax_ids"),
    ("invoice", "confirmation_secret"),
    ("invoice", "payments"),
    ("price", "currency_options"),
    ("price", "tiers"),
    ("search_result", "total_count"),
];

/// The fields to expand: names, and the fields to expand below each.
#[derive(Clone, Debug, Default)]
pub struct Expansions(BTreeMap<String, Expansions>);

impl Expansions {
    /// Reads `expand[]=data.customer`.
    pub fn of(paths: &[String]) -> Result<Self, StripeError> {
        let mut wanted = Self::default();
        for path in paths {
            if path.split('.').count() > MAX_LEVELS {
                let message = format!(
                    "You cannot expand more than {MAX_LEVELS} levels of a property. Property: {path}"
                );
                return Err(refused(message));
            }
            path.split('.').fold(&mut wanted, |at, name| at.0.entry(name.to_owned()).or_default());
        }
        Ok(wanted)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Renders an object, or a list of objects, for a response or an event.
pub fn render(world: &World, value: &Value, wanted: &Expansions) -> Result<Value, StripeError> {
    match value {
        Value::Array(values) => {
            let values = values.iter().map(|value| render(world, value, wanted));
            values.collect::<Result<_, _>>().map(Value::Array)
        }
        Value::Object(fields) => object(world, value, fields, wanted),
        other => Ok(other.clone()),
    }
}

/// Renders an object for an event, with nothing expanded.
pub fn render_unexpanded(world: &World, value: &Value) -> Value {
    // Without expansions, rendering cannot fail.
    render(world, value, &Expansions::default()).unwrap_or_else(|_| value.clone())
}

/// Returns true if objects of this kind include the field only when it is expanded.
pub fn is_hidden(kind: &str, field: &str) -> bool {
    SHOWN_WHEN_ASKED.contains(&(kind, field))
}

fn object(
    world: &World,
    object: &Value,
    fields: &Map<String, Value>,
    wanted: &Expansions,
) -> Result<Value, StripeError> {
    let kind = text(object, "object");
    let mut result = Map::new();
    for (name, value) in fields {
        match wanted.0.get(name) {
            Some(below) => {
                result.insert(name.clone(), expanded(world, name, value, below)?);
            }
            None if is_hidden(kind, name) => {}
            None => {
                result.insert(name.clone(), render(world, value, &Expansions::default())?);
            }
        }
    }
    for (name, below) in &wanted.0 {
        if !fields.contains_key(name) {
            let value = computed(world, object, name).ok_or_else(|| cannot_expand(name))?;
            result.insert(name.clone(), render(world, &value, below)?);
        }
    }
    Ok(Value::Object(result))
}

/// Follows a link, or each of a list of links, and expands below it.
fn expanded(
    world: &World,
    name: &str,
    value: &Value,
    below: &Expansions,
) -> Result<Value, StripeError> {
    match value {
        Value::Array(values) => {
            let values = values.iter().map(|value| expanded(world, name, value, below));
            values.collect::<Result<_, _>>().map(Value::Array)
        }
        link => render(world, followed(world, name, link)?, below),
    }
}

/// Follows a link. An embedded object is returned unchanged.
fn followed<'a>(world: &'a World, name: &str, value: &'a Value) -> Result<&'a Value, StripeError> {
    match value {
        Value::String(id) if name != "id" => world.get(id).ok_or_else(|| cannot_expand(name)),
        Value::Object(_) | Value::Null => Ok(value),
        _ => Err(cannot_expand(name)),
    }
}

/// Computes a field that no object stores and that Stripe returns only when expanded.
fn computed(world: &World, object: &Value, name: &str) -> Option<Value> {
    let id = text(object, "id");
    match (text(object, "object"), name) {
        ("customer", "subscriptions") => {
            let of_customer = world.all("subscription").filter(|one| one["customer"] == id);
            let running = of_customer
                .filter(|one| !matches!(text(one, "status"), "canceled" | "incomplete_expired"));
            let url = format!("/v1/customers/{id}/subscriptions");
            Some(shapes::list(running.cloned().collect(), &url))
        }
        ("customer", "sources" | "tax_ids") => {
            Some(shapes::list(Vec::new(), &format!("/v1/customers/{id}/{name}")))
        }
        _ => includes::included(world, object, name),
    }
}

fn cannot_expand(name: &str) -> StripeError {
    refused(format!("This property cannot be expanded ({name})."))
}

fn refused(message: String) -> StripeError {
    let body = json!({ "type": "invalid_request_error", "param": "expand", "message": message });
    StripeError { status: StatusCode::BAD_REQUEST, body }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::StripeError;
    use crate::world::World;

    fn world() -> World {
        let mut world = World::default();
        world.insert(json!({ "id": "prod_1", "object": "product", "name": "Pro" }));
        world.insert(json!({
            "id": "price_1", "object": "price", "product": "prod_1", "nickname": null,
            "currency": "usd", "currency_options": { "usd": {} },
        }));
        world.insert(json!({ "id": "cus_1", "object": "customer", "email": "a@example.com" }));
        world.insert(json!({ "id": "di_1", "object": "discount", "customer": "cus_1" }));
        world.insert(json!({
            "id": "sub_1", "object": "subscription", "customer": "cus_1", "status": "active",
            "discounts": ["di_1"],
            "items": { "object": "list", "data": [{ "id": "si_1", "price": "price_1" }] },
        }));
        world
    }

    fn answered(id: &str, paths: &[&str]) -> Result<Value, String> {
        let world = world();
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let message = |error: StripeError| error.message().to_owned();
        let wanted = Expansions::of(&paths).map_err(message)?;
        render(&world, world.get(id).unwrap(), &wanted).map_err(message)
    }

    #[test]
    fn requested_links_are_expanded() {
        let render_unexpanded = answered("sub_1", &[]).unwrap();
        assert_eq!(render_unexpanded["customer"], "cus_1");
        let asked = answered("sub_1", &["customer", "items.data.price.product"]).unwrap();
        assert_eq!(asked["customer"]["email"], "a@example.com");
        let price = &asked["items"]["data"][0]["price"];
        assert_eq!(price["product"]["name"], "Pro");
        assert_eq!(price.get("currency_options"), None);
        assert_eq!(
            answered("price_1", &["currency_options"]).unwrap()["currency_options"]["usd"],
            json!({})
        );
        let discounts = &answered("sub_1", &["discounts.customer"]).unwrap()["discounts"];
        assert_eq!(discounts[0]["customer"]["email"], "a@example.com");
        let customer = answered("cus_1", &["subscriptions.data.customer"]).unwrap();
        assert_eq!(customer["subscriptions"]["data"][0]["customer"]["id"], "cus_1");
    }

    #[test]
    fn only_links_can_be_expanded() {
        for path in ["nonsense", "currency", "id", "a.b.c.d.e", "product.nonsense"] {
            assert!(answered("price_1", &[path]).is_err(), "{path}");
        }
        assert!(answered("price_1", &["nickname"]).is_ok(), "a null field may hold a link");
    }
}
