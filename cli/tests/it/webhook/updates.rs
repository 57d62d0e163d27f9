//! Events that change at most a subscription's period take the fast path. It leads to the same
//! state as the slow path, and each of its conditions is needed.

mod renewals;
mod stories;

use std::panic::AssertUnwindSafe;

use farebox::migrate::Files;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::guards::{change, without};
use super::orders::{SINCE, in_order, orders};
use super::story::{Player, Story};
use crate::support::events::{Customer, Sold};
use crate::support::{TestApp, execute};
use stories::{
    DAY, StoryRunner, a_customer_of_another, a_dead_letter, a_late_payment, a_later_end,
    a_price_of_one_second, a_price_of_one_second_that_comes_late, a_schedule, a_second_delivery,
    a_trial_without_an_end, an_older_period, an_older_price, another_name, another_quantity,
    many_updates, periods_without_an_anchor, two_periods, with,
};

type StoryOf = for<'a> fn(&'a StoryRunner<'a>, &'a str) -> BoxFuture<'a, Value>;

const STATUSES: &str =
    "and (v_new.status = 'active' or v_new.status = 'trialing' and v_new.trial_end is not null)";
const RENEW: &str = "renew_plan_credits";
const UPDATE: &str = "apply_subscription_update";
const ROW: &str = "next_subscription_row";

/// A function, one of its conditions, the replacement, and the story that then ends differently.
const GUARDS: [(&str, &str, &str, StoryOf); 26] = [
    (UPDATE, "and observed_at < v_at", "", |t, n| an_older_period(t, n).boxed()),
    (UPDATE, "and digest = p_digest", "", |t, n| another_quantity(t, n).boxed()),
    (UPDATE, "if not v_is_dead_letter then", "if true then", |t, n| a_dead_letter(t, n).boxed()),
    (UPDATE, "do nothing", "do update set type = excluded.type", |t, n| {
        a_second_delivery(t, n).boxed()
    }),
    (UPDATE, "due_at <= p_now", "false", |t, n| renewals::with_another_unit(t, n).boxed()),
    (UPDATE, "price_seen[1:15] || v_at", "price_seen", |t, n| an_older_price(t, n).boxed()),
    (UPDATE, "price_seen[1:15] || v_at", "price_seen || v_at", |t, n| many_updates(t, n).boxed()),
    (ROW, "v_new.user_id = p_user_id", "true", |t, n| a_customer_of_another(t, n).boxed()),
    (ROW, "and v_new.user_id = coalesce(v_fact ->> 'user_id', v_new.user_id)", "", |t, n| {
        another_name(t, n).boxed()
    }),
    (ROW, "and v_new.price_seen[1] is not null", "", |t, n| a_price_of_one_second(t, n).boxed()),
    ("merge_older_price", "v_row.digest := null", "null", |t, n| {
        a_price_of_one_second_that_comes_late(t, n).boxed()
    }),
    (ROW, "and v_new.billing_anchor is not null", "", |t, n| {
        periods_without_an_anchor(t, n).boxed()
    }),
    (ROW, "and not v_new.cancel_at_period_end", "", |t, n| a_later_end(t, n).boxed()),
    (ROW, "and v_new.trial_end is not null", "", |t, n| a_trial_without_an_end(t, n).boxed()),
    (ROW, STATUSES, "", |t, n| a_late_payment(t, n).boxed()),
    (UPDATE, "case when cancel_at is null then renewal_unit end", "renewal_unit", |t, n| {
        renewals::of_a_subscription_that_ends(t, n).boxed()
    }),
    (RENEW, "and e.subscription_id = p_subscription_id", "", |t, n| {
        renewals::of_another_subscription(t, n).boxed()
    }),
    (RENEW, "and e.status = 'active'", "", |t, n| renewals::of_a_trial(t, n).boxed()),
    (RENEW, "w.balance = w.head_left and", "", |t, n| renewals::with_other_credits(t, n).boxed()),
    (RENEW, "and w.head_ends = a.due_at", "", |t, n| {
        renewals::with_credits_that_stay(t, n).boxed()
    }),
    (RENEW, "and g.kind = 'plan'", "", |t, n| renewals::with_a_grant_that_ends(t, n).boxed()),
    (RENEW, "other.unit <> p_unit", "false", |t, n| renewals::with_another_unit(t, n).boxed()),
    (RENEW, "v_period.starts_at <> v_starts", "false", |t, n| {
        renewals::of_a_period_that_is_over(t, n).boxed()
    }),
    (
        RENEW,
        "do nothing",
        "do update set amount = excluded.amount, remaining = excluded.remaining",
        |t, n| renewals::with_a_grant_of_the_next_period(t, n).boxed(),
    ),
    (RENEW, "p_amount / 5", "0", |t, n| renewals::with_nothing_left(t, n).boxed()),
    ("finish_subscription_change", "digest = null", "digest = digest", |t, n| {
        a_schedule(t, n).boxed()
    }),
];

