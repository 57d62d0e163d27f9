//! The customer's balance: credit, for example from a downgrade, that later invoices consume.

use serde_json::{Value, json};

use crate::world::{World, shapes, text};

pub const KIND: &str = "customer_balance_transaction";

/// Applies the balance to an invoice. Returns the amount due, and the balance before and after. A
/// negative total becomes credit. A negative balance is credit and reduces the amount due; a
/// positive balance is a debt and is added to it.
pub fn apply(world: &mut World, invoice: &Value) -> (i64, i64, i64) {
    let customer_id = text(invoice, "customer");
    let customer = world.get(customer_id).unwrap_or(&Value::Null);
    let starting = customer["balance"].as_i64().unwrap_or(0);
    let total = invoice["total"].as_i64().unwrap_or(0);
    let ending = ending(starting, total);
    if ending != starting {
        let kind = "applied_to_invoice";
        record(world, customer_id, ending - starting, kind, invoice["id"].clone(), &json!({}));
    }
    ((total + starting).max(0), starting, ending)
}

/// Returns the credit that a voided invoice had consumed.
pub fn restore(world: &mut World, invoice: &Value) {
    let before = invoice["starting_balance"].as_i64().unwrap_or(0);
    let used = invoice["ending_balance"].as_i64().unwrap_or(before) - before;
    if used > 0 {
        let kind = "unapplied_from_invoice";
        let customer_id = text(invoice, "customer");
        record(world, customer_id, -used, kind, invoice["id"].clone(), &json!({}));
    }
}

/// The balance after an invoice with this total.
fn ending(starting: i64, total: i64) -> i64 {
    (starting + total).min(0)
}

/// Changes a customer's balance and records the transaction.
pub fn record(
    world: &mut World,
    customer_id: &str,
    amount: i64,
    kind: &str,
    invoice: Value,
    other: &Value,
) -> String {
    let customer = world.get(customer_id).cloned().unwrap_or(Value::Null);
    let after = customer["balance"].as_i64().unwrap_or(0) + amount;
    let mut transaction = shapes::object(world, KIND, "cbtxn");
    let currency = match &customer["currency"] {
        Value::Null => json!("usd"),
        currency => currency.clone(),
    };
    shapes::set(
        &mut transaction,
        json!({
            "amount": amount, "currency": currency, "customer": customer_id,
            "ending_balance": after, "invoice": invoice, "type": kind,
        }),
    );
    shapes::set(&mut transaction, other.clone());
    let id = world.insert(transaction);
    let previous = world.edit(customer_id, |customer| customer["balance"] = json!(after));
    if !previous.is_empty() {
        world.emit_change("customer.updated", customer_id, previous);
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_pays_invoices_and_the_rest_remains() {
        let cases = [
            (0, 500, 0),
            (-300, 500, 0),
            (-800, 500, -300),
            (0, -200, -200),
            (-100, -200, -300),
            (100, 500, 0),
        ];
        for (starting, total, expected) in cases {
            assert_eq!(ending(starting, total), expected, "{starting} {total}");
        }
    }
}
