//! Subscriptions with several items, and users with several subscriptions: the plan among them
//! counts.

use std::sync::{Arc, Mutex};

use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::support::events::{Customer, Sold};
use crate::support::{Setup, TestApp, listen, until};

fn addon() -> Sold {
    Sold { price: "price_addon".to_owned(), product: "prod_addon".to_owned(), amount: 100 }
}

/// A subscription with one item for each of these prices.
fn with_items(ann: &Customer, status: &str, sold: &[&Sold]) -> Value {
    let mut subscription = ann.subscription("1", status, sold[0]);
    let items = sold.iter().enumerate().map(|(place, sold)| {
        let mut item = ann.subscription("1", status, sold)["items"]["data"][0].clone();
        item["id"] = format!("si_{place}").into();
        item["quantity"] = (place + 1).into();
        item
    });
    subscription["items"]["data"] = items.collect();
    subscription
}

const CAUSES: &str = "
  select coalesce(jsonb_agg(cause order by failed_at), '[]')
  from failed_webhooks
  where resolved_at is null";

async fn causes(app: &TestApp) -> String {
    let causes: Value = app.owner().await.query_typed_one(CAUSES, &[]).await.unwrap().get(0);
    causes.to_string()
}

#[tokio::test]
async fn the_item_that_is_a_plan_counts_at_any_position() {
    let app = TestApp::selling("demo").await;
    let (addon, pro) = (addon(), app.plan_sold("pro").await);
    for (user, sold, quantity) in
        [("ann", [&addon, &pro], 2), ("bob", [&pro, &addon], 1), ("eve", [&addon, &addon], 0)]
    {
        let someone = Customer::of(user, app.now().as_second());
        let subscription = with_items(&someone, "active", &sold);
        app.deliver(&someone.subscribed("created", 0, &subscription)).await.expect_status(200);
        let shown = app.subscription(user).await;
        if quantity == 0 {
            assert_eq!(shown["plan"], "free");
            continue;
        }
        assert_eq!((&shown["plan"], &shown["status"]), (&json!("pro"), &json!("active")), "{user}");
        assert_eq!(shown["subscription"]["quantity"], quantity);
        assert_eq!(shown["subscription"]["amountMinor"], 2_900 * quantity);
    }
    let causes = causes(&app).await;
    assert!(causes.contains("nothing of the catalog"), "{causes}");
    // Changes apply to the plan's item.
    let item =
        "select count(*) from subscriptions where user_id = 'ann' and stripe_item_id = 'si_1'";
    assert_eq!(app.count(item).await, 1);
}

/// An item at a price of the catalog outranks an item that only has a plan's product.
#[tokio::test]
async fn a_price_of_the_catalog_outranks_a_product() {
    let app = TestApp::selling("demo").await;
    let pro = app.plan_sold("pro").await;
    let old = Sold { price: "price_old".to_owned(), product: pro.product.clone(), amount: 1 };
    for (user, sold) in [("ann", [&old, &pro]), ("bob", [&old, &addon()])] {
        let someone = Customer::of(user, app.now().as_second());
        let subscription = with_items(&someone, "active", &sold);
        app.deliver(&someone.subscribed("created", 0, &subscription)).await.expect_status(200);
        assert_eq!(app.subscription(user).await["plan"], "pro", "{user}");
    }
    let by_price = format!(
        "select count(*) from subscriptions where user_id = 'ann' and stripe_price_id = '{}'",
        pro.price
    );
    assert_eq!(app.count(&by_price).await, 1);
}

