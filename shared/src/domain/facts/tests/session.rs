use serde_json::{Value, json};

use super::{event, facts_of, is_unreadable, of, payment};

/// A session with a paid credit pack.
fn purchase() -> Value {
    json!({
        "id": "cs_1", "object": "checkout.session", "mode": "payment", "status": "complete",
        "created": 100, "expires_at": 200, "payment_status": "paid", "currency": "usd",
        "amount_subtotal": 1000, "amount_total": 900, "customer": "cus_1",
        "payment_intent": "pi_1", "invoice": "in_1", "subscription": null,
        "customer_details": { "email": "ann@example.com" }, "customer_email": null,
        "metadata": { "userId": "ann", "pack": "small", "packVersion": "2" },
    })
}

fn completed(session: Value) -> Value {
    facts_of("checkout.session.completed", session)
}

#[test]
fn a_purchase_has_its_pack_and_its_payment() {
    let expected = json!({
        "session": {
            "id": "cs_1", "mode": "payment", "status": "complete", "created": 100,
            "payment_status": "paid", "user_id": "ann", "reference": null, "pack": "small", "pack_version": 2,
            "customer": "cus_1", "email": "ann@example.com", "subscription": null,
            "payment_intent": "pi_1", "invoice": "in_1", "currency": "usd",
            "amount_subtotal": 1000, "amount_total": 900, "items": null, "expires_at": 200,
        },
        "payment": payment(json!({
            "id": "pi_1", "customer": "cus_1", "user_id": "ann", "session": "cs_1",
            "currency": "usd", "amount": 900, "status": "succeeded",
        })),
    });
    assert_eq!(completed(purchase()), expected);
    let expanded = of(
        &purchase(),
        json!({
            "customer": { "id": "cus_1", "email": "other@example.com" },
            "payment_intent": { "id": "pi_1", "status": "succeeded" },
            "invoice": { "id": "in_1" },
        }),
    );
    assert_eq!(completed(expanded), expected);
    // Before 2021 a session had no `customer_details`, and a one-time purchase had no invoice.
    let early = of(
        &purchase(),
        json!({
            "customer_details": null, "customer_email": "ann@example.com", "invoice": null,
            "metadata": { "user_id": "ann", "pack": "small", "packVersion": "2" },
        }),
    );
    let mut without_invoice = expected;
    without_invoice["session"]["invoice"] = Value::Null;
    assert_eq!(completed(early), without_invoice);
}

#[test]
fn a_delayed_payment_is_not_paid_until_it_arrives() {
    let unpaid = of(&purchase(), json!({ "payment_status": "unpaid" }));
    let waiting = completed(unpaid.clone());
    assert_eq!(waiting["payment"]["id"], "pi_1");
    assert_eq!(waiting["payment"]["status"], Value::Null);
    assert_eq!(waiting["payment"]["amount"], Value::Null);
    let arrived = facts_of("checkout.session.async_payment_succeeded", purchase());
    assert_eq!(arrived["payment"]["status"], "succeeded");
    assert_eq!(arrived["notice"], Value::Null);
    let failed = facts_of("checkout.session.async_payment_failed", unpaid);
    assert_eq!(failed["payment"]["status"], Value::Null);
    assert_eq!(failed["notice"], "payment_failed");
}

#[test]
fn a_free_session_is_its_own_payment() {
    let free = json!({
        "payment_intent": null, "payment_status": "no_payment_required", "amount_total": 0,
    });
    let facts = completed(of(&purchase(), free));
    assert_eq!(facts["payment"]["id"], "cs_1");
    assert_eq!(facts["payment"]["amount"], 0);
    assert_eq!(facts["payment"]["status"], "succeeded");
    let called_paid = json!({ "payment_intent": null, "amount_total": 0 });
    let facts = completed(of(&purchase(), called_paid));
    assert_eq!((&facts["payment"]["id"], &facts["payment"]["amount"]), (&json!("cs_1"), &json!(0)));
    let open = json!({ "payment_intent": null, "payment_status": "unpaid", "status": "expired" });
    let facts = facts_of("checkout.session.expired", of(&purchase(), open));
    assert_eq!(facts["payment"], Value::Null);
    let trial = json!({
        "mode": "subscription", "payment_intent": null, "subscription": "sub_1",
        "payment_status": "no_payment_required",
    });
    let facts = completed(of(&purchase(), trial));
    assert_eq!(facts["payment"], Value::Null);
    assert_eq!(facts["session"]["subscription"], "sub_1");
}

