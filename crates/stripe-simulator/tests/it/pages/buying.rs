//! The pages of checkout sessions, invoices and 3D Secure.

use serde_json::{Value, json};

use super::{Browser, path_of, session, subscription};
use crate::support::Stripe;

#[tokio::test]
async fn payment_returns_to_the_shop_and_cannot_be_repeated() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let session = session(&stripe).await;
    let path = path_of(&session);
    let fields = [("outcome", "paid"), ("email", "ada@example.com")];
    let token = browser.open(&path).await.token().to_owned();
    let paid = browser.press(&path, &path, &fields).await;
    let expected = format!("https://shop.example/done?s={}", session["id"].as_str().unwrap());
    assert_eq!(paid.location(), expected);
    browser.open(&path).await.expect(&[
        "This checkout is complete",
        "Payment of $5.00 succeeded.",
        &expected,
    ]);
    let again = browser.post(&path, &[&[("token", token.as_str())], &fields[..]].concat()).await;
    assert!(again.status.is_client_error(), "{}", again.html);
    let charges = stripe.get("/v1/charges", json!({})).await;
    assert_eq!(charges["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_card_is_saved_without_a_purchase() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let customer = stripe.post("/v1/customers", json!({ "email": "ada@example.com" })).await;
    let form = json!({
        "mode": "setup", "customer": customer["id"], "currency": "usd",
        "success_url": "https://shop.example/kept",
    });
    let session = stripe.post("/v1/checkout/sessions", form).await;
    let path = path_of(&session);
    let kept = browser.press(&path, &path, &[("outcome", "paid")]).await;
    assert_eq!(kept.location(), "https://shop.example/kept");
    let cards = stripe.get("/v1/payment_methods", json!({ "customer": customer["id"] })).await;
    assert_eq!(cards["data"][0]["card"]["last4"], "4242");
}

#[tokio::test]
async fn authentication_has_its_own_page() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let path = path_of(&session(&stripe).await);
    let typed = [("outcome", "authenticate"), ("email", "ada@example.com"), ("name", "A \"<b>\"")];
    let asks = browser.press(&path, &path, &typed).await;
    let bank = format!("{path}/authenticate");
    assert_eq!(asks.location(), bank);
    // A reload shows the page again.
    for _ in 0..2 {
        let page = browser.open(&bank).await;
        page.expect(&["3D Secure authentication", "value=\"approved_3ds\"", "$5.00?"]);
    }
    let refused = browser.press(&bank, &path, &[("outcome", "refused_3ds")]).await;
    assert_eq!(refused.location(), format!("{path}?notice=refused"));
    browser.open(refused.location()).await.expect(&["role=\"alert\"", "Authentication failed."]);
    let token = browser.open(&bank).await.token().to_owned();
    let approved = [("token", token.as_str()), ("outcome", "approved_3ds")];
    // A form that is sent twice pays once, and leads to the shop twice.
    for _ in 0..2 {
        let back = browser.post(&path, &approved).await;
        assert!(back.location().starts_with("https://shop.example/done"), "{}", back.location());
    }
    let charges = stripe.get("/v1/charges", json!({ "limit": 10 })).await;
    let paid = charges["data"].as_array().unwrap().iter();
    assert_eq!(paid.filter(|charge| charge["status"] == "succeeded").count(), 1);
    // The typed fields were kept.
    assert_eq!(charges["data"][0]["billing_details"]["name"], "A \"<b>\"");
    assert_eq!(browser.open(&bank).await.location(), path);
}