#[tokio::test]
async fn several_plans_in_one_subscription_are_a_dead_letter_with_that_cause() {
    let app = TestApp::selling("demo").await;
    let (starter, pro) = (app.plan_sold("starter").await, app.plan_sold("pro").await);
    let ann = Customer::of("ann", app.now().as_second());
    let both = with_items(&ann, "active", &[&starter, &pro]);
    app.deliver(&ann.subscribed("created", 0, &both)).await.expect_status(200);
    let causes = causes(&app).await;
    assert!(causes.contains("several plans of the catalog"), "{causes}");
    assert!(causes.contains("starter") && causes.contains("pro"), "{causes}");
    assert_eq!(app.subscription("ann").await["plan"], "free");
    // Once it is corrected at Stripe, the plan counts.
    let corrected = with_items(&ann, "active", &[&pro]);
    app.deliver(&ann.subscribed("updated", 5, &corrected)).await.expect_status(200);
    assert_eq!(app.subscription("ann").await["plan"], "pro");
}

/// Of two live subscriptions the better plan counts, whichever is newer or applied first, and
/// operators are alerted.
#[tokio::test]
async fn of_two_live_subscriptions_the_better_plan_counts() {
    let alerts: Arc<Mutex<Vec<String>>> = Arc::default();
    let received = Arc::clone(&alerts);
    let receive = async move |Json(message): Json<Value>| {
        received.lock().unwrap().push(message["text"].as_str().unwrap().to_owned());
    };
    let served = listen(Router::new().route("/", post(receive))).await;
    let url = format!("http://{}/", served.address);
    let app = Setup::default().set("ALERT_WEBHOOK_URL", url).sells("demo").start().await;
    let (starter, pro) = (app.plan_sold("starter").await, app.plan_sold("pro").await);
    for (number, user) in ["ann", "bob"].into_iter().enumerate() {
        let someone = Customer::of(user, app.now().as_second());
        let better = someone.subscription("better", "active", &pro);
        let mut newer = someone.subscription("newer", "active", &starter);
        newer["created"] = (app.now().as_second() + 100).into();
        let mut events =
            [someone.subscribed("created", 1, &better), someone.subscribed("created", 2, &newer)];
        if number == 1 {
            events.reverse();
        }
        for event in events.iter().chain(&events) {
            app.deliver(event).await.expect_status(200);
        }
        let shown = app.subscription(user).await;
        assert_eq!(
            (&shown["plan"], &shown["subscription"]["plan"]),
            (&json!("pro"), &json!("pro"))
        );
        assert_eq!(
            app.held(user, "ai_credit").await["balance"],
            100,
            "the better plan's credits, once"
        );
        app.deliver_outbox().await;
        until(async || alerts.lock().unwrap().len() > number).await;
        let messages = alerts.lock().unwrap().clone();
        assert_eq!(messages.len(), number + 1, "{messages:?}");
        let both = [someone.subscription_id("better"), someone.subscription_id("newer")];
        assert!(both.iter().all(|id| messages[number].contains(id)), "{messages:?}");

        // When the effective subscription ends, the other one becomes effective.
        let mut ended = better;
        ended["status"] = "canceled".into();
        app.deliver(&someone.subscribed("deleted", 9, &ended)).await.expect_status(200);
        assert_eq!(app.subscription(user).await["plan"], "starter");
        assert_eq!(app.held(user, "ai_credit").await["balance"], 10);
    }
    app.books_are_right().await;
}

/// A subscription that is set to end is not paid twice, so there is no alert.
#[tokio::test]
async fn replacing_a_subscription_that_ends_causes_no_alert() {
    let app = TestApp::selling("demo").await;
    let (starter, pro) = (app.plan_sold("starter").await, app.plan_sold("pro").await);
    let ann = Customer::of("ann", app.now().as_second());
    let mut ending = ann.subscription("1", "active", &starter);
    ending["cancel_at_period_end"] = true.into();
    app.deliver(&ann.subscribed("created", 0, &ending)).await.expect_status(200);
    let next = ann.subscription("2", "active", &pro);
    app.deliver(&ann.subscribed("created", 1, &next)).await.expect_status(200);
    assert_eq!(app.count("select count(*) from outbox where kind = 'alert'").await, 0);
}
