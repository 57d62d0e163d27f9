//! The simulator's home page: clock, triggers, switches, checkout and portal.

use axum::http::StatusCode;
use serde_json::json;

use super::Browser;
use crate::support::Stripe;

#[tokio::test]
async fn the_home_page_advances_the_clock() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let before = stripe.clock.now();
    let moved = browser.press("/simulator", "/simulator/act/advance", &[("by", "1mo")]).await;
    assert_eq!(moved.location(), "/simulator?notice=advanced");
    browser.open(moved.location()).await.expect(&["role=\"status\">The clock is now "]);
    let days = stripe.clock.now().duration_since(before).as_hours() / 24;
    assert!((28..=31).contains(&days), "{days}");
    let nonsense = browser.press("/simulator", "/simulator/act/advance", &[("by", "soon")]).await;
    assert_eq!(nonsense.status, StatusCode::BAD_REQUEST);
    let back = browser.press("/simulator", "/simulator/act/advance", &[("by", "-1d")]).await;
    back.expect(&["role=\"alert\""]);
}

#[tokio::test]
async fn the_home_page_triggers_lists_and_resends_events() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let asked = [("event", "customer.updated"), ("user", "user_<1>"), ("plan", "")];
    let triggered = browser.press("/simulator", "/simulator/act/trigger", &asked).await;
    stripe.simulator.delivered().await;
    let home = browser.open(triggered.location()).await;
    home.expect(&["Triggered customer.updated.", "customer.created", ">200</span>"]);
    home.expect(&["user_&lt;1&gt;"]);
    let mut types = stripe.app.types();
    types.sort();
    assert_eq!(types, ["customer.created", "customer.updated"]);

    let events = stripe.app.events();
    let last = events[1]["id"].as_str().unwrap();
    let resent = browser.press("/simulator", "/simulator/act/resend", &[("event", last)]).await;
    browser.open(resent.location()).await.expect(&["Sent customer.updated again."]);
    stripe.simulator.delivered().await;
    assert_eq!(stripe.app.events().len(), 3);
    let shown = browser.open(&format!("/simulator/event/{last}")).await;
    shown.expect(&["Payload", "&quot;livemode&quot;: false", ">200</span>"]);
    let unknown = [("event", "evt_none")];
    let unknown = browser.press("/simulator", "/simulator/act/resend", &unknown).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_purchase_needs_no_code() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let asked = [("user", "user_1"), ("plan", "pro")];
    let checkout = browser.press("/simulator", "/simulator/act/checkout", &asked).await;
    let path = checkout.location().to_owned();
    browser.open("/simulator").await.expect(&[&path]);
    browser.open(&path).await.expect(&["$9.99 per month, until you cancel."]);
    let paid = browser.press(&path, &path, &[("outcome", "paid")]).await;
    assert_eq!(paid.location(), format!("{}/simulator", stripe.base));
    browser.open("/simulator").await.expect(&["checkout.session.completed", "active"]);
}

#[tokio::test]
async fn the_home_page_sets_the_switches() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let set = [("duplicate", "on"), ("delay_seconds", "30")];
    let saved = browser.press("/simulator", "/simulator/act/switches", &set).await;
    browser.open(saved.location()).await.expect(&["Fault injection is on"]);
    let switches = stripe.simulator.switches();
    assert!(switches.duplicate && !switches.drop);
    assert_eq!(switches.delay_seconds, 30);
    browser.open("/simulator").await.expect(&["name=\"duplicate\" value=\"on\" checked>"]);
    let nonsense = [("delay_seconds", "abc")];
    let refused = browser.press("/simulator", "/simulator/act/switches", &nonsense).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    refused.expect(&["role=\"alert\"", "delay_seconds must be a whole number"]);
    assert_eq!(stripe.simulator.switches(), switches);
}

#[tokio::test]
async fn the_home_page_redirects_a_trailing_slash_and_marks_its_link() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    assert_eq!(browser.open("/simulator/").await.location(), "/simulator");
    let home = browser.open("/simulator").await;
    home.expect(&["<section id=\"events\">", "aria-current=\"page\">Simulator</a>"]);
}

#[tokio::test]
async fn the_home_page_refuses_an_unknown_plan() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let price = json!({
        "currency": "usd", "unit_amount": 900, "recurring": { "interval": "month" },
        "product_data": { "name": "Plus" }, "lookup_key": "farebox_shop_plan_plus_monthly",
    });
    stripe.post("/v1/prices", price).await;
    for action in ["/simulator/act/trigger", "/simulator/act/checkout"] {
        let asked = [("event", "customer.subscription.created"), ("plan", "gold")];
        let refused = browser.press("/simulator", action, &asked).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{action}");
        refused.expect(&["unknown plan or pack gold; available: plus"]);
    }
}

#[tokio::test]
async fn the_home_page_opens_a_customers_portal() {
    let stripe = Stripe::new().await;
    let browser = Browser::of(&stripe);
    let asked = [("event", "customer.subscription.created"), ("user", "user_1"), ("plan", "pro")];
    browser.press("/simulator", "/simulator/act/trigger", &asked).await.location();
    let customers = stripe.get("/v1/customers", json!({})).await;
    let customer = customers["data"][0]["id"].as_str().unwrap();
    assert_eq!(customers["data"][0]["metadata"], json!({ "userId": "user_1" }));
    let portal = [("customer", customer)];
    let portal = browser.press("/simulator", "/simulator/act/portal", &portal).await;
    let page = browser.open(portal.location()).await;
    page.expect(&["Your subscription", "pro, $9.99 per month", "Status: active."]);
}