#[tokio::test]
async fn the_3d_secure_page_of_a_checkout_that_needs_none_leads_back() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let path = path_of(&session(&stripe).await);
    assert_eq!(browser.open(&format!("{path}/authenticate")).await.location(), path);
    let unknown = browser.open("/simulator/checkout/cs_none/authenticate").await;
    assert_eq!(unknown.status, axum::http::StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_checkout_names_the_promotion_codes_that_exist() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let product = json!({ "name": "Mug" });
    let price = json!({ "currency": "usd", "unit_amount": 500, "product_data": product });
    let form = json!({
        "mode": "payment", "line_items": [{ "price_data": price, "quantity": 1 }],
        "success_url": "https://shop.example/done", "allow_promotion_codes": true,
    });
    let path = path_of(&stripe.post("/v1/checkout/sessions", form).await);
    let without = browser.open(&path).await;
    without.expect(&["No promotion code exists.", "promotion_codes = true"]);

    let made = [("code", "SAVE20"), ("percent_off", "20")];
    let made = browser.press("/simulator", "/simulator/act/promotion", &made).await;
    let home = browser.open(made.location()).await;
    home.expect(&["Promotion code SAVE20 created.", "<code>SAVE20</code>: 20% off once"]);
    let with = browser.open(&path).await;
    with.expect(&["Codes in the simulator: <code>SAVE20</code> (20% off once)"]);
    let applied = [("outcome", "apply"), ("promotion_code", "save20")];
    let applied = browser.press(&path, &path, &applied).await;
    let page = browser.open(applied.location()).await;
    page.expect(&["Promotion code applied: $1.00 off.", "Total due now: $4.00"]);

    let taken = [("code", "SAVE20"), ("percent_off", "20")];
    let taken = browser.press("/simulator", "/simulator/act/promotion", &taken).await;
    assert!(taken.status.is_client_error());
    taken.expect(&["role=\"alert\""]);
}

#[tokio::test]
async fn an_expired_checkout_links_to_the_cancel_url() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let session = session(&stripe).await;
    stripe.advance("25h").await;
    let page = browser.open(&path_of(&session)).await;
    page.expect(&["This checkout has expired", "href=\"https://shop.example/basket\""]);
}

#[tokio::test]
async fn an_invoice_that_needs_authentication_is_paid_on_its_page() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    subscription(&stripe, &browser).await;
    let asked = [("event", "invoice.payment_action_required"), ("user", "user_1")];
    browser.press("/simulator", "/simulator/act/trigger", &asked).await.location();
    let invoice = stripe.get("/v1/invoices", json!({ "limit": 1 })).await["data"][0].clone();
    assert_eq!(invoice["status"], "open");
    let page = invoice["hosted_invoice_url"].as_str().unwrap();
    browser.open(page).await.expect(&["3D Secure authentication", "Payment is due<", "$9.99"]);

    browser.press(page, page, &[("act", "refuse")]).await.location();
    let again = browser.open(page).await;
    again.expect(&["Pay with", "Amount due: $9.99"]);
    let declined = [("act", "pay"), ("payment_method", "pm_card_chargeDeclined")];
    let declined = browser.press(page, page, &declined).await;
    let declined = browser.open(declined.location()).await;
    declined.expect(&["role=\"alert\"", "Payment of $9.99 failed. Your card was declined."]);
    let asks = [("act", "pay"), ("payment_method", "pm_card_authenticationRequired")];
    let asks = browser.press(page, page, &asks).await;
    browser.open(asks.location()).await.expect(&["3D Secure authentication"]);
    let paid = browser.press(page, page, &[("act", "approve")]).await;
    let paid = browser.open(paid.location()).await;
    paid.expect(&["Payment of $9.99 succeeded.", "Paid on", "Receipt for $9.99", "Print this"]);
    let path = format!("/v1/subscriptions/{}", subscription_of(&invoice));
    assert_eq!(stripe.get(&path, json!({})).await["status"], "active");
}

fn subscription_of(invoice: &Value) -> &str {
    invoice["parent"]["subscription_details"]["subscription"].as_str().unwrap()
}

#[tokio::test]
async fn authentication_redirects_to_the_return_url() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    for (action, expected) in [("approve", "succeeded"), ("refuse", "failed")] {
        let form = json!({
            "amount": 500, "currency": "usd", "payment_method": "pm_card_authenticationRequired",
            "confirm": true, "return_url": "https://shop.example/back?x=1",
        });
        let intent = stripe.post("/v1/payment_intents", form).await;
        assert_eq!(intent["status"], "requires_action");
        let page = intent["next_action"]["redirect_to_url"]["url"].as_str().unwrap();
        browser.open(page).await.expect(&["Approve this payment of $5.00?"]);
        let back = browser.press(page, page, &[("act", action)]).await;
        let back = back.location().to_owned();
        assert!(back.starts_with("https://shop.example/back?x=1&payment_intent=pi_"), "{back}");
        assert!(back.ends_with(&format!("&redirect_status={expected}")), "{back}");
        // The page of an answered authentication says what happened, however often it is opened.
        let result = format!("Payment of $5.00 {expected}.");
        browser.open(page).await.expect(&["3D Secure authentication", &result]);
        let again = browser.open(page).await;
        again.expect(&["href=\"/simulator\""]);
        assert!(!again.html.contains("<form"), "{}", again.html);
    }
}
