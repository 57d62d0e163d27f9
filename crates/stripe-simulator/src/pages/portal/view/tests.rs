use serde_json::json;

use super::*;

fn session(flow: Value) -> Value {
    json!({
        "id": "bps_1", "object": "billing_portal.session", "customer": "cus_1",
        "return_url": "https://shop.example/account", "flow": flow,
    })
}

fn price(id: &str, minor: i64) -> Value {
    let recurring = json!({ "interval": "month", "interval_count": 1 });
    let product = format!("prod_of_{id}");
    json!({
        "id": id, "product": product, "unit_amount": minor, "currency": "usd",
        "recurring": recurring,
    })
}

fn subscription(changes: Value) -> Value {
    let item = json!({
        "id": "si_1", "quantity": 1, "price": price("price_basic", 999),
        "current_period_end": 1_795_180_445,
    });
    let mut subscription = json!({
        "id": "sub_1", "status": "active", "cancel_at": null, "cancel_at_period_end": false,
        "pause_collection": null, "pending_update": null, "items": { "data": [item] },
    });
    for (name, value) in changes.as_object().unwrap() {
        subscription[name] = value.clone();
    }
    subscription
}

fn data(subscription: Value) -> PageData {
    let reason = json!({ "enabled": true, "options": ["too_expensive", "unused"] });
    PageData {
        features: json!({
            "customer_update": { "enabled": true, "allowed_updates": ["email"] },
            "invoice_history": { "enabled": true },
            "payment_method_update": { "enabled": true },
            "subscription_cancel": {
                "enabled": true, "mode": "at_period_end", "cancellation_reason": reason,
            },
            "subscription_update": { "enabled": true, "default_allowed_updates": ["price"] },
        }),
        customer: json!({ "id": "cus_1", "email": "\"ada\"@example.com" }),
        subscriptions: vec![subscription],
        prices: vec![
            (price("price_basic", 999), "Basic".to_owned()),
            (price("price_pro", 2_499), "Pro".to_owned()),
        ],
        invoices: vec![json!({
            "id": "in_1", "number": "ABC-0001", "created": 0, "total": 999, "currency": "usd",
            "status": "paid",
        })],
        card: Some("visa ending in 4242".to_owned()),
        token: "secret".to_owned(),
    }
}

#[track_caller]
fn expect(page: &str, shown: &[&str]) {
    for part in shown {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[test]
fn a_customer_sees_the_subscription_and_the_enabled_features() {
    let page = page(&session(Value::Null), &data(subscription(json!({}))), None);
    expect(&page, &["<h2>Basic, $9.99 per month</h2>", "Renews on 20 Nov 2026."]);
    expect(
        &page,
        &["<option value=\"price_basic\" selected>", "<option value=\"price_pro\">Pro, "],
    );
    expect(&page, &["Cancel at period end", "<option value=\"too_expensive\">too expensive"]);
    expect(
        &page,
        &["Current card: visa ending in 4242.", "href=\"/simulator/invoice/in_1\">ABC-0001</a>"],
    );
    expect(
        &page,
        &["value=\"&quot;ada&quot;@example.com\"", "href=\"https://shop.example/account\""],
    );
    assert!(!page.contains("name=\"quantity\"") && !page.contains("name=\"phone\""), "{page}");
}

#[test]
fn several_seats_show_their_total_price() {
    let mut seats = subscription(json!({}));
    seats["items"]["data"][0]["quantity"] = json!(2);
    let page = page(&session(Value::Null), &data(seats), None);
    expect(&page, &["<h2>Basic, $19.98 per month (2 × $9.99)</h2>"]);
    // Another product may not have seats.
    expect(&page, &["Basic, $19.98 per month (2 × $9.99)</option>", "Pro, $24.99 per month"]);
}

#[test]
fn the_cancel_form_depends_on_the_status() {
    for (changes, says, button) in [
        (json!({ "cancel_at_period_end": true }), "Cancels on 20 Nov 2026.", "keep"),
        (json!({ "cancel_at": 1_795_266_845 }), "Cancels on 21 Nov 2026.", "keep"),
        (json!({ "status": "paused" }), "Status: paused.", "resume"),
        (json!({ "status": "trialing" }), "Trial ends on 20 Nov 2026.", "cancel"),
        (json!({ "pending_update": {} }), "An update is waiting for its payment.", "cancel"),
    ] {
        let page = page(&session(Value::Null), &data(subscription(changes)), None);
        expect(&page, &[says, &format!("name=\"act\" value=\"{button}\"")]);
    }
}

#[test]
fn disabled_features_are_not_shown() {
    let mut data = data(subscription(json!({})));
    data.features = json!({});
    let page = page(&session(Value::Null), &data, None);
    assert!(!page.contains("<form") && !page.contains("Invoices"), "{page}");
}

#[test]
fn a_flow_shows_only_its_feature() {
    let flow = json!({
        "type": "subscription_cancel",
        "subscription_cancel": { "subscription": "sub_1" },
        "after_completion": {
            "type": "redirect", "redirect": { "return_url": "https://shop.example/bye" },
        },
    });
    let mut data = data(subscription(json!({})));
    data.subscriptions.push(subscription(json!({ "id": "sub_2" })));
    let session = session(flow);
    let page = page(&session, &data, None);
    expect(&page, &["value=\"cancel\"", "value=\"sub_1\""]);
    for other in ["change_plan", "change_card", "sub_2", "Invoices"] {
        assert!(!page.contains(other), "{other} in {page}");
    }
    assert_eq!(after_flow(&session), Some("https://shop.example/bye"));
}

#[test]
fn a_change_to_be_confirmed_is_preselected() {
    let flow = json!({
        "type": "subscription_update_confirm",
        "subscription_update_confirm": {
            "subscription": "sub_1", "items": [{ "id": "si_1", "price": "price_pro" }],
        },
    });
    let page = page(&session(flow), &data(subscription(json!({}))), None);
    expect(&page, &["<option value=\"price_pro\" selected>"]);
    assert!(!page.contains("value=\"cancel\""), "{page}");
}
