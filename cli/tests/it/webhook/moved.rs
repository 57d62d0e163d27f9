//! A subscription that moves to a price outside the catalog, or to a quantity that pays nothing.

use serde_json::{Value, json};

use super::foreign::{CREDITS, DEAD_LETTERS};
use super::orders::orders;
use crate::dead_letters::alerts::{alert_receiver, latest_alert};
use crate::support::events::{Customer, Sold};
use crate::support::{Setup, TestApp};

fn elsewhere() -> Sold {
    Sold { price: "price_foreign".to_owned(), product: "prod_foreign".to_owned(), amount: 100 }
}

/// The events of a purchase, a move, and a customer that names the user.
fn story(name: &str, since: i64, plan: &Sold) -> [Value; 3] {
    let someone = Customer::without_user(name, since);
    [
        someone.subscribed("created", 0, &someone.subscription("1", "active", plan)),
        someone.subscribed("updated", 10, &someone.subscription("1", "active", &elsewhere())),
        someone.named(20, name),
    ]
}

const MOVED: &str = "
  select count(*)
  from failed_webhooks
  where resolved_at is null
    and type = 'customer.subscription.updated'
    and cause like '%FB007%'
    and cause like '%price_foreign%'";

#[tokio::test]
async fn a_move_to_a_foreign_price_ends_in_one_state_in_every_order() {
    let app = TestApp::selling("demo").await;
    let plan = app.plan_sold("pro").await;
    for (number, order) in (1..).zip(orders(3)) {
        let user = format!("u{number}");
        let events = story(&user, app.now().as_second(), &plan);
        for &place in order.iter().chain(&order) {
            app.deliver(&events[place]).await.expect_status(200);
        }
        let shown = app.subscription(&user).await;
        assert_eq!(
            (&shown["plan"], &shown["status"]),
            (&json!("pro"), &json!("active")),
            "{order:?}"
        );
        assert_eq!(app.held(&user, "ai_credit").await["balance"], 100, "{order:?}");
        assert_eq!(
            (app.count(DEAD_LETTERS).await, app.count(MOVED).await),
            (number, number),
            "{order:?}"
        );
    }
    app.books_are_right().await;
}

/// The move was applied before its purchase. Once the purchase's plan is known, Farebox alerts
/// once.
#[tokio::test]
async fn a_move_applied_before_its_purchase_is_a_dead_letter_with_an_alert() {
    let (url, alerts) = alert_receiver().await;
    let app = Setup::default().set("ALERT_WEBHOOK_URL", url).sells("demo").start().await;
    let plan = app.plan_sold("pro").await;
    let [bought, moved, named] = story("ann", app.now().as_second(), &plan);
    for event in [&moved, &named] {
        app.deliver(event).await.expect_status(200);
    }
    assert_eq!(app.count(DEAD_LETTERS).await, 0, "a foreign price without a known plan is ignored");
    let deliveries = (0..8).map(|_| app.deliver(&bought));
    for answer in futures_util::future::join_all(deliveries).await {
        answer.expect_status(200);
    }
    assert_eq!((app.count(DEAD_LETTERS).await, app.count(MOVED).await), (1, 1));
    app.deliver_outbox().await;
    let alert = latest_alert(&alerts, 1).await;
    assert!(alert.contains("price_foreign") && alert.contains("FB007"), "{alert}");
    assert_eq!(app.subscription("ann").await["plan"], "pro");
}

/// Back at a price of the catalog, the subscription counts again, whatever was taken back before.
#[tokio::test]
async fn a_subscription_that_moves_back_counts() {
    let app = TestApp::selling("demo").await;
    let (starter, pro) = (app.plan_sold("starter").await, app.plan_sold("pro").await);
    for (number, order) in orders(4).into_iter().enumerate() {
        let user = format!("u{number}");
        let since = app.now().as_second();
        let [bought, moved, named] = story(&user, since, &starter);
        let someone = Customer::without_user(&user, since);
        let mut back =
            someone.subscribed("updated", 30, &someone.subscription("1", "active", &pro));
        back["id"] = format!("evt_back_{user}").into();
        let events = [bought, moved, named, back];
        for &place in &order {
            app.deliver(&events[place]).await.expect_status(200);
        }
        assert_eq!(app.subscription(&user).await["plan"], "pro", "{order:?}");
        assert_eq!(app.held(&user, "ai_credit").await["balance"], 100, "{order:?}");
    }
    app.books_are_right().await;
}

/// With a quantity of zero nothing is paid, so the plan is paused; with a positive quantity it is
/// active again.
#[tokio::test]
async fn a_subscription_without_seats_is_paused() {
    let app = TestApp::selling("demo").await;
    let plan = app.plan_sold("pro").await;
    let ann = Customer::of("ann", app.now().as_second());
    for (at, quantity, expected) in [
        (0, 0, ("free", 1, 0, 0)),
        (1, 1, ("pro", 0, 100, 0)),
        (2, 0, ("free", 1, 0, 0)),
        // A negative quantity is invalid, and changes nothing.
        (3, -5, ("free", 1, 0, 1)),
        (4, 2, ("pro", 0, 100, 1)),
        (5, -1, ("pro", 0, 100, 2)),
    ] {
        let mut subscription = ann.subscription("1", "active", &plan);
        subscription["items"]["data"][0]["quantity"] = quantity.into();
        app.deliver(&ann.subscribed("updated", at, &subscription)).await.expect_status(200);
        let shown = app.subscription("ann").await;
        let paused = app.count("select count(*) from subscriptions where status = 'paused'").await;
        let (credits, letters) = (app.count(CREDITS).await, app.count(DEAD_LETTERS).await);
        let is = (shown["plan"].as_str().unwrap(), paused, credits, letters);
        assert_eq!(is, expected, "{quantity}");
    }
    app.books_are_right().await;
}
