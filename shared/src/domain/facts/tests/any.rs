//! Any object is either understood or refused.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{event, facts_of};

const KINDS: [&str; 20] = [
    "charge.dispute.closed",
    "charge.refund.updated",
    "charge.refunded",
    "checkout.session.async_payment_failed",
    "checkout.session.completed",
    "customer.created",
    "customer.deleted",
    "customer.subscription.trial_will_end",
    "customer.subscription.updated",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.upcoming",
    "invoice_payment.paid",
    "payment_intent.payment_failed",
    "payment_intent.succeeded",
    "product.created",
    "refund.created",
    "v1.new.kind",
    ".",
    "",
];

const NAMES: [&str; 34] = [
    "amount",
    "amount_paid",
    "amount_total",
    "charge",
    "charges",
    "created",
    "customer",
    "data",
    "id",
    "invoice",
    "items",
    "last_payment_error",
    "line_items",
    "lines",
    "metadata",
    "mode",
    "object",
    "parent",
    "payment",
    "payment_intent",
    "payment_status",
    "payments",
    "pending_update",
    "period",
    "plan",
    "price",
    "quantity",
    "refunds",
    "status",
    "subscription",
    "subscription_details",
    "subscription_item_details",
    "unit_amount",
    "userId",
];

const WORDS: [&str; 12] = [
    "charge",
    "checkout.session",
    "customer",
    "dispute",
    "invoice",
    "invoice_payment",
    "paid",
    "payment",
    "payment_intent",
    "refund",
    "subscription",
    "succeeded",
];

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(&WORDS[..]).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 96, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            any_object(inner),
        ]
    })
}

fn any_object(value: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        8 => prop::sample::select(&NAMES[..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let fields = prop::collection::vec((name, value), 0..12);
    fields.prop_map(|fields| Value::Object(Map::from_iter(fields)))
}

proptest! {
    #[test]
    fn any_object_under_any_name_is_understood_or_refused(
        kind in prop::sample::select(&KINDS[..]),
        object in any_object(any_value()),
        needed in any::<bool>(),
    ) {
        let mut object = object;
        if needed {
            for (name, value) in [
                ("id", json!("it_1")), ("customer", json!("cus_1")), ("created", json!(1)),
                ("mode", json!("payment")), ("status", json!("paid")), ("object", Value::Null),
                ("subscription", json!("sub_1")),
            ] {
                object[name] = value;
            }
        }
        let facts = event(kind, &object).facts();
        prop_assert!(facts.is_ok() || !needed, "{object}");
        let amounts = facts.iter().flat_map(|facts| facts.as_json().values());
        for amount in amounts.filter_map(|fact| fact["amount"].as_i64()) {
            prop_assert!(amount >= 0);
        }
    }
}

#[test]
fn events_that_farebox_does_not_use_have_no_facts() {
    let objects = [
        ("product.updated", "product"),
        ("subscription_schedule.updated", "subscription_schedule"),
        ("payment_method.attached", "payment_method"),
        ("setup_intent.succeeded", "setup_intent"),
        ("invoiceitem.created", "invoiceitem"),
        ("balance.available", "balance"),
    ];
    for (kind, name) in objects {
        assert_eq!(facts_of(kind, json!({ "id": "it_1", "object": name })), json!({}), "{kind}");
    }
    for object in [json!(null), json!(5), json!([]), json!({})] {
        assert_eq!(facts_of("some.new.kind", object), json!({}));
    }
}
