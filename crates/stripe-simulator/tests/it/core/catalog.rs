//! Customers, products, prices, coupons and promotion codes.

use serde_json::{Value, json};

use crate::support::Stripe;

fn ids(list: &Value) -> Vec<Value> {
    list["data"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect()
}

#[tokio::test]
async fn a_customer_is_created_updated_found_and_deleted() {
    let stripe = Stripe::new().await;
    let ann = json!({
        "email": "ann@example.com", "name": "Ann", "metadata": { "userId": "user_1", "a": "b" },
        "address": { "country": "DE", "city": "Bonn" }, "preferred_locales": ["de"],
    });
    let ann = stripe.post("/v1/customers", ann).await;
    stripe.post("/v1/customers", json!({ "email": "bob@example.com" })).await;
    assert_eq!(ann["address"]["city"], "Bonn");
    assert_eq!(ann["address"]["line1"], Value::Null);
    assert_eq!(ann["preferred_locales"], json!(["de"]));
    let path = format!("/v1/customers/{}", ann["id"].as_str().unwrap());
    let change = json!({ "name": null, "metadata": { "a": null, "c": "d" } });
    let changed = stripe.post(&path, change).await;
    assert_eq!(changed["name"], Value::Null);
    assert_eq!(changed["metadata"], json!({ "userId": "user_1", "c": "d" }));
    assert_eq!(stripe.get(&path, Value::Null).await, changed);

    let found = stripe.get("/v1/customers", json!({ "email": "ann@example.com" })).await;
    assert_eq!(ids(&found), [ann["id"].clone()]);
    for query in ["metadata['userId']:'user_1'", "email:'ann@example.com' AND created>0"] {
        let found = stripe.get("/v1/customers/search", json!({ "query": query })).await;
        assert_eq!(ids(&found), [ann["id"].clone()], "{query}");
        assert_eq!(found["object"], "search_result");
    }

    let stub = json!({ "id": ann["id"], "object": "customer", "deleted": true });
    assert_eq!(stripe.delete(&path).await, stub);
    assert_eq!(stripe.get(&path, Value::Null).await, stub, "a deleted stub remains");
    assert_eq!(stripe.refused("POST", &path, json!({ "name": "x" })).await.0, 404);
    assert_eq!(stripe.get("/v1/customers", Value::Null).await["data"].as_array().unwrap().len(), 1);

    let expected = ["customer.created", "customer.created", "customer.updated", "customer.deleted"];
    assert_eq!(stripe.happened().await, expected);
    stripe.simulator.delivered().await;
    let events = stripe.app.events();
    let updated = events.iter().find(|event| event["type"] == "customer.updated").unwrap();
    assert_eq!(updated["data"]["previous_attributes"]["name"], "Ann");
    assert!(updated["request"]["id"].as_str().unwrap().starts_with("req_"));
}

#[tokio::test]
async fn a_new_price_takes_over_a_lookup_key() {
    let stripe = Stripe::new().await;
    let product = stripe.post("/v1/products", json!({ "name": "Pro", "id": "prod_pro" })).await;
    let monthly = json!({
        "product": product["id"], "currency": "usd", "unit_amount": 999,
        "recurring": { "interval": "month" }, "lookup_key": "pro_monthly",
        "currency_options": { "eur": { "unit_amount": 899 } },
    });
    let old = stripe.post("/v1/prices", monthly.clone()).await;
    assert_eq!(old["type"], "recurring");
    assert_eq!(old["recurring"]["interval_count"], 1);
    assert_eq!(old["unit_amount_decimal"], "999");
    let (status, error) = stripe.refused("POST", "/v1/prices", monthly.clone()).await;
    assert_eq!((status, &error["param"]), (400, &json!("lookup_key")));
    let mut higher = monthly;
    higher["unit_amount"] = json!(1_099);
    higher["transfer_lookup_key"] = json!(true);
    let new = stripe.post("/v1/prices", higher).await;
    let found = stripe.get("/v1/prices", json!({ "lookup_keys": ["pro_monthly", "none"] })).await;
    assert_eq!(ids(&found), [new["id"].clone()]);

    let path = format!("/v1/prices/{}", old["id"].as_str().unwrap());
    let (status, error) = stripe.refused("POST", &path, json!({ "unit_amount": 1 })).await;
    assert_eq!((status, &error["code"]), (400, &json!("parameter_unknown")));
    let old = stripe.post(&path, json!({ "active": false, "nickname": "old" })).await;
    assert_eq!((&old["active"], &old["lookup_key"]), (&json!(false), &Value::Null));
    let active = stripe.get("/v1/prices", json!({ "active": true, "product": "prod_pro" })).await;
    assert_eq!(ids(&active), [new["id"].clone()]);
    let yearly = json!({ "recurring": { "interval": "year" } });
    assert_eq!(ids(&stripe.get("/v1/prices", yearly).await), [Value::Null; 0]);
    assert_eq!(stripe.refused("DELETE", "/v1/products/prod_pro", Value::Null).await.0, 400);
}

#[tokio::test]
async fn a_product_is_created_with_its_price() {
    let stripe = Stripe::new().await;
    let credits = json!({
        "name": "100 credits", "default_price_data": { "currency": "eur", "unit_amount": 500 },
        "marketing_features": [{ "name": "never expire" }], "expand": ["default_price"],
    });
    let product = stripe.post("/v1/products", credits).await;
    assert_eq!(product["default_price"]["unit_amount"], 500);
    assert_eq!(product["default_price"]["product"], product["id"]);
    let other = json!({
        "currency": "usd", "unit_amount_decimal": "0.5", "product_data": { "name": "By the call" },
    });
    let price = stripe.post("/v1/prices", other).await;
    assert_eq!(
        (&price["unit_amount"], &price["unit_amount_decimal"]),
        (&Value::Null, &json!("0.5"))
    );
    let found = stripe.get("/v1/products/search", json!({ "query": "name~'call'" })).await;
    assert_eq!(ids(&found), [price["product"].clone()]);
    let empty = stripe.post("/v1/products", json!({ "name": "Nothing" })).await;
    let path = format!("/v1/products/{}", empty["id"].as_str().unwrap());
    assert_eq!(stripe.delete(&path).await["deleted"], true);
    assert_eq!(stripe.call("GET", &path, Value::Null).await.status, 404);
}

#[tokio::test]
async fn coupons_and_codes_expire() {
    let stripe = Stripe::new().await;
    let summer = json!({
        "id": "SUMMER", "percent_off": 12.5, "duration": "repeating", "duration_in_months": 3,
        "redeem_by": stripe.now() + 86_400,
    });
    let coupon = stripe.post("/v1/coupons", summer.clone()).await;
    assert_eq!((&coupon["percent_off"], &coupon["valid"]), (&json!(12.5), &json!(true)));
    assert_eq!(stripe.refused("POST", "/v1/coupons", summer).await.0, 400);
    for wrong in [
        json!({ "percent_off": 10, "amount_off": 1, "currency": "usd" }),
        json!({}),
        json!({ "percent_off": 0 }),
        json!({ "amount_off": 100 }),
        json!({ "percent_off": 10, "duration": "repeating" }),
    ] {
        assert_eq!(stripe.refused("POST", "/v1/coupons", wrong.clone()).await.0, 400, "{wrong}");
    }
    let code = json!({
        "promotion": { "type": "coupon", "coupon": "SUMMER" }, "code": "SUN-10",
        "restrictions": { "minimum_amount": 500, "minimum_amount_currency": "usd" },
    });
    let promotion = stripe.post("/v1/promotion_codes", code.clone()).await;
    assert_eq!(promotion["promotion"]["coupon"], "SUMMER");
    let (status, _) = stripe.refused("POST", "/v1/promotion_codes", code).await;
    assert_eq!(status, 400, "an active code is unique");
    let active = json!({ "code": "sun-10", "active": true, "expand": ["data.promotion.coupon"] });
    let found = stripe.get("/v1/promotion_codes", active.clone()).await;
    assert_eq!(found["data"][0]["promotion"]["coupon"]["percent_off"], json!(12.5));
    stripe.advance("1d").await;
    assert_eq!(stripe.get("/v1/coupons/SUMMER", Value::Null).await["valid"], false);
    assert_eq!(ids(&stripe.get("/v1/promotion_codes", active).await), [Value::Null; 0]);
    stripe.delete("/v1/coupons/SUMMER").await;
    assert_eq!(stripe.call("GET", "/v1/coupons/SUMMER", Value::Null).await.status, 404);
}
