use serde_json::{Value, json};

use super::{facts_of, is_unreadable, of, payment};

fn base() -> Value {
    json!({
        "id": "in_1", "object": "invoice", "customer": "cus_1", "customer_email": "ann@example.com",
        "number": "A-0001", "currency": "usd", "total": 500, "amount_due": 500, "amount_paid": 500,
        "total_tax_amounts": [{ "amount": 30 }, { "amount": 12 }],
        "attempt_count": 1, "next_payment_attempt": null, "billing_reason": "subscription_cycle",
        "hosted_invoice_url": "https://pay.example/i", "invoice_pdf": "https://pay.example/i.pdf",
        "created": 100, "status": "paid", "period_start": 1, "period_end": 2, "metadata": {},
        "status_transitions": { "finalized_at": 100, "paid_at": 101, "voided_at": null },
    })
}

fn expected() -> Value {
    json!({
        "id": "in_1", "customer": "cus_1", "user_id": "ann", "subscription": "sub_1",
        "status": "paid", "number": "A-0001", "currency": "usd", "total": 500, "tax": 42, "amount_due": 500,
        "amount_paid": 500, "attempt_count": 1, "next_attempt_at": null,
        "billing_reason": "subscription_cycle", "hosted_url": "https://pay.example/i",
        "pdf_url": "https://pay.example/i.pdf", "email": "ann@example.com", "created": 100,
        "paid_at": 101, "period_start": 100, "period_end": 200, "price": "price_1",
        "payment": "pi_1",
    })
}

/// The lines of a subscription's invoice: a proration of the last period, an added item, and the
/// next period.
fn lines_before_basil(last: Value) -> Value {
    let change = json!({
        "type": "invoiceitem", "proration": true, "amount": -200, "subscription": "sub_1",
        "price": { "id": "price_0" }, "period": { "start": 50, "end": 100 },
        "metadata": { "userId": "ann" },
    });
    let added = json!({
        "type": "invoiceitem", "proration": false, "subscription": "sub_1", "amount": 1,
        "price": { "id": "price_2" }, "period": { "start": 60, "end": 60 },
    });
    let period = json!({
        "type": "subscription", "proration": false, "subscription": "sub_1",
        "subscription_item": "si_1", "period": { "start": 100, "end": 200 },
    });
    json!({ "object": "list", "data": [change, added, of(&period, last)] })
}

/// An invoice of 2020: it has plans as well as prices, the charge, the intent, and `paid`.
fn of_2020() -> Value {
    let price = json!({ "price": null, "plan": { "id": "price_1", "object": "plan" } });
    let changes = json!({
        "subscription": "sub_1", "payment_intent": "pi_1", "charge": "ch_1", "paid": true,
        "lines": lines_before_basil(price),
    });
    of(&base(), changes)
}

/// An invoice of 2024: it has the subscription's metadata.
fn of_2024() -> Value {
    let price = json!({ "price": { "id": "price_1" }, "plan": { "id": "price_1" } });
    let changes = json!({
        "subscription": "sub_1", "payment_intent": "pi_1", "charge": "ch_1", "paid": true,
        "subscription_details": { "metadata": { "userId": "ann" } },
        "lines": lines_before_basil(price),
    });
    of(&base(), changes)
}

