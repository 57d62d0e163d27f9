//! The plan version of a subscription, and its final state, whatever the order of its events.

use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio_postgres::types::Type;

use super::guards::without;
use super::orders::{in_order, orders};
use super::story::{Player, Story};
use crate::support::TestApp;
use crate::support::events::{Customer, Sold};

/// The second, status, price and quantity of an event.
type SubscriptionChange<'a> = (i64, &'a str, &'a Sold, i64);

/// Publishes the catalog again 100 seconds after the first time, with more credits in the first
/// plan at the same price. Returns the second after the first publication.
pub async fn republish(app: &TestApp) -> i64 {
    let since = app.now().as_second() + 1;
    app.clock.advance(SignedDuration::from_secs(100));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../catalogs/demo.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let (before, after) = ("ai_credits = 10\n", "ai_credits = 20\n");
    assert!(text.contains(before));
    app.sell_text(&app.owner_url, "demo", &text.replace(before, after)).await;
    assert_eq!(app.count("select max(version)::bigint from pricing_plan_versions").await, 2);
    since
}

fn event(ann: &Customer, change: SubscriptionChange<'_>, metadata: &Value) -> Value {
    let (at, status, sold, quantity) = change;
    let mut subscription = ann.subscription("1", status, sold);
    subscription["items"]["data"][0]["quantity"] = quantity.into();
    for (name, value) in metadata.as_object().unwrap() {
        subscription["metadata"][name] = value.clone();
    }
    let what = if status == "canceled" { "deleted" } else { "updated" };
    ann.subscribed(what, at, &subscription)
}

/// Plays a story in every order, partly twice; returns the distinct final states: status, plan,
/// version and quantity.
async fn ends(
    app: &TestApp,
    name: &str,
    since: i64,
    story: &[SubscriptionChange<'_>],
    metadata: Value,
) -> Value {
    let stories = orders(story.len()).into_iter().enumerate().map(|(number, order)| {
        let ann = Customer::of(&format!("{name}{number:03}"), since);
        let events: Vec<Value> =
            story.iter().map(|change| event(&ann, *change, &metadata)).collect();
        Story { events: in_order(&events, &order, number), subscriptions: Vec::new() }
    });
    Player::new(app).play(stories).await;
    let sql = "
      select jsonb_agg(distinct jsonb_build_array(status, plan, plan_version, quantity))
      from subscriptions
      where customer_id like $1";
    let like = format!("cus_{name}%");
    app.owner().await.query_typed_one(sql, &[(&like, Type::TEXT)]).await.unwrap().get(0)
}

/// Prices A, B, A across a republished catalog: the version is the one on sale when the price came
/// back.
#[tokio::test]
async fn a_price_used_again_has_one_version_in_every_order() {
    let app = TestApp::selling("demo").await;
    let since = republish(&app).await;
    let (a, b) = (app.plan_sold("starter").await, app.plan_sold("pro").await);
    let back_later = [
        (0, "active", &a, 1),
        (5, "active", &b, 1),
        (110, "active", &a, 1),
        (115, "active", &a, 2),
    ];
    let expected = json!([["active", "starter", 2, 2]]);
    assert_eq!(ends(&app, "a", since, &back_later, json!({})).await, expected);
    let back_before =
        [(0, "active", &a, 1), (5, "active", &b, 1), (10, "active", &a, 1), (110, "active", &a, 2)];
    let expected = json!([["active", "starter", 1, 2]]);
    assert_eq!(ends(&app, "b", since, &back_before, json!({})).await, expected);
    let never_left = [(0, "active", &a, 1), (110, "past_due", &a, 1), (115, "active", &a, 2)];
    assert_eq!(ends(&app, "c", since, &never_left, json!({})).await, expected);
}

/// The version that was sold counts until the price changes, even if its first event arrives late.
#[tokio::test]
async fn the_version_that_was_sold_counts_until_the_price_is_changed() {
    let app = TestApp::selling("demo").await;
    let since = republish(&app).await;
    let (a, b) = (app.plan_sold("starter").await, app.plan_sold("pro").await);
    let sold = json!({ "plan": "starter", "planVersion": "1" });
    let kept = [(110, "active", &a, 1), (115, "past_due", &a, 1), (120, "active", &a, 3)];
    let expected = json!([["active", "starter", 1, 3]]);
    assert_eq!(ends(&app, "d", since, &kept, sold.clone()).await, expected);
    let left = [(0, "active", &a, 1), (105, "active", &b, 1), (120, "active", &a, 3)];
    let expected = json!([["active", "starter", 2, 3]]);
    assert_eq!(ends(&app, "e", since, &left, sold).await, expected);
}

/// Of two events that end a subscription the later one counts, not the first to arrive.
#[tokio::test]
async fn the_later_of_two_cancellations_counts() {
    let app = TestApp::selling("demo").await;
    let since = app.now().as_second() + 1;
    let (a, b) = (app.plan_sold("starter").await, app.plan_sold("pro").await);
    let ended = [
        (0, "active", &a, 1),
        (120, "canceled", &a, 2),
        (121, "canceled", &b, 3),
        (130, "active", &a, 4),
    ];
    let expected = json!([["canceled", "pro", 1, 3]]);
    assert_eq!(ends(&app, "f", since, &ended, json!({})).await, expected);
}

/// Without the prices of older events, the version depends on the order.
#[tokio::test]
async fn without_older_prices_versions_differ() {
    let app = without("merge_older_price", "(v_row.price_seen, v_row.other_price_at)\n     is not distinct from (p_row.price_seen, p_row.other_price_at)", "true").await;
    let since = republish(&app).await;
    let (a, b) = (app.plan_sold("starter").await, app.plan_sold("pro").await);
    let story = [(0, "active", &a, 1), (5, "active", &b, 1), (110, "active", &a, 1)];
    let ended = ends(&app, "g", since, &story, json!({})).await;
    assert_eq!(ended.as_array().unwrap().len(), 2, "{ended}");
}