#[test]
fn a_paid_session_that_does_not_name_its_payment_has_none() {
    let ids = |changes| {
        let session = of(&purchase(), changes);
        let facts = event("checkout.session.completed", &session).facts().unwrap();
        (facts.session_without_payment().map(str::to_owned), facts.payment_id().map(str::to_owned))
    };
    for amount in [json!(900), Value::Null] {
        let unnamed = ids(json!({ "payment_intent": null, "amount_total": amount }));
        assert_eq!(unnamed, (Some("cs_1".to_owned()), None));
    }
    assert_eq!(ids(json!({})), (None, Some("pi_1".to_owned())));
    let free = json!({ "payment_intent": null, "amount_total": 0 });
    assert_eq!(ids(free), (None, Some("cs_1".to_owned())));
    for other in [json!({ "payment_status": "unpaid" }), json!({ "mode": "subscription" })] {
        let without = of(&other, json!({ "payment_intent": null }));
        assert_eq!(ids(without), (None, None));
    }
}

#[test]
fn expanded_line_items_are_listed() {
    let cart = json!({ "line_items": { "object": "list", "data": [
        { "id": "li_1", "quantity": 3, "price": { "id": "price_1", "product": "prod_1" } },
        { "id": "li_2", "quantity": null, "price": {
            "id": "price_2", "product": { "id": "prod_2", "name": "Two" },
        } },
        { "id": "li_3", "price": null },
    ] } });
    let facts = completed(of(&purchase(), cart));
    let expected = json!([
        { "price": "price_1", "product": "prod_1", "quantity": 3 },
        { "price": "price_2", "product": "prod_2", "quantity": null },
        { "price": null, "product": null, "quantity": null },
    ]);
    assert_eq!(facts["session"]["items"], expected);
}

#[test]
fn an_expanded_subscription_has_its_facts_too() {
    let made = json!({
        "mode": "subscription", "payment_intent": null,
        "subscription": { "id": "sub_1", "customer": "cus_1", "status": "active", "created": 1 },
    });
    let facts = completed(of(&purchase(), made));
    assert_eq!(facts["session"]["subscription"], "sub_1");
    assert_eq!(facts["subscription"]["status"], "active");
}

#[test]
fn a_client_reference_id_is_not_trusted_by_default() {
    let session = json!({
        "id": "cs_1", "mode": "payment", "status": "complete", "created": 1,
        "client_reference_id": "another", "payment_status": "paid", "payment_intent": "pi_1",
    });
    let facts = event("checkout.session.completed", &session).facts().unwrap();
    assert_eq!(facts.as_json()["session"]["user_id"], Value::Null);
    // With STRIPE_TRUST_CLIENT_REFERENCE_ID it is trusted.
    let trusted = facts.with_client_reference();
    for name in ["session", "payment"] {
        assert_eq!(trusted.as_json()[name]["user_id"], "another", "{name}");
    }
    for (reference, user) in [("bob", "ann"), ("", "ann"), ("not a\nuser", "ann")] {
        let named = of(&purchase(), json!({ "client_reference_id": reference }));
        let facts = event("checkout.session.completed", &named).facts().unwrap();
        assert_eq!(facts.with_client_reference().as_json()["session"]["user_id"], user);
    }
    let invalid = of(&session, json!({ "client_reference_id": "not a\nuser" }));
    let facts = event("checkout.session.completed", &invalid).facts().unwrap();
    assert_eq!(facts.with_client_reference().as_json()["session"]["user_id"], Value::Null);
}

/// The cost of an event does not grow with its length.
#[test]
fn at_most_a_hundred_line_items_are_read() {
    let lines = vec![json!({}); 330_000];
    let facts = completed(of(&purchase(), json!({ "line_items": { "data": lines } })));
    assert_eq!(facts["session"]["items"].as_array().unwrap().len(), 100);
}

/// Before 2021 a session had neither a status nor a creation time: its event had them.
#[test]
fn an_old_session_gets_its_status_from_its_event() {
    let old = json!({
        "id": "cs_1", "object": "checkout.session", "mode": "payment", "payment_intent": "pi_1",
        "amount_total": 500, "currency": "usd",
    });
    let facts = completed(old.clone());
    assert_eq!(facts["session"]["status"], "complete");
    assert_eq!(
        (&facts["session"]["created"], &facts["payment"]["amount"]),
        (&json!(1), &json!(500))
    );
    assert_eq!(facts_of("checkout.session.expired", old)["session"]["status"], "expired");
}

#[test]
fn malformed_fields_of_a_session_are_ignored() {
    let bare = json!({ "id": "cs_1", "mode": "payment", "status": "complete", "created": 1 });
    let odd = json!({
        "amount_total": -5, "amount_subtotal": 9.5, "metadata": { "packVersion": "two" },
        "customer": 5, "payment_intent": {}, "line_items": [], "customer_details": "ann",
        "payment_status": 1, "invoice": [],
    });
    assert_eq!(completed(of(&bare, odd)), completed(bare.clone()));
    for field in ["id", "mode"] {
        let without = of(&bare, json!({ field: null }));
        assert!(is_unreadable("checkout.session.completed", without), "{field}");
    }
}
