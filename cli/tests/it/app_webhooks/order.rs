//! A user's webhooks arrive in order.

use std::sync::Arc;

use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::Value;
use shared::app::App;

use super::{PAUSE, counts, drain, with_receiver};
use crate::support::{Reply, execute};

/// FX-12: eight workers deliver each message once, and a user's messages in order.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_workers_keep_the_order_of_each_user() {
    let (app, receiver) = with_receiver().await;
    for number in 0..20 {
        for user in ["ann", "bob", "cay"] {
            app.queue_webhook(user, number).await;
        }
    }
    let workers: Vec<Arc<App>> = (0..8).map(|_| app.inside()).collect();
    crate::support::until(async || {
        join_all(workers.iter().map(|worker| drain(worker, 10))).await;
        receiver.webhooks().len() >= 60
    })
    .await;
    for user in ["ann", "bob", "cay"] {
        assert_eq!(receiver.numbers(user), (0..20).collect::<Vec<i64>>(), "{user}");
    }
}

/// FX-12: a message that fails holds back those behind it, and those of no other user.
#[tokio::test]
async fn the_next_message_waits_for_the_one_before() {
    let (app, receiver) = with_receiver().await;
    receiver.reply(Reply::RefuseUser("ann"));
    for user in ["ann", "bob"] {
        app.queue_webhook(user, 1).await;
        app.queue_webhook(user, 2).await;
    }
    assert_eq!(app.send_webhooks().await, counts(2, 1, 0));
    app.queue_webhook("ann", 3).await;
    assert_eq!(app.send_webhooks().await, counts(0, 0, 0), "a new message is no reason to retry");
    assert_eq!((receiver.numbers("ann"), receiver.numbers("bob")), (vec![1], vec![1, 2]));
    receiver.reply(Reply::Accept);
    app.clock.advance(PAUSE);
    assert_eq!(app.send_webhooks().await, counts(3, 0, 0));
    assert_eq!(receiver.numbers("ann"), [1, 1, 2, 3]);
}

/// FX-12: an app that was down for a day then gets everything, in order.
#[tokio::test]
async fn a_day_of_outage_loses_nothing() {
    let (app, receiver) = with_receiver().await;
    receiver.reply(Reply::Status(503));
    for hour in 0..24 {
        app.queue_webhook("ann", hour).await;
        app.queue_webhook("bob", hour).await;
        app.send_webhooks().await;
        app.clock.advance(SignedDuration::from_hours(1));
    }
    assert!(receiver.webhooks().len() > 30, "retried: {}", receiver.webhooks().len());
    assert!(receiver.numbers("ann").iter().all(|number| *number == 0));
    receiver.clear();
    receiver.reply(Reply::Accept);
    app.clock.advance(PAUSE);
    app.send_all_webhooks().await;
    for user in ["ann", "bob"] {
        assert_eq!(receiver.numbers(user), (0..24).collect::<Vec<i64>>());
    }
}

/// FX-12: the cost of a claim does not grow with the messages that wait.
#[tokio::test]
async fn a_hundred_thousand_waiting_messages_of_one_user_cost_no_scan() {
    let (app, _receiver) = with_receiver().await;
    app.queue_webhook("ann", 0).await;
    app.queue_webhook("bob", 0).await;
    // Each has its connection: one also counts what it did shortly before.
    let (owner, worker) = (app.owner().await, app.owner().await);
    let crowd = "insert into app_webhooks (user_id, type, payload, occurred_at, retry_until)
                 select 'ann', 'credits.low', '{}', farebox_now(), farebox_now() + interval '3 days'
                 from generate_series(1, 100000);
                 analyze";
    execute(&owner, crowd).await;
    execute(&worker, "begin; select claim_app_webhooks(farebox_now(), 10, 30)").await;
    let read = "select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint
                from pg_stat_xact_user_tables
                where relname like 'app_webhook%'";
    let read: i64 = worker.query_typed_one(read, &[]).await.unwrap().get(0);
    assert!((2..100).contains(&read), "{read} rows read");
}

/// FX-12: an entitlement that changes while it waits is sent once, as it is then; every attempt
/// sends the same, and a later change is another message.
#[tokio::test]
async fn an_entitlement_that_waits_is_sent_as_it_is_then() {
    let (app, receiver) = with_receiver().await;
    receiver.reply(Reply::Status(500));
    for plan in ["starter", "pro"] {
        app.comp_plan("ann", plan).await;
    }
    assert_eq!(app.send_webhooks().await, counts(0, 1, 0));
    app.comp_plan("ann", "team").await;
    receiver.reply(Reply::Accept);
    app.clock.advance(PAUSE);
    app.send_all_webhooks().await;
    let webhooks = receiver.webhooks();
    let plans: Vec<Value> = webhooks.iter().map(|it| it.body["data"]["plan"].clone()).collect();
    assert_eq!(plans, ["pro", "pro", "team"]);
    assert_eq!((&webhooks[0].id, &webhooks[0].text), (&webhooks[1].id, &webhooks[1].text));
    assert!(
        webhooks[2].body["data"]["version"].as_i64() > webhooks[1].body["data"]["version"].as_i64()
    );
}

impl crate::support::TestApp {
    async fn comp_plan(&self, user: &str, plan: &str) {
        let call = self.patch("/api/plan").query("userId", user).bearer(&self.service_key);
        call.json(serde_json::json!({ "plan": plan })).send().await.expect_status(200);
    }
}
