//! Each guard of the event handling is needed: without it the final state is wrong, and the tests
//! for it detect that.

use farebox::migrate::Files;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::orders::{SINCE, in_order, orders, seven_events, seven_events_end};
use super::races::{meeting, meeting_end};
use super::story::{Player, Story, all_are, end_states};
use crate::support::events::Customer;
use crate::support::{TestApp, execute};

/// An app with one of its SQL functions changed.
pub async fn without(function: &str, guard: &str, instead: &str) -> TestApp {
    let app = TestApp::selling("demo").await;
    change(&app, function, guard, instead).await;
    app
}

/// Changes one of an app's SQL functions.
pub async fn change(app: &TestApp, function: &str, guard: &str, instead: &str) {
    let files = Files::embedded();
    let file = files.functions.iter().find(|file| file.name == function).unwrap();
    assert!(file.text.contains(guard), "{function} has no {guard}");
    let text = file.text.replace(guard, instead);
    execute(&app.owner().await, &format!("set search_path to public, pg_temp; {text}")).await;
}

/// The story of seven events without the last one, in every order.
async fn six_events_end_in_one_state(app: &TestApp) -> Result<(), String> {
    let (plan, pack) = (app.plan_sold("starter").await, app.pack_sold("ai_100").await);
    let stories = orders(6).into_iter().enumerate().map(|(number, order)| {
        let name = format!("o{number:04}");
        let (events, truth) = seven_events(&name, &plan, &pack);
        Story { events: in_order(&events[..6], &order, number), subscriptions: vec![truth] }
    });
    Player::new(app).play(stories).await;
    let expected = json!({
        "subscriptions": [["sub_one_1", "one", "active", "starter", 2, false]],
        "ledger": {
            "pi_one_pack purchase": 100, "pi_one_pack refund": -50, "plan": 10,
        },
        "balances": { "ai_credit": 60 },
        "entitlement": ["starter", "stripe", "active"],
    });
    let mut all = seven_events_end();
    for (name, value) in expected.as_object().unwrap() {
        all[name] = value.clone();
    }
    all_are(&end_states(app, "o").await, &all)
}

async fn meetings_end_in_one_state(app: &TestApp) -> Result<(), String> {
    let (plan, pack) = (app.plan_sold("starter").await, app.pack_sold("ai_100").await);
    let player = Player::new(app);
    for round in 0..100 {
        player.play_at_once(meeting(&format!("m{round:03}"), &plan, &pack)).await;
    }
    all_are(&end_states(app, "m").await, &meeting_end())
}

async fn deliveries_count_once(app: &TestApp) -> Result<(), String> {
    let pack = app.pack_sold("ai_100").await;
    let event: Value = Customer::of("ann", SINCE).paid(0, "pack", "ai_100", &pack);
    let player = Player::new(app);
    let duplicates = join_all((0..16).map(|_| player.apply_event(&event, &Value::Null))).await;
    match duplicates.iter().filter(|duplicate| !**duplicate).count() {
        1 => Ok(()),
        times => Err(format!("applied {times} times")),
    }
}

/// A payment and a dispute that names only the payment arrive at once, after a refund.
async fn disputes_meet_their_payments(app: &TestApp) -> Result<(), String> {
    let pack = app.pack_sold("ai_100").await;
    let player = Player::new(app);
    for round in 0..200 {
        let ann = Customer::of(&format!("d{round:03}"), SINCE);
        player.apply_event(&ann.refund(2, "pack", 1, 100, "succeeded"), &Value::Null).await;
        let paid = ann.paid(0, "pack", "ai_100", &pack);
        let events = vec![ann.disputed(3, "pack", 400, "lost"), paid];
        player.play_at_once(Story { events, subscriptions: Vec::new() }).await;
    }
    match app.count("select count(*) from wallets where user_id like 'd%' and balance <> 0").await {
        0 => Ok(()),
        kept => Err(format!("{kept} users keep disputed credits")),
    }
}

#[tokio::test]
async fn with_all_guards_every_story_ends_correctly() {
    let app = TestApp::selling("demo").await;
    six_events_end_in_one_state(&app).await.unwrap();
    deliveries_count_once(&app).await.unwrap();
    disputes_meet_their_payments(&app).await.unwrap();
}

#[tokio::test]
async fn without_the_order_of_events_stories_end_differently() {
    let rule = "(p_old.observed_at, p_old.event_rank, p_old.tie_breaker collate \"C\")
       >= (v_at, v_rank, v_event collate \"C\")";
    let app = without("next_subscription_row", rule, "false").await;
    six_events_end_in_one_state(&app).await.unwrap_err();
}

#[tokio::test]
async fn without_the_greatest_of_refunds_credits_come_back() {
    let greatest = "greatest(refunded_minor, (v_fact ->> 'refunded')::bigint)";
    let last = "coalesce((v_fact ->> 'refunded')::bigint, refunded_minor)";
    let app = without("merge_payment", greatest, last).await;
    six_events_end_in_one_state(&app).await.unwrap_err();
}

#[tokio::test]
async fn without_the_mark_of_an_event_it_counts_again() {
    let (mark, none) = ("do nothing", "do update set processed_at = excluded.processed_at");
    let app = without("apply_event", mark, none).await;
    deliveries_count_once(&app).await.unwrap_err();
}

#[tokio::test]
async fn without_the_lock_of_a_customer_facts_keep_no_owner() {
    let app = without("lock_customer", "for update", "").await;
    // Either a wrong final state, or an error that Stripe would receive.
    let ended = tokio::spawn(async move { meetings_end_in_one_state(&app).await }).await;
    assert!(!matches!(ended, Ok(Ok(()))), "the lock is not needed");
}

#[tokio::test]
async fn without_the_lock_of_a_payment_its_dispute_is_missed() {
    let app = without("lock_payment", "for update", "").await;
    disputes_meet_their_payments(&app).await.unwrap_err();
}

/// The mark of an event and its effects must be in one transaction. After a crash between the two,
/// the effects would be lost.
#[tokio::test]
async fn a_mark_in_a_separate_transaction_loses_the_effects() {
    let app = TestApp::selling("demo").await;
    let pack = app.pack_sold("ai_100").await;
    let event = Customer::of("ann", SINCE).paid(0, "pack", "ai_100", &pack);
    let mark = format!(
        "insert into webhook_events (id, type, created_at, processed_at)
         values ({}, {}, to_timestamp({}), farebox_now())",
        event["id"], event["type"], event["created"]
    );
    execute(&app.owner().await, &mark.replace('"', "'")).await;
    Player::new(&app).apply_event(&event, &Value::Null).await;
    assert_eq!(app.count("select count(*) from credit_transactions").await, 0);
}
