use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{facts_of, is_unreadable, of};
use crate::domain::facts::Facts;

fn subscription(object: Value) -> Value {
    facts_of("customer.subscription.updated", object)["subscription"].clone()
}

/// The same subscription in the API versions of several years.
#[test]
fn every_shape_of_a_subscription_has_the_same_facts() {
    let base = json!({
        "id": "sub_1", "object": "subscription", "customer": "cus_1", "status": "active",
        "created": 100, "currency": "usd", "metadata": { "userId": "ann", "planVersion": "3" },
    });
    let price = json!({
        "id": "price_1", "product": "prod_1", "currency": "usd", "unit_amount": 500,
        "recurring": { "interval": "month", "interval_count": 1 },
    });
    let plan = json!({
        "id": "price_1", "product": "prod_1", "currency": "usd", "amount": 500,
        "interval": "month", "interval_count": 1,
    });
    let since_basil = of(
        &base,
        json!({ "items": { "data": [{
        "id": "si_1", "price": price, "quantity": 2,
        "current_period_start": 100, "current_period_end": 200,
    }] } }),
    );
    let before_basil = of(
        &base,
        json!({
            "current_period_start": 100, "current_period_end": 200,
            "items": { "data": [{ "id": "si_1", "price": price, "plan": plan, "quantity": 2 }] },
        }),
    );
    let before_prices = of(
        &base,
        json!({
            "current_period_start": 100, "current_period_end": 200, "plan": plan, "quantity": 2,
            "items": { "data": [{ "id": "si_1", "plan": plan, "quantity": 2 }] },
        }),
    );
    let all_expanded = of(
        &since_basil,
        json!({
            "customer": { "id": "cus_1", "object": "customer" },
            "items": [{
                "id": "si_1", "quantity": 2, "current_period_start": 100, "current_period_end": 200,
                "price": of(&price, json!({ "product": { "id": "prod_1" } })),
            }],
        }),
    );
    let expected = subscription(since_basil);
    assert_eq!(expected["amount_minor"], 1_000);
    assert_eq!(expected["interval"], "monthly");
    assert_eq!(expected["period_end"], 200);
    assert_eq!(expected["plan_version"], 3);
    for shape in [before_basil, before_prices, all_expanded] {
        assert_eq!(subscription(shape), expected);
    }
}

#[test]
fn a_subscription_without_optional_fields_is_read() {
    let bare = json!({ "id": "sub_1", "customer": "cus_1", "status": "active", "created": 1 });
    let fact = subscription(bare.clone());
    assert_eq!(fact["price"], Value::Null);
    assert_eq!(fact["quantity"], 1);
    assert_eq!(fact["cancel_at_period_end"], false);
    let odd = of(
        &bare,
        json!({
            "items": "many", "trial_end": "soon", "metadata": null, "cancellation_details": [],
            "pending_update": 5, "quantity": 1.5, "schedule": false,
        }),
    );
    assert_eq!(subscription(odd), fact);
    for field in ["id", "customer", "status", "created"] {
        let without = of(&bare, json!({ field: null }));
        assert!(Facts::of_subscription(&without).is_err(), "{field}");
    }
}

#[test]
fn an_amount_that_overflows_is_ignored() {
    let object = json!({
        "id": "sub_1", "customer": "cus_1", "status": "active", "created": 1,
        "items": { "data": [{ "price": { "id": "p", "unit_amount": i64::MAX }, "quantity": 2 }] },
    });
    assert_eq!(subscription(object)["amount_minor"], Value::Null);
}

#[test]
fn the_end_of_a_trial_sends_a_notice() {
    let bare = json!({ "id": "sub_1", "customer": "cus_1", "status": "trialing", "created": 1 });
    let facts = facts_of("customer.subscription.trial_will_end", bare.clone());
    assert_eq!(facts["notice"], "trial_ending");
    assert_eq!(facts["subscription"]["status"], "trialing");
    for verb in ["created", "updated", "deleted", "paused", "resumed", "pending_update_applied"] {
        let facts = facts_of(&format!("customer.subscription.{verb}"), bare.clone());
        assert_eq!(facts["notice"], Value::Null, "{verb}");
        assert_eq!(facts["subscription"]["id"], "sub_1", "{verb}");
    }
}

/// The fact lists all items, because the catalog decides which of them counts.
#[test]
fn several_items_are_all_listed() {
    let item = |name: &str, quantity: i64| {
        json!({
            "id": format!("si_{name}"), "quantity": quantity, "current_period_end": 200,
            "price": { "id": format!("price_{name}"), "product": format!("prod_{name}"), "unit_amount": 5 },
        })
    };
    let object = json!({
        "id": "sub_1", "customer": "cus_1", "status": "active", "created": 1,
        "items": { "data": [item("addon", 3), item("pro", 2)] },
        "pending_update": { "subscription_items": [{ "id": "si_pro", "price": "price_team" }] },
    });
    let fact = subscription(object.clone());
    assert_eq!(fact["price"], "price_addon");
    assert_eq!(fact["pending_price"], Value::Null);
    assert_eq!(fact["items"].as_array().unwrap().len(), 2);
    let pro = &fact["items"][1];
    assert_eq!((&pro["item"], &pro["product"]), (&json!("si_pro"), &json!("prod_pro")));
    assert_eq!((&pro["quantity"], &pro["amount_minor"]), (&json!(2), &json!(10)));
    assert_eq!((&pro["period_end"], &pro["pending_price"]), (&json!(200), &json!("price_team")));
    let alone = of(&object, json!({ "items": { "data": [item("pro", 2)] } }));
    assert_eq!(subscription(alone).get("items"), None);
}

