//! Invoice lines: the items of a subscription's period, and pending items such as prorations.

use serde_json::{Value, json};

use crate::world::amounts::price_amount;
use crate::world::{World, calendar, shapes, text};

/// The content of an invoice line.
#[derive(Clone, Debug)]
pub struct InvoiceLine<'a> {
    pub price: &'a Value,
    pub quantity: i64,
    pub amount: i64,
    pub currency: &'a str,
    pub description: String,
    pub period: (i64, i64),
}

/// A line for one subscription item's period.
pub fn of_item(
    world: &World,
    line: &InvoiceLine<'_>,
    subscription_id: &str,
    item_id: &str,
) -> Value {
    let mut value = plain(world, line);
    value["subscription"] = json!(subscription_id);
    value["parent"] = json!({
        "invoice_item_details": null,
        "subscription_item_details": {
            "invoice_item": null,
            "proration": false,
            "proration_details": { "credited_items": null },
            "subscription": subscription_id,
            "subscription_item": item_id,
        },
        "type": "subscription_item_details",
    });
    value
}

/// A line without a subscription.
pub fn plain(world: &World, line: &InvoiceLine<'_>) -> Value {
    let mut value = shapes::object(world, "line_item", "il");
    shapes::set(
        &mut value,
        json!({
            "amount": line.amount,
            "currency": line.currency,
            "description": line.description,
            "period": { "end": line.period.1, "start": line.period.0 },
            "pricing": pricing(line.price, line.currency),
            "quantity": line.quantity,
            "quantity_decimal": line.quantity.to_string(),
            "subtotal": line.amount,
        }),
    );
    value
}

fn pricing(price: &Value, currency: &str) -> Value {
    let unit = price_amount(price, currency, 1).unwrap_or(0).to_string();
    json!({
        "price_details": { "price": price["id"], "product": price["product"] },
        "type": "price_details",
        "unit_amount_decimal": unit,
    })
}

/// The lines of all items of a subscription for a period. A trial period is free.
pub fn of_period(
    world: &World,
    subscription: &Value,
    period: (i64, i64),
    trial: bool,
) -> Vec<Value> {
    let currency = text(subscription, "currency");
    let items = subscription["items"]["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    let line = |item: &Value| {
        let price = full_price(world, item);
        let quantity = item["quantity"].as_i64().unwrap_or(1);
        let amount = price_amount(&price, currency, quantity).unwrap_or(0);
        let description = if trial {
            format!("Trial period for {}", shapes::product_name(world, &price))
        } else {
            shapes::describe(world, &price, quantity, currency)
        };
        let amount = if trial { 0 } else { amount };
        let line = InvoiceLine { price: &price, quantity, amount, currency, description, period };
        of_item(world, &line, text(subscription, "id"), text(item, "id"))
    };
    items.iter().map(line).collect()
}

/// The stored price of an item. The item's own copy lacks `currency_options`.
pub fn full_price(world: &World, item: &Value) -> Value {
    world.get(text(&item["price"], "id")).unwrap_or(&item["price"]).clone()
}

/// Adds a pending invoice item. The subscription's next invoice includes it.
pub fn add_item(
    world: &mut World,
    customer: &str,
    line: &InvoiceLine<'_>,
    subscription: Option<(&str, &str)>,
    proration: bool,
) -> String {
    let mut item = shapes::object(world, "invoiceitem", "ii");
    let parent = subscription.map(|(subscription, item)| {
        json!({
            "subscription_details": { "subscription": subscription, "subscription_item": item },
            "type": "subscription_details",
        })
    });
    shapes::set(
        &mut item,
        json!({
            "amount": line.amount,
            "currency": line.currency,
            "customer": customer,
            "date": world.now(),
            "description": line.description,
            "discountable": !proration,
            "net_amount": line.amount,
            "parent": parent,
            "period": { "end": line.period.1, "start": line.period.0 },
            "pricing": pricing(line.price, line.currency),
            "proration": proration,
            "quantity": line.quantity,
            "quantity_decimal": line.quantity.to_string(),
        }),
    );
    if proration {
        item["proration_details"] = json!({ "credited_items": null, "discount_amounts": [] });
    }
    let id = world.insert(item);
    world.emit("invoiceitem.created", &id);
    id
}

/// The lines of a subscription's pending invoice items.
pub fn pending(world: &World, subscription_id: &str) -> Vec<Value> {
    let mut items: Vec<&Value> =
        world.all("invoiceitem").filter(|item| waits(item, subscription_id)).collect();
    items.reverse();
    items.into_iter().map(|item| of_pending(world, item)).collect()
}

fn waits(item: &Value, subscription_id: &str) -> bool {
    item["invoice"].is_null()
        && text(&item["parent"]["subscription_details"], "subscription") == subscription_id
}

fn of_pending(world: &World, item: &Value) -> Value {
    let mut line = shapes::object(world, "line_item", "il");
    for name in [
        "amount",
        "currency",
        "description",
        "discountable",
        "metadata",
        "period",
        "pricing",
        "quantity",
        "quantity_decimal",
    ] {
        line[name] = item[name].clone();
    }
    let details = &item["parent"]["subscription_details"];
    let proration = json!({
        "invoice_item": item["id"],
        "proration": item["proration"],
        "proration_details": { "credited_items": null },
        "subscription": details["subscription"],
        "subscription_item": details["subscription_item"],
    });
    let kind = if details["subscription_item"].is_null() {
        "invoice_item_details"
    } else {
        "subscription_item_details"
    };
    line["subscription"] = details["subscription"].clone();
    line["subtotal"] = item["amount"].clone();
    line["parent"] =
        json!({ "invoice_item_details": null, "subscription_item_details": null, "type": kind });
    line["parent"][kind] = proration;
    if kind == "invoice_item_details"
        && let Some(fields) = line["parent"][kind].as_object_mut()
    {
        fields.remove("subscription_item");
    }
    line
}

/// Links the pending items to the invoice that includes them.
pub fn claim_items(world: &mut World, invoice: &Value) {
    let lines = invoice["lines"]["data"].as_array().cloned().unwrap_or_default();
    for line in lines {
        for kind in ["subscription_item_details", "invoice_item_details"] {
            let item_id = text(&line["parent"][kind], "invoice_item").to_owned();
            if !item_id.is_empty() {
                world.edit(&item_id, |item| item["invoice"] = invoice["id"].clone());
            }
        }
    }
}

/// `Unused time on Basic after 14 Feb 2027`, `Remaining time on …`.
pub fn proration_text(
    world: &World,
    price: &Value,
    quantity: i64,
    at: i64,
    credit: bool,
) -> String {
    let kind = if credit { "Unused" } else { "Remaining" };
    let name = shapes::product_name(world, price);
    let name = if quantity == 1 { name.to_owned() } else { format!("{quantity} × {name}") };
    format!("{kind} time on {name} after {}", calendar::day_text(at))
}

/// Gives the lines of a preview temporary ids, because they are not stored.
pub fn rename(invoice: &mut Value) {
    let invoice_id = invoice["id"].clone();
    if let Some(lines) = invoice["lines"]["data"].as_array_mut() {
        for line in lines {
            line["id"] = json!(text(line, "id").replacen("il_", "il_tmp_", 1));
            line["invoice"] = invoice_id.clone();
        }
    }
}
