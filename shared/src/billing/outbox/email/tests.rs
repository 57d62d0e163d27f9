use jiff::Timestamp;
use serde_json::{Value, json};

use super::{EmailMessage, render};
use crate::config::{self, Secret, Sender, Subjects};
use crate::domain;

fn email(payload: Value) -> EmailMessage {
    let email = config::Email {
        smtp_url: Secret::new("smtp://localhost"),
        from: Sender {
            name: None,
            address: domain::Email::try_from("billing@acme.example".to_owned()).unwrap(),
        },
        subjects: Subjects {
            receipt: "R".to_owned(),
            payment_failed: "P".to_owned(),
            trial_ending: "T".to_owned(),
            canceled: "C".to_owned(),
            limit_near: "L".to_owned(),
            credits_used: "U".to_owned(),
        },
        product_name: Some("Acme & Sons".to_owned()),
        manage_url: Some("https://acme.example/billing?a=1&b=2".parse().unwrap()),
    };
    render(&payload, &email, Some("ann"), Timestamp::UNIX_EPOCH).unwrap()
}

#[test]
fn a_receipt_has_what_was_bought_the_period_and_the_total() {
    let receipt = email(json!({
        "template": "receipt", "number": "A-1", "amount_minor": 2_900, "currency": "usd",
        "hosted_url": "https://pay.example/i?a=1&b=2", "pdf_url": null, "plan_name": "Pro",
        "is_one_time": false, "paid_at": 1_795_180_445, "period_start": 1_795_180_445,
        "period_end": 1_797_772_445,
    }));
    assert_eq!(receipt.subject, "R");
    assert_eq!(receipt.plan_name.as_deref(), Some("Pro"));
    assert_eq!(
        receipt.text,
        "Thank you for your payment.\n\nBought: Pro\nPeriod: 20 Nov 2026 to 20 Dec 2026\n\
         Paid on: 20 Nov 2026\nReceipt: A-1\nTotal: $29.00\n\n\
         View the receipt: https://pay.example/i?a=1&b=2\n\
         Manage or cancel your subscription: https://acme.example/billing?a=1&b=2\n\n\
         Acme & Sons\n"
    );
    assert!(receipt.html.contains("<a href=\"https://pay.example/i?a=1&amp;b=2\""));
    assert!(receipt.html.contains(">Acme &amp; Sons</p>") && !receipt.html.contains("PDF"));
    assert!(receipt.html.contains("<title>R</title>"), "{}", receipt.html);
}

#[test]
fn a_receipt_for_a_pack_has_no_period_and_no_link_to_cancel() {
    let receipt = email(json!({
        "template": "receipt", "number": "A-1", "amount_minor": 500, "currency": "usd",
        "plan_name": "100 AI credits", "is_one_time": true, "period_start": null,
    }));
    assert_eq!(
        receipt.text,
        "Thank you for your payment.\n\nBought: 100 AI credits\nReceipt: A-1\nTotal: $5.00\n\n\
         Acme & Sons\n"
    );
    assert!(!receipt.html.contains("cancel"), "{}", receipt.html);
}

#[test]
fn a_trial_email_has_the_price_and_a_link_to_cancel() {
    let trial = email(json!({
        "template": "trial_ending", "plan_name": "Pro", "trial_end": 1_795_180_445,
        "amount_minor": 2_900, "currency": "usd", "interval": "monthly",
    }));
    assert!(trial.text.contains("Price after the trial: $29.00 per month\n"), "{}", trial.text);
    assert!(trial.html.contains("href=\"https://acme.example/billing?a=1&amp;b=2\""));
}

#[test]
fn lines_with_unknown_values_are_omitted() {
    for template in
        ["receipt", "payment_failed", "trial_ending", "canceled", "limit_near", "credits_used"]
    {
        let email = email(json!({ "template": template }));
        for text in [&email.text, &email.html] {
            assert!(!text.contains(['{', '}']), "{text}");
            assert!(text.contains("Your") || text.contains("your"), "{text}");
        }
    }
}

#[test]
fn a_value_cannot_add_markup_or_lines() {
    let email = email(json!({
        "template": "canceled", "plan_name": "<script>\r\n.\r\nBcc: x", "ended_at": 1_795_180_445,
    }));
    assert!(email.html.contains("&lt;script&gt;"), "{}", email.html);
    assert!(email.text.contains("Plan: <script>  .  Bcc: x\n"), "{}", email.text);
    assert!(email.text.contains("Ended on: 20 Nov 2026"), "{}", email.text);
}

#[test]
fn a_limit_that_never_resets_has_no_reset_date() {
    let mut payload = json!({
        "template": "limit_near", "feature_name": "Boards", "percent": 80, "used": 8, "limit": 10,
        "resets_at": 1_795_180_445,
    });
    let resets = email(payload.clone());
    assert_eq!(resets.subject, "L");
    assert_eq!(
        resets.text,
        "Your current usage.\n\nBoards: 8 of 10 (80 %)\nResets on 20 Nov 2026.\n\n\
         Manage your subscription: https://acme.example/billing?a=1&b=2\n\nAcme & Sons\n"
    );
    payload["resets_at"] = Value::Null;
    assert!(!email(payload).text.contains("Resets"));
}

#[test]
fn only_web_pages_are_linked() {
    let email = email(json!({ "template": "receipt", "hosted_url": "javascript:alert(1)" }));
    assert!(!email.html.contains("javascript") && !email.text.contains("javascript"));
    assert!(!email.html.contains("View the receipt"), "{}", email.html);
}
