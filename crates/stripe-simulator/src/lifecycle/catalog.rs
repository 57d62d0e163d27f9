//! Creates products and prices.

use serde_json::{Map, Value, json};

use crate::world::World;

/// Creates a product. `fields` override the defaults.
pub fn insert_product(world: &mut World, fields: Map<String, Value>) -> String {
    let mut product = json!({
        "id": world.new_id("prod"),
        "object": "product",
        "active": true,
        "attributes": [],
        "created": world.now(),
        "default_price": null,
        "description": null,
        "images": [],
        "livemode": false,
        "marketing_features": [],
        "metadata": {},
        "name": "",
        "package_dimensions": null,
        "shippable": null,
        "statement_descriptor": null,
        "tax_code": null,
        "tax_details": null,
        "type": "service",
        "unit_label": null,
        "updated": world.now(),
        "url": null,
    });
    if let Value::Object(product) = &mut product {
        product.extend(fields);
    }
    let id = world.insert(product);
    world.emit("product.created", &id);
    id
}

/// Creates a price of a product. `fields` override the defaults.
pub fn insert_price(world: &mut World, fields: Map<String, Value>, product: &str) -> String {
    let mut price = json!({
        "id": world.new_id("price"),
        "object": "price",
        "active": true,
        "billing_scheme": "per_unit",
        "created": world.now(),
        "currency": "usd",
        "custom_unit_amount": null,
        "livemode": false,
        "lookup_key": null,
        "metadata": {},
        "nickname": null,
        "product": product,
        "recurring": null,
        "tax_behavior": "unspecified",
        "tiers_mode": null,
        "transform_quantity": null,
        "type": "one_time",
        "unit_amount": null,
        "unit_amount_decimal": null,
    });
    if let Value::Object(price) = &mut price {
        price.extend(fields);
    }
    let id = world.insert(price);
    world.emit("price.created", &id);
    id
}
