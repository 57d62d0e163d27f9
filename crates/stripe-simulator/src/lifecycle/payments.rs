//! Payment intents and their charges, which succeed, fail, need authentication or are processing.
//! `settlement` applies the result to the invoice or session.

use serde_json::{Value, json};

use crate::error::StripeError;
use crate::lifecycle::cards::{self, BankResponse, Decline, Payer};
use crate::lifecycle::disputes;
use crate::world::{World, calendar, notes, shapes, text};

/// The duration of a delayed payment.
pub const SETTLES_AFTER: i64 = calendar::MINUTE;

/// The fields of a new payment intent.
#[derive(Debug, Default)]
pub struct NewPayment {
    pub amount: i64,
    pub currency: String,
    pub customer: Value,
    pub description: Value,
    pub metadata: Value,
    pub payment_method: Value,
    /// Other fields of Stripe's object.
    pub other: Value,
}

/// Creates a payment intent that requires a payment method or confirmation.
pub fn create(world: &mut World, wanted: NewPayment) -> String {
    let mut intent = shapes::object(world, "payment_intent", "pi");
    let secret = format!("{}_{}", text(&intent, "id"), world.new_id("secret"));
    let status = match wanted.payment_method {
        Value::Null => "requires_payment_method",
        _ => "requires_confirmation",
    };
    shapes::set(
        &mut intent,
        json!({
            "amount": wanted.amount,
            "client_secret": secret,
            "currency": wanted.currency,
            "customer": wanted.customer,
            "description": wanted.description,
            "payment_method": wanted.payment_method,
            "status": status,
        }),
    );
    if wanted.metadata.is_object() {
        intent["metadata"] = wanted.metadata;
    }
    shapes::set(&mut intent, wanted.other);
    let id = world.insert(intent);
    world.emit("payment_intent.created", &id);
    id
}

/// Charges an intent's payment method. A decline is recorded and returned as an error.
pub fn confirm(world: &mut World, intent_id: &str, payer: Payer) -> Result<(), StripeError> {
    let intent = world.find("payment_intent", intent_id, "id")?.clone();
    let method = world.find("payment_method", text(&intent, "payment_method"), "payment_method")?;
    let method = method.clone();
    match cards::authorize(&method, payer) {
        BankResponse::Accepted => {
            accept(world, &intent, &method, payer);
            Ok(())
        }
        BankResponse::Declined(decline) => Err(self::decline(world, &intent, &method, decline)),
        BankResponse::NeedsAuthentication => {
            require_action(world, intent_id);
            Ok(())
        }
        BankResponse::Later { succeeds } => {
            wait_for_bank(world, &intent, &method, succeeds);
            Ok(())
        }
    }
}

/// Applies the result of the payer's authentication.
pub fn authenticate(world: &mut World, intent_id: &str, approved: bool) -> Result<(), StripeError> {
    if approved {
        return confirm(world, intent_id, Payer::Authenticated);
    }
    let intent = world.find("payment_intent", intent_id, "id")?.clone();
    let method = world.get(text(&intent, "payment_method")).cloned().unwrap_or(Value::Null);
    fail(world, &intent, &method, cards::NOT_AUTHENTICATED);
    Ok(())
}

/// Settles a delayed payment.
pub fn settle(world: &mut World, intent_id: &str) {
    let succeeds = notes::read(world, intent_id, "succeeds") == &json!(true);
    let Some(intent) = world.get(intent_id).cloned() else { return };
    let method = world.get(text(&intent, "payment_method")).cloned().unwrap_or(Value::Null);
    if succeeds {
        let charge_id = text(&intent, "latest_charge").to_owned();
        let transaction = balance_transaction(world, &intent, &charge_id);
        world.edit(&charge_id, |charge| {
            let paid = json!({
                "amount_captured": intent["amount"], "balance_transaction": transaction,
                "captured": true, "paid": true, "status": "succeeded",
            });
            shapes::set(charge, paid);
        });
        mark_succeeded(world, &intent, &charge_id);
    } else {
        fail(world, &intent, &method, cards::DEBIT_FAILED);
    }
}

