//! Refunds of charges, which succeed immediately or are pending for a minute.

use serde_json::{Value, json};

use crate::error::StripeError;
use crate::lifecycle::cards;
use crate::world::{World, calendar, shapes, text};

pub const KIND: &str = "refund";

/// The duration of a pending refund.
const SETTLES_AFTER: i64 = calendar::MINUTE;

/// Refunds `amount` of a charge, or the whole remaining amount.
pub fn refund(
    world: &mut World,
    charge_id: &str,
    amount: Option<i64>,
    fields: Value,
) -> Result<String, StripeError> {
    let charge = world.find("charge", charge_id, "charge")?.clone();
    let amount = check(&charge, amount)?;
    let method = world.get(text(&charge, "payment_method")).cloned().unwrap_or(Value::Null);
    let status = cards::refund_status(&method);
    let mut refund = shapes::object(world, KIND, "re");
    let id = text(&refund, "id").to_owned();
    let transaction = transaction(world, &charge, &id, amount);
    shapes::set(
        &mut refund,
        json!({
            "amount": amount, "balance_transaction": transaction, "charge": charge_id,
            "currency": charge["currency"], "customer": charge["customer"],
            "payment_intent": charge["payment_intent"],
            "payment_method": charge["payment_method"], "status": status,
        }),
    );
    if status == "pending" {
        refund["pending_reason"] = json!("processing");
    }
    shapes::set(&mut refund, fields);
    world.insert(refund);
    let previous = add_to_charge(world, charge_id, amount);
    world.emit("refund.created", &id);
    world.emit_change("charge.refunded", charge_id, previous);
    Ok(id)
}

fn check(charge: &Value, amount: Option<i64>) -> Result<i64, StripeError> {
    let id = text(charge, "id");
    if charge["status"] != "succeeded" {
        let message = format!("Charge {id} has not been paid and cannot be refunded.");
        return Err(StripeError::invalid("charge_not_refundable", "charge", message));
    }
    if charge["disputed"] == true {
        let message = format!("Charge {id} has been charged back; cannot issue a refund.");
        return Err(StripeError::invalid("charge_disputed", "charge", message));
    }
    let refunded = charge["amount_refunded"].as_i64().unwrap_or(0);
    let left = charge["amount"].as_i64().unwrap_or(0) - refunded;
    if left == 0 {
        let message = format!("Charge {id} has already been refunded.");
        return Err(StripeError::invalid("charge_already_refunded", "charge", message));
    }
    match amount {
        Some(amount) if amount > left => {
            let message = format!(
                "Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
            );
            Err(StripeError::invalid("amount_too_large", "amount", message))
        }
        Some(amount) if amount < 1 => {
            let message = "This value must be greater than or equal to 1.";
            Err(StripeError::invalid("parameter_invalid_integer", "amount", message))
        }
        amount => Ok(amount.unwrap_or(left)),
    }
}

fn add_to_charge(
    world: &mut World,
    charge_id: &str,
    amount: i64,
) -> serde_json::Map<String, Value> {
    world.edit(charge_id, |charge| {
        let refunded = charge["amount_refunded"].as_i64().unwrap_or(0) + amount;
        charge["amount_refunded"] = json!(refunded);
        charge["refunded"] = json!(charge["amount"].as_i64() == Some(refunded));
    })
}

fn transaction(world: &mut World, charge: &Value, refund_id: &str, amount: i64) -> String {
    let mut transaction = shapes::object(world, "balance_transaction", "txn");
    shapes::set(
        &mut transaction,
        json!({
            "amount": -amount, "available_on": world.now(), "currency": charge["currency"],
            "description": format!("REFUND FOR CHARGE ({})", text(charge, "id")), "net": -amount,
            "reporting_category": "refund", "source": refund_id, "status": "available",
            "type": "refund",
        }),
    );
    world.insert(transaction)
}

/// Returns when a pending refund settles.
pub fn due(refund: &Value) -> Option<i64> {
    let created = refund["created"].as_i64()?;
    (refund["status"] == "pending").then_some(created + SETTLES_AFTER)
}

/// Settles a pending refund. A failed refund no longer counts as refunded on its charge.
pub fn settle(world: &mut World, refund_id: &str) {
    let Some(refund) = world.get(refund_id).cloned() else { return };
    let method = world.get(text(&refund, "payment_method")).cloned().unwrap_or(Value::Null);
    let fails = cards::refund_fails(&method);
    let previous = world.edit(refund_id, |refund| {
        if let Some(fields) = refund.as_object_mut() {
            fields.remove("pending_reason");
        }
        refund["status"] = json!(if fails { "failed" } else { "succeeded" });
        if fails {
            refund["failure_reason"] = json!("unknown");
        }
    });
    if fails {
        add_to_charge(world, text(&refund, "charge"), -refund["amount"].as_i64().unwrap_or(0));
    }
    emit_updated(world, refund_id, previous);
    if fails {
        world.emit("refund.failed", refund_id);
    }
}

pub fn emit_updated(world: &mut World, refund_id: &str, previous: serde_json::Map<String, Value>) {
    world.emit_change("charge.refund.updated", refund_id, previous.clone());
    world.emit_change("refund.updated", refund_id, previous);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refunds_cannot_exceed_the_charge() {
        let charge = |refunded, disputed| {
            json!({
                "id": "ch_1", "status": "succeeded", "amount": 100,
                "amount_refunded": refunded, "disputed": disputed,
            })
        };
        let cases = [
            (charge(0, false), None, Some(100)),
            (charge(0, false), Some(30), Some(30)),
            (charge(30, false), None, Some(70)),
            (charge(30, false), Some(71), None),
            (charge(100, false), None, None),
            (charge(0, false), Some(0), None),
            (charge(0, true), Some(1), None),
        ];
        for (charge, amount, expected) in cases {
            assert_eq!(check(&charge, amount).ok(), expected, "{charge} {amount:?}");
        }
    }
}
