//! Submits a checkout session's payment, and applies the bank's response.

use serde_json::{Value, json};

use crate::error::StripeError;
use crate::lifecycle::cards::{self, BankResponse, Payer};
use crate::lifecycle::checkout::KIND;
use crate::lifecycle::checkout::complete::{self, Buyer, PayerDetails};
use crate::lifecycle::checkout::items::revise;
use crate::lifecycle::payments::{self, NewPayment};
use crate::lifecycle::{discounts, payment_methods};
use crate::world::{World, notes, shapes, text};

/// The outcome that the payer chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentOutcome {
    Paid,
    Declined,
    /// The session completes now; the payment succeeds a minute later.
    PaysLater,
    FailsLater,
    Approved3ds,
    Refused3ds,
}

/// Submits the payment with the chosen outcome. A declined payment is not an error: the session
/// stays open.
pub fn submit(
    world: &mut World,
    session_id: &str,
    outcome: PaymentOutcome,
    details: PayerDetails,
) -> Result<(), StripeError> {
    let session = world.find(KIND, session_id, "id")?;
    if session["status"] != "open" {
        let message =
            format!("This session is {} and can no longer be paid.", text(session, "status"));
        return Err(StripeError::invalid("checkout_session_not_open", "id", message));
    }
    let method = method_for(world, outcome, &details)?;
    let promotion =
        match details.promotion_code.as_deref().map(str::trim).filter(|code| !code.is_empty()) {
            Some(_) if session["allow_promotion_codes"] != true => None,
            Some(code) => Some(discounts::of_code(world, code)?),
            None => None,
        };
    revise(world, session_id, &details.quantities, promotion.as_ref())?;
    let session = world.find(KIND, session_id, "id")?.clone();
    let buyer = Buyer::of(world, &session, details);
    let method = with_billing(method, &buyer);
    let refused = match outcome {
        PaymentOutcome::Declined => true,
        PaymentOutcome::Refused3ds => true,
        _ => matches!(cards::authorize(&method, Payer::Authenticated), BankResponse::Declined(_)),
    };
    if refused {
        return record_refusal(world, &session, method, outcome);
    }
    complete::run(world, &session, buyer, method)
}

/// The payment method that produces the chosen outcome.
fn method_for(
    world: &World,
    outcome: PaymentOutcome,
    details: &PayerDetails,
) -> Result<Value, StripeError> {
    let token = match outcome {
        PaymentOutcome::Paid => details.payment_method.as_deref().unwrap_or("pm_card_visa"),
        PaymentOutcome::Declined => "pm_card_chargeDeclined",
        PaymentOutcome::PaysLater => "pm_usBankAccount_success",
        PaymentOutcome::FailsLater => "pm_usBankAccount_insufficientFunds",
        PaymentOutcome::Approved3ds | PaymentOutcome::Refused3ds => {
            "pm_card_authenticationRequiredOnSetup"
        }
    };
    payment_methods::resolve(world, token, "payment_method")
}

fn with_billing(mut method: Value, buyer: &Buyer) -> Value {
    method["billing_details"] = json!({
        "address": buyer.address, "email": buyer.email, "name": buyer.name, "phone": buyer.phone,
        "tax_id": null,
    });
    method
}

/// Records a decline: a failed payment, or a failed setup intent if nothing is due now.
fn record_refusal(
    world: &mut World,
    session: &Value,
    method: Value,
    outcome: PaymentOutcome,
) -> Result<(), StripeError> {
    let session_id = text(session, "id");
    let method_id = payment_methods::insert_if_new(world, method);
    let amount = session["amount_total"].as_i64().unwrap_or(0);
    if amount == 0 {
        fail_setup(world, session, &method_id);
        return Ok(());
    }
    let earlier = notes::read_text(world, session_id, "tried_intent");
    let intent_id = if earlier.is_empty() {
        let data = notes::read(world, session_id, "payment_intent_data").clone();
        let wanted = NewPayment {
            amount,
            currency: text(session, "currency").to_owned(),
            customer: session["customer"].clone(),
            description: data["description"].clone(),
            metadata: data["metadata"].clone(),
            other: json!({ "receipt_email": data["receipt_email"] }),
            ..NewPayment::default()
        };
        let id = payments::create(world, wanted);
        notes::write(world, session_id, "tried_intent", json!(id));
        id
    } else {
        earlier
    };
    world.edit(&intent_id, |intent| {
        let tries = json!({
            "amount": amount, "payment_method": method_id, "status": "requires_confirmation",
        });
        shapes::set(intent, tries);
    });
    if outcome == PaymentOutcome::Refused3ds {
        payments::confirm(world, &intent_id, Payer::Present)?;
        return payments::authenticate(world, &intent_id, false);
    }
    // The payer chose the decline. The failed charge and its events record it.
    let _ = payments::confirm(world, &intent_id, Payer::Present);
    Ok(())
}

fn fail_setup(world: &mut World, session: &Value, method_id: &str) {
    let mut intent = shapes::object(world, "setup_intent", "seti");
    let error = json!({
        "code": "card_declined", "decline_code": "generic_decline",
        "message": "Your card was declined.", "payment_method": world.get(method_id),
        "type": "card_error",
    });
    let secret = format!("{}_{}", text(&intent, "id"), world.new_id("secret"));
    let fields = json!({
        "client_secret": secret, "customer": session["customer"], "last_setup_error": error,
        "status": "requires_payment_method",
    });
    shapes::set(&mut intent, fields);
    let id = world.insert(intent);
    world.emit("setup_intent.created", &id);
    world.emit("setup_intent.setup_failed", &id);
}