/// Cancels an unpaid intent.
pub fn cancel(world: &mut World, intent_id: &str, reason: Value) {
    let now = world.now();
    let previous = world.edit(intent_id, |intent| {
        let canceled = json!({
            "status": "canceled", "canceled_at": now, "cancellation_reason": reason,
            "next_action": null,
        });
        shapes::set(intent, canceled);
    });
    if !previous.is_empty() {
        world.emit("payment_intent.canceled", intent_id);
    }
}

fn accept(world: &mut World, intent: &Value, method: &Value, payer: Payer) {
    let mut charge = charge_of(world, intent, method, payer);
    let charge_id = text(&charge, "id").to_owned();
    charge["balance_transaction"] = json!(balance_transaction(world, intent, &charge_id));
    charge["amount_captured"] = intent["amount"].clone();
    charge["outcome"] = outcome("authorized", Value::Null, "Payment complete.", Value::Null);
    world.insert(charge);
    mark_succeeded(world, intent, &charge_id);
    if cards::is_disputed(method) {
        // A new charge can always be disputed.
        let _ = disputes::open(world, &charge_id, "fraudulent");
    }
}

fn mark_succeeded(world: &mut World, intent: &Value, charge_id: &str) {
    let intent_id = text(intent, "id");
    world.emit("charge.succeeded", charge_id);
    world.edit(intent_id, |intent| {
        let succeeded = json!({
            "amount_received": intent["amount"], "last_payment_error": null,
            "latest_charge": charge_id, "next_action": null, "processing": null,
            "status": "succeeded",
        });
        shapes::set(intent, succeeded);
    });
    world.emit("payment_intent.succeeded", intent_id);
}

/// Records a declined charge and returns the error for the caller.
fn decline(world: &mut World, intent: &Value, method: &Value, decline: Decline) -> StripeError {
    fail(world, intent, method, decline);
    let mut error = refusal(method, decline);
    let intent_id = text(intent, "id");
    if let Some(intent) = world.get(intent_id) {
        error.body["charge"] = intent["latest_charge"].clone();
        error.body["payment_intent"] = intent.clone();
    }
    error
}

/// A card error about a method, without a payment.
pub fn refusal(method: &Value, decline: Decline) -> StripeError {
    let mut error = StripeError::invalid(decline.code, "", decline.message);
    error.status = axum::http::StatusCode::PAYMENT_REQUIRED;
    error.body = error_body(method, decline);
    error
}

fn error_body(method: &Value, decline: Decline) -> Value {
    let page = decline.code.replace('_', "-");
    let mut body = json!({
        "code": decline.code,
        "doc_url": format!("https://stripe.com/docs/error-codes/{page}"),
        "message": decline.message,
        "payment_method": method,
        "type": "card_error",
    });
    if let Some(code) = decline.decline_code {
        body["decline_code"] = json!(code);
    }
    body
}

fn fail(world: &mut World, intent: &Value, method: &Value, decline: Decline) {
    let intent_id = text(intent, "id");
    let pending = text(intent, "latest_charge");
    let was_pending = world.get(pending).is_some_and(|charge| charge["status"] == "pending");
    let charge_id = if was_pending {
        pending.to_owned()
    } else {
        let charge = charge_of(world, intent, method, Payer::Absent);
        world.insert(charge)
    };
    let reason = json!(decline.decline_code.unwrap_or(decline.code));
    world.edit(&charge_id, |charge| {
        let seller = "The bank did not return any further details with this decline.";
        let failed = json!({
            "amount_captured": 0, "captured": false, "failure_code": decline.code,
            "failure_message": decline.message, "paid": false, "status": "failed",
            "outcome": outcome("issuer_declined", json!("declined_by_network"), seller, reason),
        });
        shapes::set(charge, failed);
    });
    world.emit("charge.failed", &charge_id);
    let mut error = error_body(method, decline);
    error["charge"] = json!(charge_id);
    world.edit(intent_id, |intent| {
        let failed = json!({
            "last_payment_error": error, "latest_charge": charge_id, "next_action": null,
            "payment_method": null, "processing": null, "status": "requires_payment_method",
        });
        shapes::set(intent, failed);
    });
    world.emit("payment_intent.payment_failed", intent_id);
}

