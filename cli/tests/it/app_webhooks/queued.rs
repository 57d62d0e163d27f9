//! Messages are queued with the change, once, and never without an endpoint.

use futures_util::future::{join, join_all};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{counts, with_receiver};
use crate::support::events::Customer;
use crate::support::{Reply, TestApp, execute, until};
use crate::webhook::orders::{in_order, orders, seven_events, seven_events_end};
use crate::webhook::story::{Player, Story, all_are, end_states};

impl TestApp {
    /// The number of queued messages of a type.
    async fn queued(&self, kind: &str) -> i64 {
        self.count(&format!("select count(*) from app_webhooks where type = '{kind}'")).await
    }
}

/// FX-12: sixty-four concurrent uses reach a limit once. So does each later period, and a feature
/// that resets every day.
#[tokio::test]
async fn a_limit_is_reached_once_per_period() {
    let (app, receiver) = with_receiver().await;
    let report = json!({ "feature": "reports" });
    for period in 1..=2 {
        let uses = (0..64).map(|_| {
            let call = app.post("/api/usage").bearer(&app.token("ann")).json(report.clone());
            call.send()
        });
        let counted = join_all(uses).await.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(counted, 5);
        assert_eq!(app.queued("limit.reached").await, period);
        app.clock.advance(SignedDuration::from_hours(24 * 31));
    }
    for day in 3..=4 {
        for quantity in [50, 30, 19, 1] {
            app.use_feature("ann", "api_calls", quantity).await;
        }
        assert_eq!(app.queued("limit.reached").await, day);
        app.clock.advance(SignedDuration::from_hours(24));
    }
    app.send_all_webhooks().await;
    let reached = receiver.types("ann").into_iter().filter(|kind| kind == "limit.reached").count();
    assert_eq!(reached, 4);
}

/// FX-12: a retry of a spend or of a Stripe event queues nothing.
#[tokio::test]
async fn a_duplicate_call_queues_nothing() {
    let (app, _receiver) = with_receiver().await;
    app.buy("ann", json!({ "tier": "starter", "interval": "monthly" })).await;
    for _ in 0..2 {
        let spend = json!({ "action": "spend", "unit": "ai_credit", "amount": 8 });
        let call = app.post("/api/credits").bearer(&app.token("ann")).json(spend);
        call.header("idempotency-key", "once").send().await.expect_status(200);
    }
    assert_eq!(app.queued("credits.low").await, 1);
    let before = app.webhook_rows().await.len();
    let event = app.event("customer.subscription.created");
    app.deliver(&event).await.expect_status(200);
    assert_eq!(app.webhook_rows().await.len(), before);
}

/// FX-12: a call that is refused, or fails, queues nothing.
#[tokio::test]
async fn a_refused_call_queues_nothing() {
    let (app, _receiver) = with_receiver().await;
    app.use_feature("ann", "reports", 4).await;
    let before = app.webhook_rows().await;
    let two = json!({ "feature": "reports", "quantity": 2 });
    let call = app.post("/api/usage").bearer(&app.token("ann")).json(two);
    call.send().await.expect_problem(402, "quota_exceeded");
    assert_eq!(app.webhook_rows().await, before);
}

/// FX-12: without an endpoint no row is written, and the setting can be removed again.
#[tokio::test]
async fn without_an_endpoint_nothing_is_queued() {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "tier": "starter", "interval": "monthly" })).await;
    app.use_feature("ann", "reports", 100).await;
    app.spend_credits("ann", 10).await;
    assert_eq!(app.send_webhooks().await, counts(0, 0, 0));
    assert_eq!(app.webhook_rows().await, Vec::<Value>::new());
    assert_eq!(app.count("select count(*) from app_webhook_queues").await, 0);

    execute(&app.owner().await, "select set_app_webhooks(true)").await;
    app.use_feature("bob", "reports", 5).await;
    let queued = app.webhook_rows().await.len();
    assert!(queued > 0);
    app.send_webhooks().await;
    app.use_feature("cay", "reports", 5).await;
    assert_eq!(app.webhook_rows().await.len(), queued, "the minute job found no endpoint");
}

