//! Sessions and subscriptions that Farebox did not make: payment links, a cut-over, Stripe's own tools.

use serde_json::json;

use crate::support::events::Customer;
use crate::support::{Button, TestApp};

impl TestApp {
    /// A session made straight at Stripe, for one price, with such fields besides; it is paid.
    async fn paid_elsewhere(&self, price: &str, quantity: &str, more: &[(&str, &str)]) {
        let mut form = vec![
            ("mode", "payment"),
            ("line_items[0][price]", price),
            ("line_items[0][quantity]", quantity),
            ("success_url", "https://app.example/"),
        ];
        form.extend(more);
        let session = self.ask_stripe("POST", "/v1/checkout/sessions", &form).await;
        self.press(&session, Button::Pay).await;
        self.simulator.delivered().await;
    }
}

const CREDITS: &str = "select coalesce(sum(balance), 0)::bigint from credit_balances";
const LETTERS: &str = "select count(*) from failed_webhooks where resolved_at is null";

#[tokio::test]
async fn a_session_made_elsewhere_counts_for_what_it_sold() {
    let app = TestApp::selling("credits").await;
    let pack = app.pack_sold("starter").await;
    // Its lines say what it sold; to see them Stripe is asked.
    app.paid_elsewhere(&pack.price, "2", &[("metadata[userId]", "ann")]).await;
    assert_eq!((app.count(CREDITS).await, app.count(LETTERS).await), (200, 0));
    // Its metadata does.
    let named = [("metadata[user_id]", "ann"), ("metadata[pack]", "starter")];
    app.stripe.flights();
    app.paid_elsewhere(&pack.price, "1", &named).await;
    assert_eq!((app.count(CREDITS).await, app.count(LETTERS).await), (300, 0));
    assert_eq!(app.stripe.flights(), 0, "nothing had to be asked");
}

/// Metadata that does not fit what was paid is not believed.
#[tokio::test]
async fn a_session_that_claims_more_than_it_paid_gives_what_it_paid() {
    let app = TestApp::selling("credits").await;
    let pack = app.pack_sold("starter").await;
    let claims = [("metadata[userId]", "ann"), ("metadata[pack]", "scale")];
    app.paid_elsewhere(&pack.price, "1", &claims).await;
    assert_eq!((app.count(CREDITS).await, app.count(LETTERS).await), (100, 0));
}

#[tokio::test]
async fn what_is_not_of_the_catalog_is_a_dead_letter_if_it_is_somebodys() {
    let app = TestApp::selling("credits").await;
    let product = app.ask_stripe("POST", "/v1/products", &[("name", "A mug")]).await;
    let form = [
        ("product", product["id"].as_str().unwrap()),
        ("currency", "usd"),
        ("unit_amount", "1500"),
    ];
    let price = app.ask_stripe("POST", "/v1/prices", &form).await;
    let price = price["id"].as_str().unwrap();
    app.paid_elsewhere(price, "1", &[]).await;
    assert_eq!(app.count(LETTERS).await, 0, "nobody's mug is none of ours");
    app.paid_elsewhere(price, "1", &[("metadata[userId]", "ann")]).await;
    assert_eq!((app.count(CREDITS).await, app.count(LETTERS).await), (0, 1));
    let cause = "select count(*) from failed_webhooks where cause like '%FB007%'";
    assert_eq!(app.count(cause).await, 1);
}

/// What was heard of a customer waits until it is said who that is.
#[tokio::test]
async fn a_customer_who_becomes_known_last_has_everything() {
    let app = TestApp::selling("demo").await;
    let (plan, pack) = (app.plan_sold("pro").await, app.pack_sold("ai_100").await);
    let ann = Customer::nameless("ann", app.now().as_second());
    let events = [
        ann.subscribed("created", 0, &ann.subscription("1", "active", &plan)),
        ann.paid(1, "pack", "ai_100", &pack),
        ann.refund(2, "pack", 1, 250, "succeeded"),
    ];
    for event in &events {
        app.deliver(event).await.expect_status(200);
    }
    assert_eq!((app.count(CREDITS).await, app.count(LETTERS).await), (0, 0));
    app.deliver(&ann.named(3, "ann")).await.expect_status(200);
    assert_eq!(app.count(CREDITS).await, 50);
    assert_eq!(app.subscription("ann").await["plan"], json!("pro"));
    assert_eq!(app.stats("ann").await["plan"], "Pro");
}
