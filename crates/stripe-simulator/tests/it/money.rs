//! Purchases, subscriptions, invoices, payments, and the effects of time.

mod invoices;
mod payments;
mod portal;
mod purchases;
mod schedules;
mod shapes;
mod subscriptions;
mod sums;
mod time;
mod trouble;
mod upgrades;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::Stripe;

/// Starts a simulator and advances its clock to this moment.
async fn stripe_at(moment: &str) -> Stripe {
    let stripe = Stripe::new().await;
    let ahead = seconds(moment) - stripe.now();
    stripe.advance(&format!("{ahead}s")).await;
    stripe
}

fn seconds(moment: &str) -> i64 {
    moment.parse::<Timestamp>().unwrap().as_second()
}

/// Adds fields to a form.
fn with(mut form: Value, other: Value) -> Value {
    for (name, value) in other.as_object().into_iter().flatten() {
        form[name] = value.clone();
    }
    form
}

fn id(object: &Value) -> &str {
    object["id"].as_str().unwrap()
}

/// Creates a price of a new product.
async fn price(stripe: &Stripe, amount: i64, interval: Option<&str>) -> String {
    let mut form = json!({
        "currency": "usd", "unit_amount": amount,
        "product_data": { "name": format!("Plan {amount}") },
    });
    if let Some(interval) = interval {
        form["recurring"] = json!({ "interval": interval });
    }
    id(&stripe.post("/v1/prices", form).await).to_owned()
}

/// Creates a customer with this test card as the default.
async fn customer(stripe: &Stripe, card: &str) -> String {
    let customer = stripe.post("/v1/customers", json!({ "email": "ada@example.com" })).await;
    give_card(stripe, id(&customer), card).await;
    id(&customer).to_owned()
}

async fn give_card(stripe: &Stripe, customer: &str, card: &str) {
    let path = format!("/v1/payment_methods/{card}/attach");
    let method = stripe.post(&path, json!({ "customer": customer })).await;
    let settings = json!({ "invoice_settings": { "default_payment_method": method["id"] } });
    stripe.post(&format!("/v1/customers/{customer}"), settings).await;
}

/// Subscribes a customer to a price.
async fn subscribe(stripe: &Stripe, customer: &str, price: &str, other: Value) -> Value {
    let form = json!({ "customer": customer, "items": [{ "price": price }] });
    stripe.post("/v1/subscriptions", with(form, other)).await
}

async fn subscription(stripe: &Stripe, id: &str) -> Value {
    stripe.get(&format!("/v1/subscriptions/{id}"), json!({ "expand": ["latest_invoice"] })).await
}

/// The invoices of a subscription, oldest first.
async fn invoices_of(stripe: &Stripe, subscription: &str) -> Vec<Value> {
    let form = json!({ "subscription": subscription, "limit": 100 });
    let mut invoices = stripe.get("/v1/invoices", form).await["data"].as_array().unwrap().clone();
    invoices.reverse();
    invoices
}

/// Creates a checkout session for one unit of a price.
async fn session(stripe: &Stripe, mode: &str, price: &str, other: Value) -> Value {
    let form = json!({
        "mode": mode,
        "line_items": [{ "price": price, "quantity": 1 }],
        "success_url": "https://shop.example/done?session={CHECKOUT_SESSION_ID}",
    });
    stripe.post("/v1/checkout/sessions", with(form, other)).await
}

/// Submits the checkout page with an outcome, and returns the session afterwards.
async fn submit(stripe: &Stripe, session: &Value, outcome: &str, fields: &[(&str, &str)]) -> Value {
    let path = format!("{}/simulator/checkout/{}", stripe.base, id(session));
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let browser = browser.build().unwrap();
    let page = browser.get(&path).send().await.unwrap().text().await.unwrap();
    let (_, rest) = page.split_once("name=\"token\" value=\"").unwrap();
    let token = rest.split_once('"').unwrap().0;
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs([("token", token), ("outcome", outcome), ("email", "ada@example.com")]);
    form.extend_pairs(fields);
    let request = browser.post(&path).body(form.finish());
    let kind = "application/x-www-form-urlencoded";
    let answer = request.header("content-type", kind).send().await.unwrap();
    assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
    stripe.get(&format!("/v1/checkout/sessions/{}", id(session)), json!({})).await
}

/// The types of the events with these prefixes, in order, starting at the last event `since`.
async fn trail(stripe: &Stripe, since: &str, kinds: &[&str]) -> Vec<String> {
    let mut types = stripe.happened().await;
    let from = types.iter().rposition(|one| one == since).unwrap_or(0);
    types.drain(..from);
    types.retain(|one| kinds.iter().any(|kind| one.starts_with(kind)));
    types
}

/// The number of events of this type.
async fn count(stripe: &Stripe, kind: &str) -> usize {
    stripe.happened().await.iter().filter(|one| *one == kind).count()
}

/// The last event of this type.
async fn last_event(stripe: &Stripe, kind: &str) -> Value {
    stripe.get("/v1/events", json!({ "type": kind, "limit": 1 })).await["data"][0].clone()
}
