use serde_json::{Value, json};

use super::{facts_of, is_unreadable, of, payment};

fn intent() -> Value {
    json!({
        "id": "pi_1", "object": "payment_intent", "customer": "cus_1", "currency": "usd",
        "amount": 900, "amount_received": 900, "status": "succeeded",
        "last_payment_error": null, "metadata": { "userId": "ann" },
    })
}

fn charge() -> Value {
    json!({
        "id": "ch_1", "object": "charge", "payment_intent": "pi_1", "customer": "cus_1",
        "currency": "usd", "amount": 900, "amount_captured": 900, "amount_refunded": 300,
        "captured": true, "paid": true, "refunded": false, "status": "succeeded",
        "metadata": { "userId": "ann" },
    })
}

fn paid() -> Value {
    payment(json!({
        "id": "pi_1", "charge": "ch_1", "customer": "cus_1", "user_id": "ann", "currency": "usd",
        "amount": 900, "status": "succeeded",
    }))
}

#[test]
fn every_shape_of_a_payment_has_the_same_facts() {
    // Until 2022 an intent listed its charges; until 2025 it named its invoice.
    let of_2020 = of(&intent(), json!({ "charges": { "data": [{ "id": "ch_1" }] } }));
    let of_2022 = of(&intent(), json!({ "latest_charge": "ch_1", "invoice": null }));
    let since_basil = of(&intent(), json!({ "latest_charge": "ch_1" }));
    let expanded =
        of(&intent(), json!({ "latest_charge": { "id": "ch_1" }, "customer": { "id": "cus_1" } }));
    let two_charges = json!({ "charges": { "data": [{ "id": "ch_2" }, { "id": "ch_1" }] } });
    let facts = facts_of("payment_intent.succeeded", of(&intent(), two_charges));
    assert_eq!(facts["payment"]["charge"], "ch_2");
    assert_eq!(facts["payment"]["other_charges"], json!(["ch_1"]));
    for shape in [of_2020.clone(), of_2022, since_basil, expanded] {
        assert_eq!(facts_of("payment_intent.succeeded", shape), json!({ "payment": paid() }));
    }
    let of_an_invoice = of(&of_2020, json!({ "invoice": "in_1" }));
    let facts = facts_of("payment_intent.succeeded", of_an_invoice);
    assert_eq!(facts["payment"]["invoice"], "in_1");
}

#[test]
fn a_failed_payment_has_its_failure() {
    let failed = of(
        &intent(),
        json!({
            "status": "requires_payment_method", "amount_received": 0, "latest_charge": "ch_1",
            "last_payment_error": { "code": "card_declined", "decline_code": "lost_card" },
        }),
    );
    let facts = facts_of("payment_intent.payment_failed", failed.clone());
    let changes = json!({ "amount": null, "status": "failed", "failure": "card_declined" });
    assert_eq!(facts, json!({ "payment": of(&paid(), changes) }));
    let coded = json!({ "last_payment_error": { "decline_code": "lost_card" } });
    let facts = facts_of("payment_intent.payment_failed", of(&failed, coded));
    assert_eq!(facts["payment"]["failure"], "lost_card");
    // In another event, the same payment has not failed.
    let facts = facts_of("payment_intent.requires_action", failed);
    assert_eq!(facts["payment"]["status"], Value::Null);
    // Stripe may send the failure of a first attempt with the success of a second.
    let facts = facts_of("payment_intent.payment_failed", intent());
    assert_eq!(facts["payment"]["status"], "succeeded");
}

#[test]
fn every_shape_of_a_refunded_charge_has_the_same_facts() {
    let expected = of(&paid(), json!({ "refunded": 300 }));
    let since_basil = charge();
    let before_capture_was_counted = of(&charge(), json!({ "amount_captured": null }));
    let expanded =
        of(&charge(), json!({ "payment_intent": { "id": "pi_1" }, "customer": { "id": "cus_1" } }));
    for shape in [since_basil, before_capture_was_counted, expanded] {
        assert_eq!(facts_of("charge.refunded", shape), json!({ "payment": expected }));
    }
    // Until 2022 a charge listed its refunds; until 2025 it named its invoice.
    let of_2020 = of(
        &charge(),
        json!({
            "invoice": "in_1",
            "refunds": { "object": "list", "data": [
                { "id": "re_1", "amount": 100, "status": "succeeded", "charge": "ch_1" },
                { "id": "re_2", "amount": 200, "status": "pending" }, { "amount": 5 }, null,
            ] },
        }),
    );
    let facts = facts_of("charge.refunded", of_2020);
    assert_eq!(facts["payment"], of(&expected, json!({ "invoice": "in_1" })));
    let refunds = json!([
        { "id": "re_1", "amount": 100, "status": "succeeded" },
        { "id": "re_2", "amount": 200, "status": "pending" },
    ]);
    assert_eq!(facts["refunds"], refunds);
}

#[test]
fn a_charge_without_an_intent_is_the_payment() {
    let facts = facts_of("charge.succeeded", of(&charge(), json!({ "payment_intent": null })));
    assert_eq!(facts["payment"]["id"], "ch_1");
    assert_eq!(facts["payment"]["charge"], "ch_1");
}

#[test]
fn an_uncaptured_or_failed_charge_is_not_paid() {
    let held = json!({ "captured": false, "amount_captured": 0 });
    let refused = json!({ "paid": false, "status": "failed", "amount_captured": 0 });
    for (verb, changes) in [("succeeded", held), ("failed", refused)] {
        let facts = facts_of(&format!("charge.{verb}"), of(&charge(), changes));
        assert_eq!(facts["payment"]["status"], Value::Null, "{verb}");
        assert_eq!(facts["payment"]["amount"], Value::Null, "{verb}");
    }
}

