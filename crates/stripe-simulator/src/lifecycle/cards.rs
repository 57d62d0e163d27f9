//! The test cards. A card's last four digits determine its behavior, as with Stripe's test cards.

use serde_json::{Value, json};

use crate::world::{World, shapes, text};

/// A predefined payment method, such as `pm_card_visa`.
#[derive(Debug)]
struct TestMethod {
    token: &'static str,
    brand: &'static str,
    last4: &'static str,
}

const fn card(token: &'static str, brand: &'static str, last4: &'static str) -> TestMethod {
    TestMethod { token, brand, last4 }
}

const BANK: &str = "bank";

const TEST_METHODS: &[TestMethod] = &[
    card("pm_card_visa", "visa", "4242"),
    card("pm_card_visa_debit", "visa", "5556"),
    card("pm_card_mastercard", "mastercard", "4444"),
    card("pm_card_amex", "amex", "8431"),
    card("pm_card_discover", "discover", "9424"),
    card("pm_card_chargeDeclined", "visa", "0002"),
    card("pm_card_visa_chargeDeclined", "visa", "0002"),
    card("pm_card_chargeDeclinedInsufficientFunds", "visa", "9995"),
    card("pm_card_visa_chargeDeclinedInsufficientFunds", "visa", "9995"),
    card("pm_card_chargeDeclinedLostCard", "visa", "9987"),
    card("pm_card_chargeDeclinedStolenCard", "visa", "9979"),
    card("pm_card_chargeDeclinedExpiredCard", "visa", "0069"),
    card("pm_card_chargeDeclinedIncorrectCvc", "visa", "0127"),
    card("pm_card_chargeDeclinedProcessingError", "visa", "0119"),
    card("pm_card_chargeCustomerFail", "visa", "0341"),
    card("pm_card_authenticationRequired", "visa", "3184"),
    card("pm_card_authenticationRequiredOnSetup", "visa", "3155"),
    card("pm_card_threeDSecure2Required", "visa", "3220"),
    card("pm_card_createDispute", "visa", "0259"),
    card("pm_card_refundFail", "visa", "5126"),
    card("pm_card_pendingRefund", "visa", "7726"),
    card("pm_usBankAccount_success", BANK, "6789"),
    card("pm_usBankAccount_insufficientFunds", BANK, "1116"),
];

/// The reason for a decline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decline {
    pub code: &'static str,
    pub decline_code: Option<&'static str>,
    pub message: &'static str,
}

const GENERIC: Decline = Decline {
    code: "card_declined",
    decline_code: Some("generic_decline"),
    message: "Your card was declined.",
};

pub const NOT_AUTHENTICATED: Decline = Decline {
    code: "payment_intent_authentication_failure",
    decline_code: None,
    message: "The provided PaymentMethod has failed authentication. You can provide \
        payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent \
        again.",
};

pub const AUTHENTICATION_REQUIRED: Decline = Decline {
    code: "authentication_required",
    decline_code: Some("authentication_required"),
    message: "Your card was declined. This transaction requires authentication.",
};

pub const DEBIT_FAILED: Decline = Decline {
    code: "payment_method_customer_decline",
    decline_code: None,
    message: "The customer's bank account could not be debited.",
};

/// The bank's response to a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BankResponse {
    Accepted,
    Declined(Decline),
    /// The payer must authenticate.
    NeedsAuthentication,
    /// The payment is processing and settles later.
    Later {
        succeeds: bool,
    },
}

/// The payer's presence, which decides if a card that needs authentication can be charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payer {
    Present,
    /// Has authenticated on one of our pages: only the cards of [`refusal`] are declined.
    Authenticated,
    Absent,
}

/// Returns the bank's response to a charge of this method.
pub fn authorize(method: &Value, payer: Payer) -> BankResponse {
    match (last4(method), payer) {
        ("6789", _) if !is_card(method) => BankResponse::Later { succeeds: true },
        ("1116", _) if !is_card(method) => BankResponse::Later { succeeds: false },
        ("3184", Payer::Absent | Payer::Present) => BankResponse::NeedsAuthentication,
        ("3155" | "3220", Payer::Present) => BankResponse::NeedsAuthentication,
        ("0341", Payer::Absent | Payer::Present) => BankResponse::Declined(GENERIC),
        _ => refusal(method).map_or(BankResponse::Accepted, BankResponse::Declined),
    }
}

/// Returns the decline of a card that cannot even be attached to a customer.
pub fn refusal(method: &Value) -> Option<Decline> {
    let (code, decline_code, message) = match last4(method) {
        "0002" => return Some(GENERIC),
        "9995" => {
            ("card_declined", Some("insufficient_funds"), "Your card has insufficient funds.")
        }
        "9987" => ("card_declined", Some("lost_card"), "Your card was declined."),
        "9979" => ("card_declined", Some("stolen_card"), "Your card was declined."),
        "0069" => ("expired_card", None, "Your card has expired."),
        "0127" => ("incorrect_cvc", None, "Your card's security code is incorrect."),
        "0119" => (
            "processing_error",
            None,
            "An error occurred while processing your card. Try again in a little bit.",
        ),
        _ => return None,
    };
    Some(Decline { code, decline_code, message })
}

pub fn is_disputed(method: &Value) -> bool {
    last4(method) == "0259"
}

/// The initial status of a refund to this method.
pub fn refund_status(method: &Value) -> &'static str {
    match last4(method) {
        "7726" | "5126" => "pending",
        _ => "succeeded",
    }
}

