//! Objects have all fields of Stripe's API version.

use serde_json::{Value, json};

use crate::support::Stripe;

fn assert_keys(object: &Value, keys: &str) {
    let there: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected: Vec<&str> = keys.split_ascii_whitespace().collect();
    expected.sort_unstable();
    assert_eq!(there, expected, "{object:#}");
}

const CUSTOMER: &str = "address balance created currency customer_account default_source delinquent \
    description discount email id invoice_prefix invoice_settings livemode metadata name \
    next_invoice_sequence object phone preferred_locales shipping tax_exempt test_clock";
const PRODUCT: &str = "active attributes created default_price description id images livemode \
    marketing_features metadata name object package_dimensions shippable statement_descriptor \
    tax_code tax_details type unit_label updated url";
const PRICE: &str = "active billing_scheme created currency custom_unit_amount id livemode \
    lookup_key metadata nickname object product recurring tax_behavior tiers_mode \
    transform_quantity type unit_amount unit_amount_decimal";
const COUPON: &str = "amount_off created currency duration duration_in_months id livemode \
    max_redemptions metadata name object percent_off redeem_by times_redeemed valid";
const PROMOTION_CODE: &str = "active code created customer customer_account expires_at id livemode \
    max_redemptions metadata object promotion restrictions times_redeemed";
const ENDPOINT: &str = "api_version application created description enabled_events id livemode \
    metadata object secret status url";
const EVENT: &str = "api_version created data id livemode object pending_webhooks request type";
const ACCOUNT: &str = "business_profile business_type capabilities charges_enabled controller \
    country created default_currency details_submitted email external_accounts \
    future_requirements id metadata object payouts_enabled requirements settings tos_acceptance type";

#[tokio::test]
async fn objects_have_stripes_fields() {
    let stripe = Stripe::new().await;
    assert_keys(&stripe.post("/v1/customers", json!({})).await, CUSTOMER);
    let product = stripe.post("/v1/products", json!({ "name": "Pro" })).await;
    assert_keys(&product, PRODUCT);
    let price = json!({
        "currency": "usd", "product": product["id"], "unit_amount": 999,
        "recurring": { "interval": "month" },
    });
    let price = stripe.post("/v1/prices", price).await;
    assert_keys(&price, PRICE);
    let recurring = "interval interval_count meter trial_period_days usage_type";
    assert_keys(&price["recurring"], recurring);
    let tiered = json!({
        "currency": "usd", "product": product["id"], "billing_scheme": "tiered",
        "tiers_mode": "graduated", "tiers": [{ "up_to": 5, "unit_amount": 100 },
        { "up_to": "inf", "unit_amount": 90, "flat_amount": 7 }], "expand": ["tiers"],
    });
    let tiers = stripe.post("/v1/prices", tiered).await["tiers"].clone();
    let tier = "flat_amount flat_amount_decimal unit_amount unit_amount_decimal up_to";
    assert_keys(&tiers[1], tier);
    assert_eq!((&tiers[0]["up_to"], &tiers[1]["up_to"]), (&json!(5), &Value::Null));

    let off = json!({ "id": "OFF", "amount_off": 100, "currency": "usd" });
    assert_keys(&stripe.post("/v1/coupons", off).await, COUPON);
    let code = json!({ "promotion": { "type": "coupon", "coupon": "OFF" } });
    let code = stripe.post("/v1/promotion_codes", code).await;
    assert_keys(&code, PROMOTION_CODE);
    let restrictions = "first_time_transaction minimum_amount minimum_amount_currency";
    assert_keys(&code["restrictions"], restrictions);
    let hook = json!({ "url": "http://127.0.0.1:1/", "enabled_events": ["charge.refunded"] });
    assert_keys(&stripe.post("/v1/webhook_endpoints", hook).await, ENDPOINT);
    let events = stripe.get("/v1/events", Value::Null).await;
    assert_keys(&events["data"][0], EVENT);
    assert_keys(&stripe.get("/v1/account", Value::Null).await, ACCOUNT);
}