/// FX-12: a spend and a use that need no lock of the account read and write nothing of webhooks. A
/// use reads the row with the flag, as it did before there was one.
#[tokio::test]
async fn a_fast_call_does_not_touch_the_queue() {
    let (app, _receiver) = with_receiver().await;
    app.buy("ann", json!({ "tier": "pro", "interval": "monthly" })).await;
    app.use_feature("ann", "exports", 1).await;
    app.spend_credits("ann", 1).await;
    let use_feature =
        "select track_usages('ann', '[{\"feature\": \"exports\", \"quantity\": 1}]', true, null, null,
           farebox_now())";
    let spend = "select spend_credits('ann', 'ai_credit', 1, '{}', null, null, farebox_now())";
    for (call, expected) in [(use_feature, json!({ "catalog_state": 1 })), (spend, json!({}))] {
        // A session's counts of earlier transactions would be added.
        let owner = app.owner().await;
        execute(&owner, "begin").await;
        execute(&owner, call).await;
        let touched = "
          select coalesce(jsonb_object_agg(relname, seq_scan + coalesce(idx_scan, 0)), '{}')
          from pg_stat_xact_user_tables
          where (relname like 'app_webhook%' or relname = 'catalog_state')
            and seq_scan + coalesce(idx_scan, 0) + n_tup_ins + n_tup_upd > 0";
        let touched: Value = owner.query_typed_one(touched, &[]).await.unwrap().get(0);
        assert_eq!(touched, expected, "{call}");
        execute(&owner, "rollback").await;
    }
}

/// FX-12: a subscription that was observed before its user was named is reported then.
#[tokio::test]
async fn a_subscription_that_gets_its_user_later_is_reported_then() {
    let (app, receiver) = with_receiver().await;
    let bob = Customer::without_user("bob", app.now().as_second());
    let active = bob.subscription("1", "active", &app.plan_sold("starter").await);
    app.deliver(&bob.subscribed("created", 0, &active)).await.expect_status(200);
    assert_eq!(app.webhook_rows().await, Vec::<Value>::new(), "its user is unknown");
    app.deliver(&bob.named(1, "bob")).await.expect_status(200);
    app.send_all_webhooks().await;
    assert_eq!(receiver.types("bob"), ["subscription.created", "entitlement.updated"]);
}

/// FX-12: a limit that was raised is reached once more in the same period.
#[tokio::test]
async fn a_raised_limit_is_reached_once_more() {
    let app = TestApp::selling("demo").await;
    execute(&app.owner().await, "select set_app_webhooks(true)").await;
    app.use_feature("ann", "dashboards", 1).await;
    assert_eq!(app.queued("limit.reached").await, 1);
    let comp = app.patch("/api/plan").query("userId", "ann").bearer(&app.service_key);
    comp.json(json!({ "plan": "Starter" })).send().await.expect_status(200);
    app.use_feature("ann", "dashboards", 9).await;
    assert_eq!(app.queued("limit.reached").await, 2);
}

/// FX-12: the customer's words about a cancellation stay in Farebox.
#[tokio::test]
async fn a_reason_for_a_cancellation_is_not_sent() {
    let app = TestApp::selling("demo").await;
    execute(&app.owner().await, "select set_app_webhooks(true)").await;
    app.buy("ann", json!({ "tier": "team", "interval": "monthly" })).await;
    let cancel = json!({ "action": "cancel", "reason": "too many letters" });
    app.change("ann", cancel).await.expect_status(200);
    app.simulator.delivered().await;
    assert!(app.queued("subscription.updated").await > 0);
    let named = "select count(*) from app_webhooks where payload::text like '%letters%'";
    assert_eq!(app.count(named).await, 0);
}

/// FX-12: an import of a business is no news to its app.
#[tokio::test]
async fn an_import_is_quiet() {
    let (app, _receiver) = with_receiver().await;
    app.import_business().await;
    assert!(app.count("select count(*) from entitlements").await > 0);
    assert_eq!(app.webhook_rows().await, Vec::<Value>::new());
    app.use_feature("ann", "reports", 100).await;
    assert_eq!(app.queued("limit.reached").await, 1);
}

