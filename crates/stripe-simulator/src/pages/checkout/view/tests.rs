use serde_json::json;

use super::*;

fn price(minor: i64, recurring: Value) -> Value {
    json!({ "id": "price_1", "unit_amount": minor, "currency": "usd", "recurring": recurring })
}

fn line(minor: i64, quantity: i64, recurring: Value) -> Value {
    json!({
        "id": "li_1", "description": "Pro <b>", "quantity": quantity, "currency": "usd",
        "amount_subtotal": minor * quantity, "price": price(minor, recurring),
        "adjustable_quantity": null,
    })
}

fn session(changes: Value) -> Value {
    let mut session = json!({
        "id": "cs_test_1", "object": "checkout.session", "status": "open", "mode": "subscription",
        "currency": "usd", "amount_total": 1_998, "payment_status": "unpaid",
        "total_details": { "amount_discount": 0, "amount_shipping": 0, "amount_tax": 0 },
        "success_url": "https://shop.example/done?s={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://shop.example/no", "customer_email": null,
        "customer_details": null, "allow_promotion_codes": null,
    });
    for (name, value) in changes.as_object().unwrap() {
        session[name] = value.clone();
    }
    session
}

fn data() -> PageData {
    let lines = vec![line(999, 2, json!({ "interval": "month", "interval_count": 1 }))];
    PageData { lines, token: "secret".to_owned(), ..PageData::default() }
}

#[track_caller]
fn expect(page: &str, shown: &[&str]) {
    for part in shown {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[test]
fn an_open_session_shows_its_items_and_all_outcomes() {
    let page = page(&session(json!({})), &data(), None);
    expect(&page, &["Pro &lt;b&gt;", "$9.99 per month", "Total due now: $19.98"]);
    expect(&page, &["$19.98 per month, until you cancel.", "name=\"token\" value=\"secret\""]);
    for outcome in ["paid", "declined", "authenticate", "pays_later", "fails_later"] {
        expect(&page, &[&format!("<button name=\"outcome\" value=\"{outcome}\"")]);
    }
    expect(&page, &["<a href=\"https://shop.example/no\">Cancel and return"]);
    assert!(!page.contains("Promotion code") && !page.contains("Quantities"), "{page}");
}

#[test]
fn a_trial_shows_its_end() {
    let data = PageData { trial_end: Some(1_795_180_445), ..data() };
    let session = session(json!({ "amount_total": 0 }));
    let page = page(&session, &data, None);
    expect(&page, &["Free until 20 Nov 2026, then $19.98 per month, until you cancel."]);
    expect(&page, &["Total due now: $0.00", ">Start the trial</button>"]);
    assert!(!page.contains("Delayed payment"), "{page}");
    let bank = authentication(&session, &data);
    expect(&bank, &["Approve saving this card?"]);
}

#[test]
fn a_one_time_payment_has_no_recurring_terms() {
    let data = PageData { lines: vec![line(1_998, 1, Value::Null)], ..data() };
    let page = page(&session(json!({ "mode": "payment" })), &data, None);
    expect(&page, &["<h1>Pay</h1>", ">Pay $19.98</button>"]);
    assert!(!page.contains("until you cancel"), "{page}");
}

#[test]
fn a_card_can_be_saved_without_a_purchase() {
    let setup = json!({ "mode": "setup", "amount_total": null, "currency": null });
    let page = page(&session(setup), &PageData { lines: Vec::new(), ..data() }, None);
    expect(&page, &["<h1>Save a card</h1>", "No payment is due", ">Save the card</button>"]);
    assert!(!page.contains("Total due now"), "{page}");
}

#[test]
fn discounts_and_taxes_have_their_own_rows() {
    let details = json!({ "amount_discount": 500, "amount_shipping": 0, "amount_tax": 95 });
    let page = page(&session(json!({ "total_details": details })), &data(), None);
    expect(&page, &["<td>Discount</td>", "−$5.00", "<td>Tax</td>", "$0.95"]);
    assert!(!page.contains("Shipping"), "{page}");
}

#[test]
fn requested_details_have_a_field() {
    let asks = session(json!({
        "allow_promotion_codes": true, "billing_address_collection": "required",
        "phone_number_collection": { "enabled": true },
        "consent_collection": { "terms_of_service": "required" },
    }));
    let mut lines = data().lines;
    lines[0]["adjustable_quantity"] = json!({ "enabled": true, "minimum": 1, "maximum": 9 });
    let page = page(&asks, &PageData { lines, ..data() }, None);
    for name in ["promotion_code", "line1", "city", "postal_code", "country", "phone"] {
        expect(&page, &[&format!("name=\"{name}\"")]);
    }
    expect(&page, &["name=\"quantity_li_1\" value=\"2\"", "name=\"terms_of_service\""]);
}

#[test]
fn fields_default_to_typed_then_customer_values() {
    let customer = json!({
        "email": "ada@shop.example", "name": "Ada", "address": { "country": "FR", "postal_code": "75001" },
    });
    let known = PageData { customer, ..data() };
    let first = page(&session(json!({})), &known, None);
    expect(&first, &["Email: ada@shop.example", "type=\"hidden\" name=\"email\""]);
    expect(&first, &["name=\"name\" value=\"Ada\"", "name=\"country\" value=\"FR\""]);

    let typed = Fields::read(b"name=Bob&country=IT");
    let again = page(&session(json!({})), &PageData { typed, ..known }, None);
    expect(&again, &["name=\"name\" value=\"Bob\"", "name=\"country\" value=\"IT\""]);

    let stranger = page(&session(json!({})), &data(), None);
    expect(&stranger, &["type=\"email\" name=\"email\" value=\"ada@example.com\""]);
    let user = session(json!({ "client_reference_id": "user_<7>" }));
    expect(&page(&user, &data(), None), &["value=\"user7@example.com\""]);
}

#[test]
fn the_authentication_page_has_two_answers_and_a_way_back() {
    let page = authentication(&session(json!({})), &data());
    expect(&page, &["value=\"approved_3ds\"", "value=\"refused_3ds\""]);
    expect(&page, &["Approve this payment of $19.98?", "href=\"/simulator/checkout/cs_test_1\""]);
    assert_eq!(page.matches("name=\"token\"").count(), 1);
}

#[test]
fn a_closed_session_has_no_form() {
    let paid = json!({ "status": "complete", "payment_status": "paid" });
    let complete = page(&session(paid), &data(), None);
    expect(
        &complete,
        &["is complete", "https://shop.example/done?s=cs_test_1", "Payment of $19.98 succeeded."],
    );
    let expired = page(&session(json!({ "status": "expired" })), &data(), None);
    expect(&expired, &["has expired", "https://shop.example/no"]);
    assert!(!complete.contains("<form") && !expired.contains("<form"));
}

#[test]
fn an_address_without_a_country_is_none() {
    assert_eq!(typed_address(&Fields::read(b"city=Berlin&country=")), None);
    let address = typed_address(&Fields::read(b"country=DE&postal_code=10115")).unwrap();
    let expected = json!({
        "line1": null, "line2": null, "city": null, "state": null,
        "postal_code": "10115", "country": "DE",
    });
    assert_eq!(address, expected);
}
