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
    };
    render(&payload, &email).unwrap()
}

#[test]
fn a_receipt_has_the_plan_and_the_amount() {
    let receipt = email(json!({
        "template": "receipt", "number": "A-1", "amount_minor": 500, "currency": "jpy",
        "hosted_url": "https://pay.example/i?a=1&b=2", "pdf_url": null, "plan_name": "Pro",
    }));
    assert_eq!(receipt.subject, "R");
    assert_eq!(
        receipt.text,
        "Thank you for your payment.\n\nPlan: Pro\nReceipt: A-1\nPaid: JPY 500\n\
         View the receipt: https://pay.example/i?a=1&b=2\n\nAcme & Sons\n"
    );
    assert!(receipt.html.contains("<a href=\"https://pay.example/i?a=1&amp;b=2\">"));
    assert!(receipt.html.contains("<p>Acme &amp; Sons</p>") && !receipt.html.contains("PDF"));
}

#[test]
fn lines_with_unknown_values_are_omitted() {
    for template in
        ["receipt", "payment_failed", "trial_ending", "canceled", "limit_near", "credits_used"]
    {
        let email = email(json!({ "template": template }));
        for text in [&email.text, &email.html] {
            assert!(!text.contains(['{', '}', ':']) || text.contains("font:"), "{text}");
            assert!(text.contains("Your") || text.contains("your"), "{text}");
        }
    }
}

#[test]
fn a_value_cannot_add_markup_or_lines() {
    let email = email(json!({
        "template": "canceled", "plan_name": "<script>\r\n.\r\nBcc: x", "ended_at": 1_795_180_445,
    }));
    assert!(email.html.contains("Plan: &lt;script&gt;"), "{}", email.html);
    assert!(email.text.contains("Plan: <script>  .  Bcc: x\n"), "{}", email.text);
    assert!(email.text.contains("It ended on 20 November 2026."), "{}", email.text);
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
        "Here is your current usage.\n\nBoards: 8 of 10 (80 %)\n\
         It resets on 20 November 2026.\n\nAcme & Sons\n"
    );
    payload["resets_at"] = Value::Null;
    assert!(!email(payload).text.contains("resets"));
}

#[test]
fn only_web_pages_are_linked() {
    let email = email(json!({ "template": "receipt", "hosted_url": "javascript:alert(1)" }));
    assert!(!email.html.contains("href") && !email.text.contains("javascript"));
}