/// FX-12: a change that only the comparison with Stripe finds reaches the app, although its e-mails
/// would be late.
#[tokio::test]
async fn a_repaired_subscription_is_reported_to_the_app() {
    let (app, _receiver) = with_receiver().await;
    app.buy("ann", json!({ "tier": "team", "interval": "monthly" })).await;
    let id = app.subscription("ann").await["subscription"]["id"].as_str().unwrap().to_owned();
    app.lose_webhooks();
    app.ask_stripe("DELETE", &format!("/v1/subscriptions/{id}"), &[]).await;
    app.simulator.delivered().await;
    let lost = app.event("customer.subscription.deleted")["id"].as_str().unwrap().to_owned();
    let sql = format!(
        "insert into webhook_events (id, type, created_at, processed_at)
         values ('{lost}', 'customer.subscription.deleted', farebox_now(), farebox_now())"
    );
    execute(&app.owner().await, &sql).await;
    assert_eq!(app.queued("subscription.deleted").await, 0);
    app.get("/api/cron/daily").cron().send().await.expect_status(200);
    assert_eq!(app.queued("subscription.deleted").await, 1);
}

/// FX-12: an erased user's messages vanish.
#[tokio::test]
async fn an_erased_users_messages_vanish() {
    let (app, receiver) = with_receiver().await;
    receiver.reply(Reply::Status(500));
    app.use_feature("ann", "reports", 5).await;
    assert_eq!(app.send_webhooks().await, counts(0, 1, 0));
    receiver.clear();
    app.delete("/api/account").bearer(&app.token("ann")).send().await.expect_status(204);
    app.clock.advance(super::PAUSE);
    assert_eq!(app.send_webhooks().await, counts(0, 0, 0));
    assert_eq!(app.webhook_rows().await, Vec::<Value>::new());
    assert_eq!(app.count("select count(*) from app_webhook_queues").await, 0);
    assert!(receiver.webhooks().is_empty());
}

/// FX-12: a worker that has taken a user's queue finishes, and an erasure waits for it.
#[tokio::test]
async fn an_erasure_waits_for_a_worker_that_takes_a_message() {
    let (app, _receiver) = with_receiver().await;
    app.queue_webhook("ann", 1).await;
    let worker = app.owner().await;
    execute(&worker, "begin; select from app_webhook_queues for update").await;
    let erasing = app.delete("/api/account").bearer(&app.token("ann")).send();
    let taking = async {
        let waiting = "select count(*) from pg_locks join pg_stat_activity using (pid)
                       where not granted and datname = current_database()";
        until(async || app.count(waiting).await > 0).await;
        let take = "select claim_app_webhooks(farebox_now(), 10, 30); commit";
        execute(&worker, take).await;
    };
    let (erased, ()) = join(erasing, taking).await;
    erased.expect_status(204);
    assert_eq!(app.webhook_rows().await, Vec::<Value>::new());
}

/// FX-3 and FX-12: whatever the order of Stripe's events, the final state is the same, and the last
/// `entitlement.updated` reports it.
#[tokio::test]
async fn every_order_of_events_reports_the_final_entitlement() {
    let (app, _receiver) = with_receiver().await;
    let (plan, pack) = (app.plan_sold("starter").await, app.pack_sold("ai_100").await);
    let stories = orders(7).into_iter().enumerate().step_by(23).map(|(number, order)| {
        let (events, truth) = seven_events(&format!("o{number:04}"), &plan, &pack);
        Story { events: in_order(&events, &order, number), subscriptions: vec![truth] }
    });
    Player::new(&app).play(stories).await;
    let ends = end_states(&app, "o").await;
    assert_eq!(ends.len(), 220);
    all_are(&ends, &seven_events_end()).unwrap();

    app.send_all_webhooks().await;
    let outdated = "
      select count(*)
      from accounts a
      cross join lateral (
        select payload
        from app_webhooks
        where user_id = a.id
          and type = 'entitlement.updated'
          and delivered_at is not null
        order by seq desc
        limit 1
      ) last
      where last.payload - 'fresh_until' = known_entitlement(a.id, farebox_now()) - 'fresh_until'";
    assert_eq!(app.count(outdated).await, 220, "the last webhook is the current entitlement");
    for kind in ["subscription.created", "subscription.deleted"] {
        assert!(app.queued(kind).await > 0, "{kind}");
    }
}
