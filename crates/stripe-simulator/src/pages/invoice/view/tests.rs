use serde_json::json;

use super::*;

fn invoice(status: &str) -> Value {
    json!({
        "id": "in_1", "number": "ABC-0001", "status": status, "currency": "usd",
        "customer": "cus_1", "customer_email": "<ada>@example.com", "total": 900,
        "amount_paid": 0, "amount_remaining": 900, "starting_balance": 0, "attempt_count": 1,
        "next_payment_attempt": null, "due_date": null,
        "status_transitions": { "paid_at": 1_795_180_445, "voided_at": null },
        "total_discount_amounts": [{ "amount": 100, "discount": "di_1" }],
        "lines": { "data": [{
            "description": "1 × Pro (at $10.00 / month)", "amount": 1_000, "currency": "usd",
            "period": { "start": 1_795_180_445, "end": 1_797_772_445 },
        }] },
    })
}

fn data() -> PageData {
    PageData { token: "secret".to_owned(), ..PageData::default() }
}

#[track_caller]
fn expect(page: &str, shown: &[&str]) {
    for part in shown {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[test]
fn an_open_invoice_can_be_paid_with_several_cards() {
    let card = Some("visa ending in 0341".to_owned());
    let page = page(&invoice("open"), &PageData { card, ..data() }, None);
    expect(&page, &["<h1>Invoice ABC-0001</h1>", "&lt;ada&gt;@example.com", "Amount due: $9.00"]);
    expect(&page, &["20 Nov 2026 to 20 Dec 2026", "−$1.00"]);
    expect(&page, &["<option value=\"\" selected>Saved card: visa ending in 0341</option>"]);
    expect(&page, &["value=\"pm_card_chargeDeclined\"", ">Pay $9.00</button>"]);
}

#[test]
fn an_authentication_can_be_approved_or_declined() {
    let page = page(&invoice("open"), &PageData { asks: true, ..data() }, None);
    expect(&page, &["name=\"act\" value=\"approve\"", "name=\"act\" value=\"refuse\""]);
    assert!(!page.contains("value=\"pay\""), "{page}");
}

#[test]
fn an_invoice_that_is_not_open_cannot_be_paid() {
    for (status, says) in [
        ("draft", "Draft: no payment is due yet"),
        ("paid", "Paid on 20 Nov 2026"),
        ("void", "Voided"),
        ("uncollectible", "Marked uncollectible"),
    ] {
        let page = page(&invoice(status), &data(), None);
        expect(&page, &[says]);
        assert!(!page.contains("<form"), "{status}: {page}");
    }
}

#[test]
fn a_receipt_shows_the_paid_and_refunded_amounts() {
    let charge = json!({
        "id": "ch_1", "amount": 900, "amount_refunded": 300, "currency": "usd", "created": 0,
        "status": "succeeded", "failure_message": null,
        "payment_method_details": { "card": { "brand": "visa", "last4": "4242" } },
    });
    let page = receipt(&charge);
    expect(&page, &["Receipt for $9.00", "ch_1", "$3.00", "visa ending in 4242", "succeeded"]);
}

#[test]
fn a_printable_invoice_has_its_lines_and_the_simulator_mark() {
    let page = printable(&invoice("paid"));
    expect(&page, &["<strong>SIMULATOR</strong>", "<h1>Invoice ABC-0001</h1>"]);
    expect(&page, &["1 × Pro (at $10.00 / month)", "$10.00", "&lt;ada&gt;@example.com"]);
    expect(&page, &["Paid on 20 Nov 2026", "Amount due: $9.00"]);
    assert!(!page.contains("<form") && !page.contains("<button"), "{page}");
}
