//! Sessions and subscriptions that Farebox did not create: payment links, a migrated business,
//! Stripe's own tools.

use serde_json::json;

use crate::support::events::{Customer, Sold};
use crate::support::{Button, TestApp};

impl TestApp {
    /// A paid session created directly at Stripe, for one price, with these additional fields.
    pub(super) async fn paid_elsewhere(&self, price: &str, quantity: &str, more: &[(&str, &str)]) {
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

pub(super) const CREDITS: &str = "select coalesce(sum(balance), 0)::bigint from wallets";
pub(super) const DEAD_LETTERS: &str =
    "select count(*) from failed_webhooks where resolved_at is null";

#[tokio::test]
async fn a_session_made_elsewhere_counts_for_what_it_sold() {
    let app = TestApp::selling("credits").await;
    let pack = app.pack_sold("starter").await;
    // Its line items have the purchase, so Farebox fetches them.
    app.paid_elsewhere(&pack.price, "2", &[("metadata[userId]", "ann")]).await;
    assert_eq!((app.count(CREDITS).await, app.count(DEAD_LETTERS).await), (200, 0));
    // Its metadata has the purchase.
    let named = [("metadata[user_id]", "ann"), ("metadata[pack]", "starter")];
    app.stripe.flights();
    app.paid_elsewhere(&pack.price, "1", &named).await;
    assert_eq!((app.count(CREDITS).await, app.count(DEAD_LETTERS).await), (300, 0));
    assert_eq!(app.stripe.flights(), 0, "nothing was fetched");
}

/// Metadata that does not match the paid amount is ignored.
#[tokio::test]
async fn a_session_that_claims_more_than_it_paid_gives_what_it_paid() {
    let app = TestApp::selling("credits").await;
    let pack = app.pack_sold("starter").await;
    let claims = [("metadata[userId]", "ann"), ("metadata[pack]", "scale")];
    app.paid_elsewhere(&pack.price, "1", &claims).await;
    assert_eq!((app.count(CREDITS).await, app.count(DEAD_LETTERS).await), (100, 0));
}

/// The cost of a session's line items must equal its amount.
#[tokio::test]
async fn a_session_whose_amount_differs_from_its_lines_is_a_dead_letter() {
    let app = TestApp::selling("credits").await;
    let pack = app.pack_sold("starter").await;
    for (user, amount, currency, quantity) in [
        (Some("ann"), pack.amount, "usd", 2),
        (Some("ann"), 2 * pack.amount, "cad", 2),
        (None, 1, "usd", 1),
        // More credits than a balance may have.
        (Some("ann"), pack.amount * 100_000_000_000_000, "usd", 100_000_000_000_000_i64),
    ] {
        let before = app.count(DEAD_LETTERS).await;
        let ann = Customer::without_user(&format!("c{before}"), app.now().as_second());
        let mut paid = ann.paid(0, "pack", "starter", &pack);
        let object = &mut paid["data"]["object"];
        object["metadata"] = user.map_or(json!({}), |user| json!({ "userId": user }));
        object["amount_subtotal"] = amount.into();
        object["currency"] = currency.into();
        object["line_items"] = json!({ "object": "list", "data": [{
            "quantity": quantity, "price": { "id": pack.price, "product": pack.product },
        }] });
        app.deliver(&paid).await.expect_status(200);
        assert_eq!((app.count(CREDITS).await, app.count(DEAD_LETTERS).await), (0, before + 1));
    }
    let price = format!("select count(*) from failed_webhooks where cause like '%{}%'", pack.price);
    assert_eq!(app.count(&price).await, 3);
    let cap = "select count(*) from failed_webhooks where cause like '%10^15%'";
    assert_eq!(app.count(cap).await, 1);
}

#[tokio::test]
async fn a_purchase_outside_the_catalog_is_a_dead_letter_if_it_names_a_user() {
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
    assert_eq!(app.count(DEAD_LETTERS).await, 0, "a foreign purchase without a user is ignored");
    app.paid_elsewhere(price, "1", &[("metadata[userId]", "ann")]).await;
    assert_eq!((app.count(CREDITS).await, app.count(DEAD_LETTERS).await), (0, 1));
    let cause = "select count(*) from failed_webhooks where cause like '%FB007%'";
    assert_eq!(app.count(cause).await, 1);
}

/// A customer's purchases are applied to its user once the user is known.
#[tokio::test]
async fn a_customer_named_last_gets_every_purchase() {
    let app = TestApp::selling("demo").await;
    let (plan, pack) = (app.plan_sold("pro").await, app.pack_sold("ai_100").await);
    let ann = Customer::without_user("ann", app.now().as_second());
    let events = [
        ann.subscribed("created", 0, &ann.subscription("1", "active", &plan)),
        ann.paid(1, "pack", "ai_100", &pack),
        ann.refund(2, "pack", 1, 250, "succeeded"),
    ];
    for event in &events {
        app.deliver(event).await.expect_status(200);
    }
    assert_eq!((app.count(CREDITS).await, app.count(DEAD_LETTERS).await), (0, 2));
    app.deliver(&ann.named(3, "ann")).await.expect_status(200);
    assert_eq!(app.count(DEAD_LETTERS).await, 0);
    assert_eq!(app.count(CREDITS).await, 50 + 100, "the rest of the pack, and the plan's credits");
    assert_eq!(app.subscription("ann").await["plan"], json!("pro"));
    assert_eq!(app.stats("ann").await["plan"], "Pro");
}

/// Either of the subscription's events may name the user, who gets the plan's credits.
#[tokio::test]
async fn a_subscription_that_names_its_user_late_counts() {
    let app = TestApp::selling("demo").await;
    let plan = app.plan_sold("pro").await;
    for (user, order) in [("ann", [0, 1]), ("bob", [1, 0])] {
        let someone = Customer::without_user(user, app.now().as_second());
        let without_user = someone.subscription("1", "active", &plan);
        let mut named = without_user.clone();
        named["metadata"] = json!({ "userId": user });
        let events = [
            someone.subscribed("created", 2, &without_user),
            someone.subscribed("updated", 0, &named),
        ];
        for place in order {
            app.deliver(&events[place]).await.expect_status(200);
        }
        assert_eq!(app.stats(user).await["plan"], "Pro", "{user}");
    }
}

/// A subscription that moved to a price outside the catalog still ends.
#[tokio::test]
async fn a_subscription_at_a_foreign_price_still_ends() {
    let app = TestApp::selling("demo").await;
    let plan = app.plan_sold("pro").await;
    let special = elsewhere(&plan);
    let ann = Customer::of("ann", app.now().as_second());
    let shown = async || app.stats("ann").await["plan"].clone();
    let active = ann.subscription("1", "active", &plan);
    app.deliver(&ann.subscribed("created", 0, &active)).await.expect_status(200);
    let moved = ann.subscription("1", "active", &special);
    app.deliver(&ann.subscribed("updated", 1, &moved)).await.expect_status(200);
    assert_eq!((shown().await, app.count(DEAD_LETTERS).await), (json!("Pro"), 1));
    let ended = ann.subscription("1", "canceled", &special);
    app.deliver(&ann.subscribed("deleted", 2, &ended)).await.expect_status(200);
    assert_eq!(shown().await, "Free");
}

/// A subscription to another product of the account gets no user, so it does not keep the user from
/// buying a plan.
#[tokio::test]
async fn a_subscription_to_another_product_gets_no_owner() {
    let app = TestApp::selling("demo").await;
    let mug = elsewhere(&app.plan_sold("pro").await);
    let ann = Customer::without_user("ann", app.now().as_second());
    let active = ann.subscription("1", "active", &mug);
    app.deliver(&ann.subscribed("created", 0, &active)).await.expect_status(200);
    let mut named = ann.named(1, "ann");
    named["data"]["object"]["id"] = ann.customer_id().into();
    app.deliver(&named).await.expect_status(200);
    let refused = "select count(*) from subscriptions where user_id is not null";
    assert_eq!(app.count(refused).await, 0);
}

/// The same amount, for a product outside the catalog.
fn elsewhere(sold: &Sold) -> Sold {
    Sold { price: "price_else".to_owned(), product: "prod_else".to_owned(), amount: sold.amount }
}

/// A refund claws back credits from the user who has them, not from the user that it names.
#[tokio::test]
async fn a_refund_claws_back_from_the_user_who_has_the_credits() {
    let app = TestApp::selling("demo").await;
    let pack = app.pack_sold("ai_100").await;
    let ann = Customer::of("ann", app.now().as_second());
    let mut paid = ann.paid(0, "pack", "ai_100", &pack);
    paid["data"]["object"]["customer"] = json!(null);
    app.deliver(&paid).await.expect_status(200);
    let mut refunded = ann.refunded(1, "pack", &pack, 500);
    refunded["data"]["object"]["customer"] = "cus_bob".into();
    refunded["data"]["object"]["metadata"] = json!({ "userId": "bob" });
    app.deliver(&refunded).await.expect_status(200);
    let bobs = "select count(*) from credit_transactions where user_id = 'bob'";
    assert_eq!((app.count(CREDITS).await, app.count(bobs).await), (0, 0));
}

/// A session grants its credits once, whatever payments its events name.
#[tokio::test]
async fn one_session_gives_its_credits_once() {
    let app = TestApp::selling("demo").await;
    let pack = app.pack_sold("ai_100").await;
    let ann = Customer::of("ann", app.now().as_second());
    let mut paid = ann.paid(0, "pack", "ai_100", &pack);
    for (id, intent) in [("evt_1", json!(null)), ("evt_2", json!("pi_1")), ("evt_3", json!("pi_2"))]
    {
        paid["id"] = id.into();
        paid["data"]["object"]["payment_intent"] = intent;
        app.deliver(&paid).await.expect_status(200);
    }
    assert_eq!(app.count(CREDITS).await, 100);
}

/// A dispute that names only a charge finds its payment, in any order of events.
#[tokio::test]
async fn a_dispute_that_names_a_charge_alone_finds_its_payment() {
    let app = TestApp::selling("demo").await;
    let pack = app.pack_sold("ai_100").await;
    for (user, order) in [("ann", [0, 1, 2]), ("bob", [2, 0, 1]), ("eve", [1, 2, 0])] {
        let someone = Customer::of(user, app.now().as_second());
        let mut disputed = someone.disputed(2, "pack", 500, "lost");
        disputed["data"]["object"]["payment_intent"] = json!(null);
        let events = [
            someone.paid(0, "pack", "ai_100", &pack),
            someone.refunded(1, "pack", &pack, 0),
            disputed,
        ];
        for place in order {
            app.deliver(&events[place]).await.expect_status(200);
        }
        assert_eq!(app.count(CREDITS).await, 0, "{user}");
    }
}