/// An invoice of 2025 or later: the details are in `parent`.
fn since_basil() -> Value {
    let change = json!({
        "amount": -200, "period": { "start": 50, "end": 100 }, "metadata": {},
        "parent": { "type": "subscription_item_details", "subscription_item_details": {
            "subscription": "sub_1", "proration": true,
        } },
        "pricing": { "type": "price_details", "price_details": { "price": "price_0" } },
    });
    let added = json!({
        "period": { "start": 60, "end": 60 }, "metadata": {},
        "parent": { "type": "invoice_item_details", "subscription_item_details": null,
            "invoice_item_details": { "subscription": "sub_1", "proration": false } },
        "pricing": { "price_details": { "price": "price_2" } },
    });
    let period = json!({
        "period": { "start": 100, "end": 200 }, "metadata": { "userId": "ann" },
        "parent": { "type": "subscription_item_details", "subscription_item_details": {
            "subscription": "sub_1", "subscription_item": "si_1", "proration": false,
        } },
        "pricing": { "price_details": { "price": "price_1", "product": "prod_1" } },
    });
    let changes = json!({
        "total_tax_amounts": null, "total_taxes": [{ "amount": 40 }, { "amount": 2 }],
        "parent": { "type": "subscription_details", "quote_details": null, "subscription_details": {
            "metadata": { "userId": "ann" }, "subscription": "sub_1",
        } },
        "lines": { "object": "list", "data": [change, added, period] },
        "payments": { "object": "list", "data": [
            { "status": "canceled", "payment": { "payment_intent": "pi_0" } },
            { "status": "paid", "payment": { "type": "payment_intent", "payment_intent": "pi_1" } },
        ] },
    });
    of(&base(), changes)
}

#[test]
fn every_shape_of_an_invoice_has_the_same_facts() {
    let changes = json!({
        "charge": null, "metadata": { "user_id": "ann" }, "total_tax_amounts": null, "tax": 42,
    });
    let of_2022 = of(&of_2020(), changes);
    let all_expanded = of(
        &of_2024(),
        json!({
            "customer": { "id": "cus_1" }, "subscription": { "id": "sub_1" },
            "payment_intent": { "id": "pi_1" }, "charge": { "id": "ch_1" },
        }),
    );
    let unnamed = of(&of_2024(), json!({ "subscription": null, "status": null }));
    for shape in [of_2020(), of_2022, of_2024(), all_expanded, unnamed, since_basil()] {
        assert_eq!(facts_of("invoice.paid", shape)["invoice"], expected());
    }
}

#[test]
fn a_paid_invoice_names_its_payment_if_it_has_it() {
    let paid = payment(json!({
        "id": "pi_1", "charge": "ch_1", "customer": "cus_1", "user_id": "ann", "invoice": "in_1",
        "currency": "usd", "amount": 500, "status": "succeeded",
    }));
    assert_eq!(facts_of("invoice.payment_succeeded", of_2020())["payment"], paid);
    assert_eq!(facts_of("invoice.paid", of_2024())["payment"], paid);
    let without_charge = of(&paid, json!({ "charge": null }));
    assert_eq!(facts_of("invoice.paid", since_basil())["payment"], without_charge);
    let elsewhere = facts_of("invoice.paid", of(&of_2020(), json!({ "paid_out_of_band": true })));
    assert_eq!(elsewhere["payment"]["status"], Value::Null);
    assert_eq!(elsewhere["invoice"]["status"], "paid");
    let only_charge = of(&of_2020(), json!({ "payment_intent": null }));
    let facts = facts_of("invoice.paid", only_charge);
    assert_eq!(
        (&facts["payment"]["id"], &facts["invoice"]["payment"]),
        (&json!("ch_1"), &json!("ch_1"))
    );
    let facts = facts_of("invoice.paid", of(&since_basil(), json!({ "payments": null })));
    assert_eq!(facts["payment"], Value::Null);
    assert_eq!(facts["invoice"]["payment"], Value::Null);
    assert_eq!(facts["invoice"]["status"], "paid");
}

#[test]
fn a_failed_invoice_payment_sends_a_notice() {
    let unpaid = json!({
        "status": "open", "paid": false, "amount_paid": 0, "next_payment_attempt": 300,
        "status_transitions": { "finalized_at": 100, "paid_at": null },
    });
    for verb in ["payment_failed", "payment_action_required"] {
        let facts = facts_of(&format!("invoice.{verb}"), of(&of_2024(), unpaid.clone()));
        assert_eq!(facts["notice"], "payment_failed");
        assert_eq!(facts["invoice"]["status"], "open");
        assert_eq!(facts["invoice"]["next_attempt_at"], 300);
        assert_eq!(facts["invoice"]["paid_at"], Value::Null);
        assert_eq!(facts["payment"]["id"], "pi_1");
        assert_eq!(facts["payment"]["status"], Value::Null);
        assert_eq!(facts["payment"]["amount"], Value::Null);
    }
    for verb in ["finalized", "updated", "voided", "marked_uncollectible", "paid"] {
        let facts = facts_of(&format!("invoice.{verb}"), of(&of_2024(), unpaid.clone()));
        assert_eq!(facts["notice"], Value::Null, "{verb}");
    }
}

