//! Concurrent events.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::orders::SINCE;
use super::story::{Player, Story, all_are, books, end_states};
use crate::support::TestApp;
use crate::support::events::{Customer, Sold};

/// CP-2: of 64 concurrent deliveries of one event, one is applied, and none gets an error.
#[tokio::test]
async fn two_hundred_rounds_of_sixty_four_deliveries_count_once_each() {
    let app = TestApp::selling("demo").await;
    let pack = app.pack_sold("ai_100").await;
    for round in 0..200 {
        let event = Customer::of(&format!("r{round:03}"), SINCE).paid(0, "pack", "ai_100", &pack);
        for answer in join_all((0..64).map(|_| app.deliver(&event))).await {
            answer.expect_status(200);
        }
    }
    for (what, times) in [
        ("select count(*) from webhook_events where id ~ '^evt_r[0-9]{3}_'", 200),
        ("select count(*) from credit_transactions", 200),
        ("select count(*) from billing_events where kind = 'payment.succeeded'", 200),
        ("select count(*) from wallets where balance = 100", 200),
    ] {
        assert_eq!(app.count(what).await, times, "{what}");
    }
    books(&app).await.unwrap();
}

/// The events of a customer whose user is named by one event only, in the middle of the others.
pub fn meeting(name: &str, plan: &Sold, pack: &Sold) -> Story {
    let ann = Customer::without_user(name, SINCE);
    let active = ann.subscription("1", "active", plan);
    let events = vec![
        ann.subscribed("created", 0, &ann.subscription("1", "incomplete", plan)),
        ann.disputed(4, "pack", 200, "needs_response"),
        ann.paid(3, "pack", "ai_100", pack),
        ann.named(2, name),
        ann.refund(5, "pack", 1, 100, "succeeded"),
        ann.subscribed("updated", 1, &active),
    ];
    Story { events, subscriptions: vec![active] }
}

pub fn meeting_end() -> Value {
    json!({
        "subscriptions": [["sub_one_1", "one", "active", "starter", 1, false]],
        "payments": [["pi_one_pack", {
            "status": "succeeded", "amount_minor": 500, "refunded_minor": 100, "disputed_minor": 200,
        }]],
        "ledger": {
            "pi_one_pack purchase": 100, "pi_one_pack refund": -20, "pi_one_pack dispute": -40,
            "plan": 10,
        },
        "balances": { "ai_credit": 50 },
        "entitlement": ["starter", "stripe", "active"],
        "invoices": null,
    })
}

/// A payment, its refund and dispute, a subscription, and the event that names the user, all at
/// once.
#[tokio::test]
async fn racing_events_of_one_customer_all_reach_their_user() {
    let app = TestApp::selling("demo").await;
    let (plan, pack) = (app.plan_sold("starter").await, app.pack_sold("ai_100").await);
    let player = Player::new(&app);
    for round in 0..100 {
        player.play_at_once(meeting(&format!("m{round:03}"), &plan, &pack)).await;
    }
    all_are(&end_states(&app, "m").await, &meeting_end()).unwrap();
    books(&app).await.unwrap();
}
