//! Disputes: a payer disputes a charge, the merchant submits evidence, and the bank decides.
//!
//! As in Stripe's test mode, evidence that contains `winning_evidence` wins the dispute.

use serde_json::{Value, json};

use crate::error::StripeError;
use crate::world::{World, calendar, notes, shapes, text};

pub const KIND: &str = "dispute";

/// The merchant's time to respond.
const ANSWER_WITHIN: i64 = 7 * calendar::DAY;

/// The bank's time to decide after evidence is submitted.
pub const DECIDED_AFTER: i64 = calendar::MINUTE;

/// Stripe's fee for a dispute.
const FEE: i64 = 1_500;

/// Opens a dispute for a charge and withdraws its amount until the bank decides.
pub fn open(world: &mut World, charge_id: &str, reason: &str) -> Result<String, StripeError> {
    let charge = world.find("charge", charge_id, "charge")?.clone();
    if charge["status"] != "succeeded" || charge["disputed"] == true {
        let message = "This charge has not succeeded or is already disputed.";
        return Err(StripeError::invalid("charge_disputed", "charge", message));
    }
    let mut dispute = shapes::object(world, KIND, "du");
    let id = text(&dispute, "id").to_owned();
    let due_by = world.now() + ANSWER_WITHIN;
    let amount =
        charge["amount"].as_i64().unwrap_or(0) - charge["amount_refunded"].as_i64().unwrap_or(0);
    let withdrawn = transaction(world, &id, &charge, -amount, FEE);
    let card = &charge["payment_method_details"]["card"];
    shapes::set(
        &mut dispute,
        json!({
            "amount": amount,
            "balance_transactions": [withdrawn],
            "charge": charge_id,
            "currency": charge["currency"],
            "payment_intent": charge["payment_intent"],
            "reason": reason,
        }),
    );
    dispute["evidence_details"]["due_by"] = json!(due_by);
    shapes::set(
        &mut dispute["payment_method_details"]["card"],
        json!({ "brand": card["brand"], "network": card["network"] }),
    );
    world.insert(dispute);
    world.edit(charge_id, |charge| shapes::set(charge, json!({ "dispute": id, "disputed": true })));
    world.emit("charge.dispute.created", &id);
    world.emit("charge.dispute.funds_withdrawn", &id);
    Ok(id)
}

/// Decides a dispute. A closed dispute does not change.
pub fn decide(world: &mut World, dispute_id: &str, won: bool) {
    let Some(dispute) = world.get(dispute_id).filter(|dispute| is_open(dispute)).cloned() else {
        return;
    };
    if won {
        let Some(charge) = world.get(text(&dispute, "charge")).cloned() else { return };
        let amount = dispute["amount"].as_i64().unwrap_or(0);
        let returned = transaction(world, dispute_id, &charge, amount, -FEE);
        world.edit(dispute_id, |dispute| {
            if let Some(all) = dispute["balance_transactions"].as_array_mut() {
                all.push(returned);
            }
        });
    }
    let status = if won { "won" } else { "lost" };
    let previous = world.edit(dispute_id, |dispute| dispute["status"] = json!(status));
    if won {
        world.emit("charge.dispute.funds_reinstated", dispute_id);
    }
    world.emit_change("charge.dispute.closed", dispute_id, previous);
}

/// Returns when a dispute is decided: at the merchant's deadline, or after the bank's review.
pub fn due(world: &World, dispute: &Value) -> Option<i64> {
    match text(dispute, "status") {
        "needs_response" => dispute["evidence_details"]["due_by"].as_i64(),
        "under_review" => notes::read(world, text(dispute, "id"), "decided_at").as_i64(),
        _ => None,
    }
}

/// Decides a dispute that is due. It is lost without winning evidence.
pub fn run_due(world: &mut World, dispute_id: &str) {
    let words =
        world.get(dispute_id).map(|dispute| text(&dispute["evidence"], "uncategorized_text"));
    let won = words.is_some_and(|words| words.contains("winning_evidence"));
    decide(world, dispute_id, won);
}

pub fn is_open(dispute: &Value) -> bool {
    matches!(text(dispute, "status"), "needs_response" | "under_review")
}

fn transaction(
    world: &mut World,
    dispute_id: &str,
    charge: &Value,
    amount: i64,
    fee: i64,
) -> Value {
    let mut transaction = shapes::object(world, "balance_transaction", "txn");
    let description = if amount < 0 { "Chargeback withdrawal" } else { "Chargeback reversal" };
    shapes::set(
        &mut transaction,
        json!({
            "amount": amount,
            "available_on": world.now(),
            "currency": charge["currency"],
            "description": format!("{description} for {}", text(charge, "id")),
            "fee": fee,
            "fee_details": [{
                "amount": fee, "application": null, "currency": charge["currency"],
                "description": "Dispute fee", "type": "stripe_fee",
            }],
            "net": amount - fee,
            "reporting_category": if amount < 0 { "dispute" } else { "dispute_reversal" },
            "source": dispute_id,
            "status": "available",
            "type": "adjustment",
        }),
    );
    world.insert(transaction.clone());
    transaction
}
