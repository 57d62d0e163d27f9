use serde_json::{Value, json};

use super::{of, said};
use crate::domain::facts::Facts;

fn subscription(object: Value) -> Value {
    said("customer.subscription.updated", object)["subscription"].clone()
}

/// The same subscription, as Stripe has described it over the years.
#[test]
fn every_shape_of_a_subscription_says_the_same() {
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
fn what_only_says_that_it_is_there_is_enough() {
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
fn an_amount_beyond_all_bounds_is_no_amount() {
    let object = json!({
        "id": "sub_1", "customer": "cus_1", "status": "active", "created": 1,
        "items": { "data": [{ "price": { "id": "p", "unit_amount": i64::MAX }, "quantity": 2 }] },
    });
    assert_eq!(subscription(object)["amount_minor"], Value::Null);
}

#[test]
fn the_end_of_a_trial_is_announced() {
    let bare = json!({ "id": "sub_1", "customer": "cus_1", "status": "trialing", "created": 1 });
    let facts = said("customer.subscription.trial_will_end", bare.clone());
    assert_eq!(facts["notice"], "trial_ending");
    assert_eq!(facts["subscription"]["status"], "trialing");
    for verb in ["created", "updated", "deleted", "paused", "resumed", "pending_update_applied"] {
        let facts = said(&format!("customer.subscription.{verb}"), bare.clone());
        assert_eq!(facts["notice"], Value::Null, "{verb}");
        assert_eq!(facts["subscription"]["id"], "sub_1", "{verb}");
    }
}
