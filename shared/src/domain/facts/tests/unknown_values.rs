//! Unknown statuses, and the stubs of deleted objects.

use serde_json::{Value, json};

use super::{facts_of, of};

fn objects() -> [(&'static str, Value); 6] {
    let payment = json!({ "payment_intent": "pi_1", "charge": "ch_1", "amount": 5 });
    [
        (
            "customer.subscription.updated",
            json!({ "id": "sub_1", "customer": "cus_1", "created": 1 }),
        ),
        ("checkout.session.completed", json!({ "id": "cs_1", "mode": "payment", "created": 1 })),
        ("checkout.session.completed", json!({ "id": "cs_1", "status": "complete", "created": 1 })),
        ("invoice.updated", json!({ "id": "in_1", "customer": "cus_1", "payment_intent": "pi_1" })),
        ("refund.updated", of(&payment, json!({ "id": "re_1" }))),
        ("charge.dispute.updated", of(&payment, json!({ "id": "dp_1" }))),
    ]
}

#[test]
fn an_object_with_an_unknown_status_has_no_facts() {
    for (kind, object) in objects() {
        let field = if object["status"] == "complete" { "mode" } else { "status" };
        let facts = facts_of(kind, of(&object, json!({ field: "hibernating" })));
        // A refund or a dispute still names its payment.
        let named: Vec<_> =
            facts.as_object().unwrap().keys().filter(|it| *it != "payment").collect();
        assert!(named.is_empty(), "{kind}: {facts}");
        assert_eq!(facts["payment"]["amount"], Value::Null, "{kind}");
    }
    let charge = json!({ "id": "ch_1", "object": "charge", "refunds": { "data": [
        { "id": "re_1", "amount": 5, "status": "hibernating" },
        { "id": "re_2", "amount": 6, "status": "succeeded" },
    ] } });
    let facts = facts_of("charge.updated", charge);
    assert_eq!(facts["refunds"], json!([{ "id": "re_2", "amount": 6, "status": "succeeded" }]));
}

#[test]
fn the_stub_of_a_deleted_object_has_no_facts() {
    for (kind, _) in objects() {
        let (family, _) = kind.rsplit_once('.').unwrap();
        for object in [json!({}), json!({ "object": family.trim_start_matches("customer.") })] {
            let stub = of(&object, json!({ "id": "it_1", "deleted": true }));
            assert_eq!(facts_of(kind, stub), json!({}), "{kind}");
        }
    }
    let draft = json!({ "id": "in_1", "object": "invoice", "status": "deleted" });
    assert_eq!(facts_of("invoice.deleted", draft), json!({}));
    let session = json!({
        "id": "cs_1", "mode": "subscription", "status": "complete", "created": 1,
        "subscription": { "id": "sub_1", "object": "subscription", "deleted": true },
    });
    let facts = facts_of("checkout.session.completed", session);
    assert_eq!(
        (&facts["session"]["subscription"], &facts["subscription"]),
        (&json!("sub_1"), &Value::Null)
    );
    let gone = facts_of("customer.deleted", json!({ "id": "cus_1", "deleted": true }));
    assert_eq!(gone["customer"]["deleted"], true);
}