/// An event without its digest takes the slow path.
const LONG_WAY: (&str, &str, &str) = (ROW, "(v_fact ->> 'digest')::bigint", "null");

async fn restore(app: &TestApp, function: &str) {
    let files = Files::embedded();
    let file = files.functions.iter().find(|file| file.name == function).unwrap();
    execute(&app.owner().await, &format!("set search_path to public, pg_temp; {}", file.text))
        .await;
}

/// A month that is as long as the next one, so that stories of different years have equal results.
fn next_july(now: Timestamp) -> Timestamp {
    let year = now.to_zoned(TimeZone::UTC).year() + 1;
    date(year, 7, 1).to_zoned(TimeZone::UTC).unwrap().timestamp()
}

/// Each story has the same result on both paths, and another result without the condition.
#[tokio::test]
async fn each_condition_of_the_fast_path_is_needed() {
    let app = TestApp::selling("demo").await;
    let runner = StoryRunner::of(&app).await;
    let mut failed = Vec::new();
    for (number, (function, guard, instead, story)) in GUARDS.iter().enumerate() {
        let is_of_a_renewal =
            *function == RENEW || ["due_at", "case"].iter().any(|word| guard.starts_with(word));
        let run = async |way: &str| {
            if is_of_a_renewal {
                app.clock.advance(next_july(app.now()).duration_since(app.now()));
            }
            let name = format!("u{number}{way}");
            let text = story(&runner, &name).await.to_string().replace(&name, "ann");
            serde_json::from_str::<Value>(&text).unwrap()
        };
        let short = run("short").await;
        change(&app, LONG_WAY.0, LONG_WAY.1, LONG_WAY.2).await;
        let long = run("long").await;
        restore(&app, LONG_WAY.0).await;
        if short != long {
            failed.push(format!(
                "{guard}: the fast path ends with {short}\nthe slow path with {long}"
            ));
        }
        change(&app, function, guard, instead).await;
        // A story may also end with an error of the database.
        let bare = AssertUnwindSafe(run("bare")).catch_unwind().await;
        if bare.is_ok_and(|end| end == short) {
            failed.push(format!("{function} does not need {guard}: {short}"));
        }
        restore(&app, function).await;
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// An event that changes only the period takes two statements, and none of the slow path.
#[tokio::test]
async fn an_update_of_the_period_takes_the_fast_path() {
    let app =
        without("apply_observation", "v_facts        jsonb :=", "v_facts jsonb := 1 / 0 +").await;
    let runner = StoryRunner::of(&app).await;
    let since = runner.now();
    let ann = Customer::of("ann", since);
    let [first, second] = two_periods(&ann, "active", &runner.pro, since, json!({}));
    restore(&app, "apply_observation").await;
    runner.apply_event(&ann.subscribed("created", 0, &first)).await;
    change(&app, "apply_observation", "v_facts        jsonb :=", "v_facts jsonb := 1 / 0 +").await;
    runner.apply_event(&ann.subscribed("updated", 5, &second)).await;
    assert_eq!(runner.state("ann", since).await["subscription"][6], 60 * DAY);
}

/// Renewals, a change and a change back: some events differ only in their period.
fn renewals(name: &str, since: i64, sold: &Sold) -> Vec<Value> {
    let ann = Customer::of(name, since);
    let [first, second] = two_periods(&ann, "active", sold, since, json!({}));
    let mut more = second.clone();
    more["items"]["data"][0]["quantity"] = 2.into();
    let third = with(second.clone(), json!({}), since, (60 * DAY, 90 * DAY));
    vec![
        ann.subscribed("created", 0, &first),
        ann.subscribed("updated", 5, &first),
        ann.subscribed("updated", 30, &second),
        ann.subscribed("updated", 40, &more),
        ann.subscribed("updated", 50, &second),
        ann.subscribed("updated", 60, &third),
    ]
}

/// The stored state of that customer, without its credits.
async fn end_of(runner: &StoryRunner<'_>, name: &str) -> Value {
    let mut end = runner.state(name, SINCE).await;
    for part in ["grants", "wallets"] {
        end.as_object_mut().unwrap().remove(part);
    }
    end
}

fn renewals_end() -> Value {
    json!({
        "subscription": [
            "active", "pro", 1, 1, null, 60 * DAY, 90 * DAY, 60, [0, 5, 30, 40, 50, 60],
        ],
        "entitlement": ["pro", "active", 0],
        "ledger": [["ai_credit", "plan", 100, 100]],
        "letters": 0,
    })
}

#[tokio::test]
async fn renewals_end_in_one_state_in_every_order() {
    let app = TestApp::selling("demo").await;
    let runner = StoryRunner::of(&app).await;
    let since = SINCE;
    let stories = orders(6).into_iter().enumerate().map(|(number, order)| {
        let events = renewals(&format!("o{number:03}"), since, &runner.pro);
        Story { events: in_order(&events, &order, number), subscriptions: Vec::new() }
    });
    Player::new(&app).play(stories).await;
    for number in 0..720 {
        let name = format!("o{number:03}");
        assert_eq!(end_of(&runner, &name).await, renewals_end(), "{name}");
    }
}

/// Plays all six events at once, for 100 customers, after the first event of each.
async fn races_end_in_one_state(runner: &StoryRunner<'_>) -> Result<(), String> {
    let since = SINCE;
    let player = Player::new(runner.app);
    for round in 0..100 {
        let name = format!("r{round:03}");
        let events = renewals(&name, since, &runner.pro);
        runner.apply_event(&events[0]).await;
        player.play_at_once(Story { events, subscriptions: Vec::new() }).await;
        let end = end_of(runner, &name).await;
        if end != renewals_end() {
            return Err(format!("{name}: {end}"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn racing_renewals_end_in_one_state() {
    let app = TestApp::selling("demo").await;
    races_end_in_one_state(&StoryRunner::of(&app).await).await.unwrap();
}

/// True if customers end differently, or with an error that Stripe would receive.
async fn races_go_wrong(app: TestApp) -> bool {
    let ended =
        tokio::spawn(async move { races_end_in_one_state(&StoryRunner::of(&app).await).await });
    !matches!(ended.await, Ok(Ok(())))
}

/// The slow path would write back the row that it read before the fast path changed it.
#[tokio::test]
async fn without_the_lock_of_a_subscription_a_renewal_is_lost() {
    let read = "where id = v_facts -> 'subscription' ->> 'id'\n    for update";
    let unlocked = "where id = v_facts -> 'subscription' ->> 'id'";
    assert!(races_go_wrong(without("apply_observation", read, unlocked).await).await);
}

/// The fast path would wait for the customer while it holds the subscription's row.
#[tokio::test]
async fn without_the_refusal_of_a_lost_race_events_deadlock() {
    let (lost, never) = ("and xmax = pg_current_xact_id()::xid", "and false");
    assert!(races_go_wrong(without("apply_subscription_update", lost, never).await).await);
}