pub fn refund_fails(method: &Value) -> bool {
    last4(method) == "5126"
}

pub fn is_card(method: &Value) -> bool {
    method["type"] == "card"
}

pub fn last4(method: &Value) -> &str {
    text(&method[text(method, "type")], "last4")
}

/// Builds a payment method from a test token, without storing it.
pub fn from_token(world: &World, token: &str) -> Option<Value> {
    let known = TEST_METHODS.iter().find(|known| known.token == token)?;
    Some(if known.brand == BANK { bank_account(world, known.last4) } else { make(world, known) })
}

/// Builds a payment method from a card number, without storing it. Any number of 12 to 19 digits is
/// accepted.
pub fn from_number(world: &World, number: &str, month: i64, year: i64) -> Option<Value> {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    if !(12..=19).contains(&digits.len()) {
        return None;
    }
    let last4 = &digits[digits.len() - 4..];
    let brand = match digits.as_bytes() {
        [b'5', ..] => "mastercard",
        [b'3', ..] => "amex",
        [b'6', ..] => "discover",
        _ => "visa",
    };
    let mut method = with_card(world, brand, last4);
    shapes::set(&mut method["card"], json!({ "exp_month": month, "exp_year": year }));
    Some(method)
}

fn make(world: &World, known: &TestMethod) -> Value {
    with_card(world, known.brand, known.last4)
}

fn with_card(world: &World, brand: &str, last4: &str) -> Value {
    let mut method = shapes::object(world, "payment_method", "pm");
    let mut card = shapes::part("card");
    shapes::set(
        &mut card,
        json!({
            "brand": brand,
            "display_brand": brand,
            "fingerprint": format!("simulated{brand}{last4}"),
            "funding": if last4 == "5556" { "debit" } else { "credit" },
            "last4": last4,
            "networks": { "available": [brand], "preferred": null },
        }),
    );
    method["card"] = card;
    method
}

fn bank_account(world: &World, last4: &str) -> Value {
    let mut method = shapes::object(world, "payment_method", "pm");
    method["type"] = json!("us_bank_account");
    method["us_bank_account"] = json!({
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "SIMULATED BANK",
        "financial_connections_account": null,
        "fingerprint": format!("simulatedbank{last4}"),
        "last4": last4,
        "networks": { "preferred": "ach", "supported": ["ach"] },
        "routing_number": "110000000",
        "status_details": {},
    });
    method
}

/// The `payment_method_details` of a charge.
pub fn payment_method_details(method: &Value, amount: i64, payer: Payer) -> Value {
    if !is_card(method) {
        let kind = text(method, "type");
        let mut details = method[kind].clone();
        shapes::set(&mut details, json!({ "payment_reference": null, "mandate": null }));
        return json!({ "type": kind, kind: details });
    }
    let mut details = shapes::part("charged_card");
    for name in ["brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4"] {
        details[name] = method["card"][name].clone();
    }
    details["network"] = method["card"]["brand"].clone();
    details["amount_authorized"] = json!(amount);
    details["overcapture"]["maximum_amount_capturable"] = json!(amount);
    if payer == Payer::Authenticated && matches!(last4(method), "3155" | "3184" | "3220") {
        details["three_d_secure"] = json!({
            "authentication_flow": "challenge",
            "electronic_commerce_indicator": "05",
            "exemption_indicator": null,
            "result": "authenticated",
            "result_reason": null,
            "transaction_id": "simulated",
            "version": "2.2.0",
        });
    }
    json!({ "card": details, "type": "card" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::World;

    #[test]
    fn the_last_four_digits_determine_a_cards_behavior() {
        let world = World::default();
        let later = |succeeds| BankResponse::Later { succeeds };
        let cases = [
            ("pm_card_visa", Payer::Present, BankResponse::Accepted),
            ("pm_card_mastercard", Payer::Absent, BankResponse::Accepted),
            ("pm_card_chargeDeclined", Payer::Present, BankResponse::Declined(GENERIC)),
            ("pm_card_chargeCustomerFail", Payer::Absent, BankResponse::Declined(GENERIC)),
            ("pm_card_authenticationRequired", Payer::Absent, BankResponse::NeedsAuthentication),
            ("pm_card_authenticationRequired", Payer::Authenticated, BankResponse::Accepted),
            (
                "pm_card_authenticationRequiredOnSetup",
                Payer::Present,
                BankResponse::NeedsAuthentication,
            ),
            ("pm_card_authenticationRequiredOnSetup", Payer::Absent, BankResponse::Accepted),
            ("pm_usBankAccount_success", Payer::Present, later(true)),
            ("pm_usBankAccount_insufficientFunds", Payer::Absent, later(false)),
        ];
        for (token, payer, expected) in cases {
            let method = from_token(&world, token).expect(token);
            assert_eq!(authorize(&method, payer), expected, "{token} {payer:?}");
        }
    }

    #[test]
    fn a_card_that_fails_only_when_charged_can_be_attached() {
        let world = World::default();
        let kept = |token| refusal(&from_token(&world, token).expect(token)).is_none();
        assert!(kept("pm_card_visa") && kept("pm_card_chargeCustomerFail"));
        assert!(!kept("pm_card_chargeDeclined"));
    }

    #[test]
    fn a_number_is_read_with_or_without_spaces() {
        let world = World::default();
        let method = from_number(&world, "4000 0000 0000 0341", 1, 2031).expect("a card");
        assert_eq!(last4(&method), "0341");
        assert!(from_number(&world, "42", 1, 2031).is_none());
    }
}