fn require_action(world: &mut World, intent_id: &str) {
    let page = format!("{}/simulator/authenticate/{intent_id}", world.base());
    let back = notes::read(world, intent_id, "return_url").clone();
    world.edit(intent_id, |intent| {
        let action = json!({
            "redirect_to_url": { "return_url": back, "url": page },
            "type": "redirect_to_url",
        });
        shapes::set(intent, json!({ "next_action": action, "status": "requires_action" }));
    });
    world.emit("payment_intent.requires_action", intent_id);
}

fn wait_for_bank(world: &mut World, intent: &Value, method: &Value, succeeds: bool) {
    let intent_id = text(intent, "id");
    let mut charge = charge_of(world, intent, method, Payer::Absent);
    shapes::set(&mut charge, json!({ "captured": true, "paid": false, "status": "pending" }));
    let charge_id = world.insert(charge);
    world.edit(intent_id, |intent| {
        shapes::set(intent, json!({ "latest_charge": charge_id, "status": "processing" }));
    });
    world.emit("charge.pending", &charge_id);
    world.emit("payment_intent.processing", intent_id);
    let settles_at = world.now() + SETTLES_AFTER;
    notes::write(world, intent_id, "settles_at", json!(settles_at));
    notes::write(world, intent_id, "succeeds", json!(succeeds));
}

/// Builds a successful charge of an intent's full amount, without storing it.
fn charge_of(world: &World, intent: &Value, method: &Value, payer: Payer) -> Value {
    let amount = intent["amount"].as_i64().unwrap_or(0);
    let mut charge = shapes::object(world, "charge", "ch");
    let receipt = format!("{}/simulator/receipt/{}", world.base(), text(&charge, "id"));
    let billing = match &method["billing_details"] {
        Value::Null => shapes::part("payment_method")["billing_details"].clone(),
        details => details.clone(),
    };
    shapes::set(
        &mut charge,
        json!({
            "amount": amount,
            "billing_details": billing,
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "metadata": intent["metadata"],
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": cards::payment_method_details(method, amount, payer),
            "receipt_email": intent["receipt_email"],
            "receipt_url": receipt,
            "statement_descriptor": intent["statement_descriptor"],
            "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
            "transfer_group": intent["transfer_group"],
        }),
    );
    charge
}

fn outcome(network: &str, advice: Value, seller_message: &str, reason: Value) -> Value {
    let declined = !reason.is_null();
    json!({
        "advice_code": if declined { json!("try_again_later") } else { Value::Null },
        "network_advice_code": null,
        "network_decline_code": null,
        "network_status": if declined { advice } else { json!("approved_by_network") },
        "reason": reason,
        "risk_level": "normal",
        "risk_score": 10,
        "seller_message": seller_message,
        "type": network,
    })
}

/// Records a charge's proceeds after Stripe's usual fee of 2.9 % and 30 cents.
fn balance_transaction(world: &mut World, intent: &Value, charge_id: &str) -> String {
    let amount = intent["amount"].as_i64().unwrap_or(0);
    let fee = (amount * 29 + 500) / 1_000 + 30;
    let mut transaction = shapes::object(world, "balance_transaction", "txn");
    let available_on = world.now() + 2 * calendar::DAY;
    shapes::set(
        &mut transaction,
        json!({
            "amount": amount,
            "available_on": available_on,
            "currency": intent["currency"],
            "description": intent["description"],
            "fee": fee,
            "fee_details": [{
                "amount": fee, "application": null, "currency": intent["currency"],
                "description": "Stripe processing fees", "type": "stripe_fee",
            }],
            "net": amount - fee,
            "source": charge_id,
        }),
    );
    world.insert(transaction)
}