#[test]
fn a_refund_names_its_payment() {
    let of_2020 = json!({
        "id": "re_1", "object": "refund", "amount": 300, "status": "succeeded",
        "charge": "ch_1", "payment_intent": "pi_1", "currency": "usd",
    });
    let unnamed = of(&of_2020, json!({ "object": null }));
    let expanded = of(
        &of_2020,
        json!({
            "payment_intent": null,
            "charge": { "id": "ch_1", "object": "charge", "payment_intent": { "id": "pi_1" } },
        }),
    );
    let expected = json!({
        "payment": payment(json!({ "id": "pi_1", "charge": "ch_1" })),
        "refunds": [{ "id": "re_1", "amount": 300, "status": "succeeded" }],
    });
    for kind in ["charge.refund.updated", "refund.created", "refund.updated", "refund.failed"] {
        for shape in [&of_2020, &unnamed, &expanded] {
            assert_eq!(facts_of(kind, shape.clone()), expected, "{kind}");
        }
    }
    let only_charge = of(&of_2020, json!({ "payment_intent": null }));
    assert_eq!(facts_of("refund.created", only_charge)["payment"]["id"], "ch_1");
    let of_a_balance = of(&of_2020, json!({ "payment_intent": null, "charge": null }));
    assert_eq!(facts_of("refund.created", of_a_balance), json!({}));
    assert!(is_unreadable("refund.created", of(&of_2020, json!({ "id": null }))));
}

#[test]
fn a_dispute_names_its_payment() {
    let of_2022 = json!({
        "id": "dp_1", "object": "dispute", "amount": 900, "currency": "usd",
        "status": "needs_response", "reason": "fraudulent",
        "charge": "ch_1", "payment_intent": "pi_1",
    });
    // Some of the oldest disputes name only the charge.
    let expanded = of(
        &of_2022,
        json!({ "payment_intent": null, "charge": { "id": "ch_1", "payment_intent": "pi_1" } }),
    );
    let unnamed = of(&of_2022, json!({ "object": null }));
    let expected = json!({
        "payment": payment(json!({ "id": "pi_1", "charge": "ch_1" })),
        "dispute": {
            "id": "dp_1", "amount": 900, "status": "needs_response", "reason": "fraudulent",
            "currency": "usd",
        },
    });
    for verb in ["created", "updated", "closed", "funds_withdrawn", "funds_reinstated"] {
        for shape in [&of_2022, &expanded, &unnamed] {
            assert_eq!(facts_of(&format!("charge.dispute.{verb}"), shape.clone()), expected);
        }
    }
    let only_charge = of(&of_2022, json!({ "payment_intent": null }));
    assert_eq!(facts_of("charge.dispute.closed", only_charge)["payment"]["id"], "ch_1");
    assert!(is_unreadable("charge.dispute.closed", of(&of_2022, json!({ "id": null }))));
}

#[test]
fn an_invoice_is_joined_with_its_payment() {
    let base = json!({
        "id": "inpay_1", "object": "invoice_payment", "invoice": "in_1", "currency": "usd",
        "amount_paid": 900, "amount_requested": 900, "status": "paid",
        "payment": { "type": "payment_intent", "payment_intent": "pi_1" },
    });
    let expected = json!({ "payment": payment(json!({
        "id": "pi_1", "invoice": "in_1", "currency": "usd", "amount": 900, "status": "succeeded",
    })) });
    let expanded = of(
        &base,
        json!({ "invoice": { "id": "in_1" }, "payment": { "payment_intent": { "id": "pi_1" } } }),
    );
    for shape in [&base, &expanded] {
        assert_eq!(facts_of("invoice_payment.paid", shape.clone()), expected);
    }
    let by_charge = of(&base, json!({ "payment": { "type": "charge", "charge": "ch_1" } }));
    assert_eq!(facts_of("invoice_payment.paid", by_charge)["payment"]["id"], "ch_1");
    let open = of(&base, json!({ "status": "open", "amount_paid": null }));
    assert_eq!(facts_of("invoice_payment.paid", open)["payment"]["status"], Value::Null);
    let elsewhere = of(&base, json!({ "payment": { "type": "payment_record" } }));
    assert_eq!(facts_of("invoice_payment.paid", elsewhere), json!({}));
}

#[test]
fn malformed_fields_of_a_payment_are_ignored() {
    let odd = json!({
        "customer": 5, "metadata": [], "currency": 7, "amount": 1.5, "amount_received": -1,
        "amount_captured": -1, "amount_refunded": "1", "latest_charge": false, "charges": 5,
        "invoice": {}, "last_payment_error": "none", "refunds": "none", "status": null,
    });
    let intent = json!({ "id": "pi_1", "object": "payment_intent" });
    let facts = facts_of("payment_intent.created", of(&intent, odd.clone()));
    assert_eq!(facts, json!({ "payment": payment(json!({ "id": "pi_1" })) }));
    let charge = json!({ "id": "ch_1", "object": "charge" });
    let facts = facts_of("charge.updated", of(&charge, odd));
    assert_eq!(facts, json!({ "payment": payment(json!({ "id": "ch_1", "charge": "ch_1" })) }));
    for (kind, object) in [("payment_intent.created", intent), ("charge.updated", charge)] {
        assert!(is_unreadable(kind, of(&object, json!({ "id": null }))), "{kind}");
    }
}
