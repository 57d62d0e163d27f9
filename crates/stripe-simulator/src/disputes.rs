//! Disputes: a payer asks their bank for the money back, the merchant answers, the bank decides.
//!
//! Nobody but a payer opens one, so the API has no route for it: a test card or the simulator's
//! controls do. Evidence decides as in Stripe's test mode, by the words `winning_evidence`.

use serde_json::{Value, json};

use super::error::StripeError;
use super::http::{Call, Route};
use super::world::{World, text};
use super::{calendar, list, metadata, notes, shapes};

const KIND: &str = "dispute";
/// How long the merchant may take to answer, and the bank to decide after that.
const ANSWER_WITHIN: i64 = 7 * calendar::DAY;
const DECIDED_AFTER: i64 = calendar::MINUTE;
/// What Stripe charges for a dispute.
const FEE: i64 = 1_500;
const TEXTS: &[&str] = &[
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
];

pub const ROUTES: &[Route] = &[
    Route::get("/v1/disputes", index),
    Route::get("/v1/disputes/{id}", retrieve),
    Route::post("/v1/disputes/{id}", update),
    Route::post("/v1/disputes/{id}/close", close),
];

/// A payer disputes a charge: the money is taken back until the bank has decided.
pub fn open(world: &mut World, charge_id: &str, reason: &str) -> Result<String, StripeError> {
    let charge = world.find("charge", charge_id, "charge")?.clone();
    if charge["status"] != "succeeded" || charge["disputed"] == true {
        let message = "This charge was not paid, or is disputed already.";
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

/// The bank decides. A dispute that is closed already stays as it is.
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

/// When something is due for a dispute: the bank's decision, or the end of the merchant's time.
pub fn due(world: &World, dispute: &Value) -> Option<i64> {
    match text(dispute, "status") {
        "needs_response" => dispute["evidence_details"]["due_by"].as_i64(),
        "under_review" => notes::read(world, text(dispute, "id"), "decided_at").as_i64(),
        _ => None,
    }
}

/// What was due has come: silence and evidence that does not win lose.
pub fn run_due(world: &mut World, dispute_id: &str) {
    let words =
        world.get(dispute_id).map(|dispute| text(&dispute["evidence"], "uncategorized_text"));
    let won = words.is_some_and(|words| words.contains("winning_evidence"));
    decide(world, dispute_id, won);
}

fn is_open(dispute: &Value) -> bool {
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

fn index(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let charge = call.form.text("charge")?;
    let intent = call.form.text("payment_intent")?;
    let wanted = |dispute: &&Value| {
        charge.as_ref().is_none_or(|id| dispute["charge"] == **id)
            && intent.as_ref().is_none_or(|id| dispute["payment_intent"] == **id)
    };
    list::answer(call, "/v1/disputes", world.all(KIND).filter(wanted))
}

fn retrieve(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    world.find(KIND, call.id(), "id").cloned()
}

/// Takes evidence and, unless told to wait, hands it to the bank.
fn update(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let dispute = world.find(KIND, call.id(), "id")?.clone();
    let metadata = metadata::merged(&call.form, &dispute["metadata"])?;
    let mut evidence = dispute["evidence"].clone();
    let given = call.form.object("evidence")?;
    if let Some(given) = &given {
        for name in TEXTS {
            if let Some(words) = given.text_or_unset(name)? {
                evidence[*name] = words;
            }
        }
    }
    let submits = call.form.boolean("submit")?.unwrap_or(given.is_some());
    call.form.finish()?;
    if given.is_some() && dispute["status"] != "needs_response" {
        return Err(call
            .form
            .refuse("evidence", "This dispute is already closed or under review.".to_owned()));
    }
    let previous = world.edit(call.id(), |dispute| {
        dispute["metadata"] = metadata;
        dispute["evidence"] = evidence;
        dispute["evidence_details"]["has_evidence"] =
            json!(given.is_some() || dispute["evidence_details"]["has_evidence"] == true);
        if submits && given.is_some() {
            dispute["status"] = json!("under_review");
            dispute["evidence_details"]["submission_count"] = json!(1);
        }
    });
    if submits && given.is_some() {
        let decided_at = world.now() + DECIDED_AFTER;
        notes::write(world, call.id(), "decided_at", json!(decided_at));
    }
    if !previous.is_empty() {
        world.emit_change("charge.dispute.updated", call.id(), previous);
    }
    world.find(KIND, call.id(), "id").cloned()
}

/// The merchant gives in.
fn close(world: &mut World, call: &Call) -> Result<Value, StripeError> {
    let dispute = world.find(KIND, call.id(), "id")?;
    call.form.finish()?;
    if !is_open(dispute) {
        return Err(call.form.refuse("dispute", "This dispute is already closed.".to_owned()));
    }
    decide(world, call.id(), false);
    world.find(KIND, call.id(), "id").cloned()
}
