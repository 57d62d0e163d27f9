//! The billing portal over the API.

use serde_json::{Value, json};

use super::{customer, id, price, subscribe};
use crate::support::Stripe;

#[tokio::test]
async fn a_session_has_the_url_of_its_page() {
    let stripe = Stripe::new().await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let form = json!({ "customer": owner, "return_url": "https://shop.example/account" });
    let session = stripe.post("/v1/billing_portal/sessions", form.clone()).await;
    assert_eq!(session["url"], format!("{}/simulator/portal/{}", stripe.base, id(&session)));
    assert_eq!(session["return_url"], "https://shop.example/account");
    let again = stripe.post("/v1/billing_portal/sessions", form).await;
    assert_eq!(again["configuration"], session["configuration"], "there is one default");
    let unknown =
        stripe.refused("POST", "/v1/billing_portal/sessions", json!({ "customer": "cus_x" })).await;
    assert_eq!((unknown.0, &unknown.1["code"]), (400, &json!("resource_missing")));
}

#[tokio::test]
async fn a_session_can_have_a_flow() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let begun = subscribe(&stripe, &owner, &plan, json!({})).await;
    let flow = json!({
        "type": "subscription_cancel", "subscription_cancel": { "subscription": begun["id"] },
        "after_completion": {
            "type": "redirect", "redirect": { "return_url": "https://shop.example" },
        },
    });
    let form = json!({ "customer": owner, "flow_data": flow });
    let session = stripe.post("/v1/billing_portal/sessions", form).await;
    assert_eq!(session["flow"]["subscription_cancel"]["subscription"], begun["id"]);
    assert_eq!(session["flow"]["subscription_update"], Value::Null);
    let stranger = stripe.post("/v1/customers", json!({})).await;
    let form = json!({
        "customer": stranger["id"],
        "flow_data": {
            "type": "subscription_cancel", "subscription_cancel": { "subscription": begun["id"] },
        },
    });
    assert_eq!(stripe.refused("POST", "/v1/billing_portal/sessions", form).await.0, 400);
}

#[tokio::test]
async fn a_configuration_enables_features() {
    let stripe = Stripe::new().await;
    let plan = stripe
        .get(&format!("/v1/prices/{}", price(&stripe, 999, Some("month")).await), json!({}))
        .await;
    let features = json!({
        "customer_update": { "enabled": true, "allowed_updates": ["email"] },
        "subscription_cancel": { "enabled": true, "mode": "immediately" },
        "subscription_update": {
            "enabled": true, "default_allowed_updates": ["price"],
            "proration_behavior": "always_invoice",
            "products": [{ "product": plan["product"], "prices": [plan["id"]] }],
        },
    });
    let form = json!({ "features": features, "default_return_url": "https://shop.example" });
    let made = stripe.post("/v1/billing_portal/configurations", form).await;
    assert_eq!(
        made["features"]["subscription_update"]["products"][0]["prices"],
        json!([plan["id"]])
    );
    assert_eq!(
        (&made["is_default"], &made["features"]["invoice_history"]["enabled"]),
        (&json!(false), &json!(false))
    );
    let path = format!("/v1/billing_portal/configurations/{}", id(&made));
    let off = stripe.post(&path, json!({ "active": false })).await;
    assert_eq!((&off["active"], &off["features"]), (&json!(false), &made["features"]));
    let found = stripe.get("/v1/billing_portal/configurations", json!({ "active": true })).await;
    assert_eq!(found["data"], json!([]));
    let owner = stripe.post("/v1/customers", json!({})).await;
    let form = json!({ "customer": owner["id"], "configuration": made["id"] });
    let session = stripe.post("/v1/billing_portal/sessions", form).await;
    assert_eq!(session["return_url"], "https://shop.example");
}