#[test]
fn an_invoice_of_a_proration_has_no_period() {
    let change = lines_before_basil(json!({}))["data"][0].clone();
    let upgrade = of(&of_2024(), json!({ "lines": { "data": [change] } }));
    let fact = &facts_of("invoice.paid", upgrade)["invoice"];
    assert_eq!(fact["subscription"], "sub_1");
    for field in ["period_start", "period_end", "price"] {
        assert_eq!(fact[field], Value::Null, "{field}");
    }
}

#[test]
fn an_upcoming_invoice_has_no_facts() {
    let upcoming = of(&of_2024(), json!({ "id": null, "status": "draft" }));
    assert_eq!(facts_of("invoice.upcoming", upcoming), json!({}));
}

#[test]
fn malformed_fields_of_an_invoice_are_ignored() {
    let bare = json!({ "id": "in_1", "object": "invoice", "status": "open" });
    let odd = json!({
        "customer": 5, "subscription": [], "amount_due": -1, "amount_paid": "5", "lines": 7,
        "parent": "none", "subscription_details": [], "payments": { "data": "none" },
        "status_transitions": null, "metadata": 5, "attempt_count": "many", "charge": {},
        "created": 1.5, "paid": "yes",
    });
    let expected = facts_of("invoice.updated", bare.clone());
    assert_eq!(facts_of("invoice.updated", of(&bare, odd)), expected);
    let odd_lines = of(&bare, json!({ "lines": { "data": [null, 5, [], { "parent": 5 }] } }));
    assert_eq!(facts_of("invoice.updated", odd_lines), expected);
    assert!(is_unreadable("invoice.paid", of(&base(), json!({ "id": null }))));
    assert!(is_unreadable("invoice.updated", json!({ "id": "in_1", "object": "invoice" })));
}

/// Before 2018-11-08 an invoice had no status, and before 2019-03-14 it had `date` instead of
/// `created`.
#[test]
fn the_status_of_an_early_invoice_is_derived() {
    let early = json!({
        "id": "in_1", "object": "invoice", "customer": "cus_1", "subscription": "sub_1",
        "date": 100, "paid": false, "closed": false, "forgiven": false, "attempted": true,
        "attempt_count": 1,
    });
    let fact = |changes: Value| facts_of("invoice.updated", of(&early, changes))["invoice"].clone();
    assert_eq!(fact(json!({}))["created"], 100);
    for (changes, status) in [
        (json!({}), "open"),
        (json!({ "attempted": false }), "draft"),
        (json!({ "closed": true }), "void"),
        (json!({ "closed": true, "forgiven": true }), "uncollectible"),
        (json!({ "closed": true, "paid": true }), "paid"),
    ] {
        assert_eq!(fact(changes)["status"], status);
    }
    let failed = facts_of("invoice.payment_failed", early.clone());
    assert_eq!(
        (&failed["notice"], &failed["invoice"]["status"]),
        (&json!("payment_failed"), &json!("open"))
    );
}

#[test]
fn an_invoice_of_a_purchase_names_its_price_but_no_period() {
    let line = json!({
        "period": { "start": 60, "end": 60 }, "metadata": {},
        "pricing": { "type": "price_details", "price_details": { "price": "price_pack" } },
    });
    let changes = json!({ "lines": { "object": "list", "data": [line.clone()] } });
    let facts = facts_of("invoice.paid", of(&base(), changes));
    assert_eq!(facts["invoice"]["price"], "price_pack");
    assert_eq!(facts["invoice"]["period_start"], Value::Null);
    let changes = json!({ "lines": { "object": "list", "data": [line.clone(), line] } });
    let facts = facts_of("invoice.paid", of(&base(), changes));
    assert_eq!(facts["invoice"]["price"], Value::Null, "two lines: no single price");
}
