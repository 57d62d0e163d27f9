//! A story's events lead to one final state, whatever their order and number of deliveries.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::story::{Player, Story, all_are, books, end_states};
use crate::support::TestApp;
use crate::support::events::{Customer, Sold};

/// 19 March 2026.
pub const SINCE: i64 = 1_773_878_400;

/// A subscription begins incomplete, is paid and changed within one second, and is canceled. A pack
/// is paid, and refunded in two steps.
pub fn seven_events(name: &str, plan: &Sold, pack: &Sold) -> (Vec<Value>, Value) {
    let ann = Customer::of(name, SINCE);
    let incomplete = ann.subscription("1", "incomplete", plan);
    let active = ann.subscription("1", "active", plan);
    let mut two_seats = active.clone();
    two_seats["items"]["data"][0]["quantity"] = 2.into();
    let mut canceled = ann.subscription("1", "canceled", plan);
    canceled["ended_at"] = (SINCE + 6).into();
    let mut changed = ann.subscribed("updated", 1, &two_seats);
    changed["id"] = format!("{}_again", changed["id"].as_str().unwrap()).into();
    let events = vec![
        ann.subscribed("created", 0, &incomplete),
        ann.subscribed("updated", 1, &active),
        changed,
        ann.paid(2, "pack", "ai_100", pack),
        ann.refunded(3, "pack", pack, 101),
        ann.refunded(4, "pack", pack, 250),
        ann.subscribed("deleted", 6, &canceled),
    ];
    (events, two_seats)
}

/// The final state: a canceled subscription, and half of the credits.
pub fn seven_events_end() -> Value {
    json!({
        "subscriptions": [["sub_one_1", "one", "canceled", "starter", 1, false]],
        "payments": [["pi_one_pack", {
            "status": "succeeded", "amount_minor": 500, "refunded_minor": 250, "disputed_minor": 0,
        }]],
        "ledger": { "pi_one_pack purchase": 100, "pi_one_pack refund": -50 },
        "balances": { "ai_credit": 50 },
        "entitlement": ["free", "default", "none"],
        "invoices": null,
    })
}

/// Every order of this many things.
pub fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut orders = vec![Vec::new()];
    for next in 0..count {
        let longer = |order: &Vec<usize>| {
            let order = order.clone();
            (0..=order.len()).map(move |place| {
                let mut longer = order.clone();
                longer.insert(place, next);
                longer
            })
        };
        orders = orders.iter().flat_map(longer).collect();
    }
    orders
}

/// The events in that order, some of them twice.
pub fn in_order(events: &[Value], order: &[usize], seed: usize) -> Vec<Value> {
    let mut ordered: Vec<Value> = order.iter().map(|&place| events[place].clone()).collect();
    for (place, event) in order.iter().enumerate() {
        let chance = (seed * 31 + place * 17 + event * 7) % 10;
        if chance < 3 {
            ordered.insert((seed + place * 5) % (ordered.len() + 1), events[*event].clone());
        }
    }
    ordered
}

/// PT-3, CP-2: all 5,040 orders of a story of seven events, with duplicates, lead to one final
/// state.
#[tokio::test]
async fn every_order_of_events_ends_in_one_state() {
    let app = TestApp::selling("demo").await;
    let (plan, pack) = (app.plan_sold("starter").await, app.pack_sold("ai_100").await);
    let stories = orders(7).into_iter().enumerate().map(|(number, order)| {
        let name = format!("o{number:04}");
        let (events, truth) = seven_events(&name, &plan, &pack);
        Story { events: in_order(&events, &order, number), subscriptions: vec![truth] }
    });
    Player::new(&app).play(stories).await;
    let ends = end_states(&app, "o").await;
    assert_eq!(ends.len(), 5_040);
    all_are(&ends, &seven_events_end()).unwrap();
    books(&app).await.unwrap();
}

#[test]
fn each_order_is_generated_once() {
    let mut all = orders(5);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 120);
    let mut runner = TestRunner::deterministic();
    runner
        .run(&(0..120usize, 0..1_000usize), |(place, seed)| {
            let events: Vec<Value> = (0..5).map(Value::from).collect();
            let ordered = in_order(&events, &all[place], seed);
            prop_assert!(events.iter().all(|event| ordered.contains(event)));
            Ok(())
        })
        .unwrap();
}