/// Only void invoices mean that the subscription is not served.
#[test]
fn an_active_subscription_whose_invoices_are_void_is_paused() {
    let status = |status: &str, behavior: &str| {
        let object = json!({
            "id": "sub_1", "customer": "cus_1", "status": status, "created": 1,
            "pause_collection": { "behavior": behavior, "resumes_at": null },
        });
        subscription(object)["status"].clone()
    };
    assert_eq!(status("active", "void"), "paused");
    for (given, behavior) in [
        ("active", "keep_as_draft"),
        ("active", "mark_uncollectible"),
        ("trialing", "void"),
        ("past_due", "void"),
        ("canceled", "void"),
    ] {
        assert_eq!(status(given, behavior), given, "{behavior}");
    }
}

#[test]
fn a_negative_quantity_is_unreadable() {
    let object = |first: i64, second: i64| {
        json!({
            "id": "sub_1", "customer": "cus_1", "status": "active", "created": 1,
            "items": { "data": [{ "quantity": first }, { "quantity": second }] },
        })
    };
    assert!(!is_unreadable("customer.subscription.updated", object(0, 1)));
    for (first, second) in [(-1, 1), (1, -1), (i64::MIN, 1)] {
        assert!(is_unreadable("customer.subscription.updated", object(first, second)), "{first}");
    }
}

/// The fields of two facts that differ, without the digest.
fn differences(one: &Value, other: &Value) -> BTreeSet<String> {
    let fields = one.as_object().unwrap().iter();
    let fields = fields.filter(|(name, value)| *name != "digest" && other[*name] != **value);
    fields.map(|(name, _)| name.clone()).collect()
}

/// Every field of a subscription except its period changes the digest.
#[test]
fn the_digest_covers_all_fields_except_the_period() {
    let object = |changes: Value, item_changes: Value, price_changes: Value| {
        let price = json!({
            "id": "price_1", "product": "prod_1", "currency": "usd", "unit_amount": 500,
            "recurring": { "interval": "month", "interval_count": 1 },
        });
        let item = json!({
            "id": "si_1", "quantity": 2, "current_period_start": 100, "current_period_end": 200,
            "price": of(&price, price_changes),
        });
        let base = json!({
            "id": "sub_1", "customer": "cus_1", "status": "active", "created": 100, "currency": "usd",
            "items": { "data": [of(&item, item_changes)] },
        });
        subscription(of(&base, changes))
    };
    let none = || json!({});
    let base = object(none(), none(), none());
    let metadata = |field: &str, value: &str| json!({ "metadata": { field: value } });
    let pending = |field: &str, value: Value| json!({ "pending_update": { "subscription_items": [{ "id": "si_1", field: value }] } });
    let changed = [
        object(json!({ "id": "sub_2" }), none(), none()),
        object(json!({ "customer": "cus_2" }), none(), none()),
        object(json!({ "status": "trialing" }), none(), none()),
        object(json!({ "created": 101 }), none(), none()),
        object(json!({ "currency": "eur" }), none(), json!({ "currency": "eur" })),
        object(metadata("userId", "ann"), none(), none()),
        object(metadata("plan", "pro"), none(), none()),
        object(metadata("planVersion", "2"), none(), none()),
        object(json!({ "billing_cycle_anchor": 100 }), none(), none()),
        object(json!({ "trial_start": 100 }), none(), none()),
        object(json!({ "trial_end": 200 }), none(), none()),
        object(json!({ "cancel_at": 200 }), none(), none()),
        object(json!({ "cancel_at_period_end": true }), none(), none()),
        object(json!({ "canceled_at": 150 }), none(), none()),
        object(json!({ "ended_at": 150 }), none(), none()),
        object(json!({ "cancellation_details": { "comment": "too expensive" } }), none(), none()),
        object(json!({ "schedule": "sub_sched_1" }), none(), none()),
        object(json!({ "pending_update": { "expires_at": 300 } }), none(), none()),
        object(pending("price", json!("price_2")), none(), none()),
        object(pending("quantity", json!(3)), none(), none()),
        object(none(), json!({ "id": "si_2" }), none()),
        object(none(), json!({ "quantity": 3 }), none()),
        object(none(), none(), json!({ "id": "price_2" })),
        object(none(), none(), json!({ "product": "prod_2" })),
        object(none(), none(), json!({ "unit_amount": 600 })),
        object(none(), none(), json!({ "recurring": { "interval": "year" } })),
    ];
    let mut fields = BTreeSet::new();
    for fact in &changed {
        let differences = differences(fact, &base);
        assert!(!differences.is_empty());
        assert_ne!(fact["digest"], base["digest"], "{differences:?}");
        fields.extend(differences);
    }
    for period in [json!({ "current_period_start": 101 }), json!({ "current_period_end": 201 })] {
        let fact = object(none(), period, none());
        assert_eq!(fact["digest"], base["digest"]);
        fields.extend(differences(&fact, &base));
    }
    let all = base.as_object().unwrap().keys().filter(|name| *name != "digest").cloned();
    assert_eq!(fields, all.collect());
}

/// The catalog decides which of several items counts: their fact has no digest.
#[test]
fn several_items_have_no_digest() {
    let item = json!({ "id": "si_1", "price": { "id": "price_1" } });
    let object = json!({
        "id": "sub_1", "customer": "cus_1", "status": "active", "created": 1,
        "items": { "data": [item, item] },
    });
    assert_eq!(subscription(object).get("digest"), None);
}
