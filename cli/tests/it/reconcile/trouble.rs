//! Subscriptions that are missing or foreign, runs that are interrupted, and events that cannot be
//! applied.

use std::time::Duration;

use serde_json::{Value, json};
use shared::background::BackgroundTasks;
use shared::billing::reconcile::{self, Options};
use stripe_simulator::World;

use crate::dead_letters::alerts::alert_receiver;
use crate::support::{Mode, Setup, TestApp};

impl TestApp {
    fn remove_at_stripe(&self, id: &str) {
        let remove = |world: &mut World| {
            world.remove(id);
            Ok(())
        };
        self.simulator.change(remove).unwrap();
    }

    /// A price of a product that is not in the catalog.
    async fn foreign_price_cause(&self) -> String {
        let price = [
            ("currency", "usd"),
            ("unit_amount", "500"),
            ("recurring[interval]", "month"),
            ("product_data[name]", "Newsletter"),
        ];
        let made = self.ask_stripe("POST", "/v1/prices", &price).await["id"].clone();
        made.as_str().unwrap().to_owned()
    }
}

/// Subscriptions of another account, or deleted with their customer's data, are reported and kept.
#[tokio::test]
async fn subscriptions_missing_at_stripe_are_reported_and_kept() {
    let app = TestApp::selling("aira").await;
    for user in ["ann", "bob", "cat"] {
        app.buy(user, json!({ "tier": "plus", "interval": "monthly" })).await;
    }
    let gone = app.id_of_subscription("bob").await;
    app.remove_at_stripe(&gone);
    let report = app.compare_subscriptions().await;
    assert_eq!(report.missing_at_stripe, [gone]);
    assert!(report.drifts == 0 && !report.is_clean(), "{report:?}");
    assert_eq!(app.subscription("bob").await["status"], "active");
}

/// Foreign subscriptions are counted. If a known user has one, it is reported to an operator.
#[tokio::test]
async fn foreign_subscriptions_are_left_alone() {
    let app = TestApp::selling("aira").await;
    app.lose_webhooks();
    let price = app.foreign_price_cause().await;
    app.subscribe_at_stripe(None, &price).await;
    let report = app.compare_subscriptions().await;
    assert_eq!((report.foreign, report.drifts, report.failed.len()), (1, 0, 0), "{report:?}");
    let of_ann = app.subscribe_at_stripe(Some("ann"), &price).await;
    let report = app.compare_subscriptions().await;
    assert_eq!((report.foreign, report.drifts, report.repaired), (1, 1, 0), "{report:?}");
    assert_eq!(report.failed[0].id, of_ann);
    let problem = &report.failed[0].problem;
    assert!(problem.contains("nothing of the catalog") && problem.contains(&price), "{report:?}");
    assert!(!problem.contains("internal"), "{report:?}");
    assert_eq!(app.count("select count(*) from subscriptions").await, 0);
}

/// A catalog subscription without a user is counted, and an operator is alerted.
#[tokio::test]
async fn a_catalog_subscription_without_a_user_is_counted() {
    let (url, alerts) = alert_receiver().await;
    let app = Setup::default().set("ALERT_WEBHOOK_URL", url).sells("aira").start().await;
    app.lose_webhooks();
    let plus = app.plan_sold("plus").await.price;
    let nobodys = app.subscribe_at_stripe(None, &plus).await;
    app.subscribe_at_stripe(Some("ann"), &plus).await;
    let dry = Options { dry_run: true, ..Options::default() };
    let inside = app.inside();
    let report = reconcile::run(&inside, &BackgroundTasks::default(), dry).await.unwrap();
    assert_eq!((report.unnamed, &report.unnamed_subscriptions), (1, &vec![nobodys.clone()]));
    for _ in 0..2 {
        let report = app.reconciled().await;
        assert_eq!(report["unnamedSubscriptions"], json!([nobodys]), "{report}");
        assert_eq!((&report["unnamed"], &report["foreign"]), (&json!(1), &json!(0)), "{report}");
    }
    let named: Vec<_> =
        alerts.lock().unwrap().iter().filter(|it| it.contains(&nobodys)).cloned().collect();
    assert!(!named.is_empty(), "{alerts:?}");
}

/// As with the webhook, the event is stored with its cause, and is not applied again every day.
#[tokio::test]
async fn a_missed_event_that_cannot_be_applied_becomes_a_dead_letter() {
    let app = TestApp::selling("aira").await;
    app.lose_webhooks();
    let price = app.foreign_price_cause().await;
    app.subscribe_at_stripe(Some("ann"), &price).await;
    let report = app.reconciled().await;
    let event = "select count(*) from failed_webhooks where type = 'customer.subscription.created'
                 and user_id = 'ann' and cause like '%nothing of the catalog%'";
    assert_eq!(app.count(event).await, 1, "{report}");
    let failed = report["failed"].as_array().unwrap().len() as u64;
    assert!(failed > 0 && report["missedEvents"] != report["applied"], "{report}");
    assert_eq!(app.reconciled().await["missedEvents"], 0);
    assert_eq!(app.count("select max(attempts)::bigint from failed_webhooks").await, 1);
}

/// An erased user stays erased.
#[tokio::test]
async fn erased_users_do_not_come_back() {
    let app = TestApp::selling("aira").await;
    app.buy("ann", json!({ "tier": "plus", "interval": "monthly" })).await;
    app.delete("/api/account").bearer(&app.token("ann")).send().await.expect_status(204);
    app.simulator.delivered().await;
    let report = app.compare_subscriptions().await;
    assert!(report.is_clean() && report.drifts == 0, "{report:?}");
    assert_eq!(app.count("select count(*) from accounts").await, 0);
}

/// A run that is out of time leaves the rest to the next run.
#[tokio::test]
async fn the_next_run_continues_where_one_stopped() {
    let app = TestApp::selling("aira").await;
    app.lose_webhooks();
    let plus = app.plan_sold("plus").await.price;
    let one = app.subscribe_at_stripe(Some("ann"), &plus).await;
    app.multiply(&one, 230);
    let inside = app.inside();
    let no_time = Options { time: Some(Duration::ZERO), ..Options::default() };
    let known = "select count(*) from subscriptions";
    for (subscriptions, is_complete) in [(100, false), (200, false), (231, true)] {
        let report = reconcile::run(&inside, &BackgroundTasks::default(), no_time).await.unwrap();
        assert_eq!(report.is_complete, is_complete, "{report:?}");
        assert!(report.missing_at_stripe.is_empty() && report.problem.is_none(), "{report:?}");
        assert!(app.count(known).await >= subscriptions);
    }
    assert_eq!(app.count(known).await, 231);
    let cursors = "select count(*) from job_cursors where cursor is not null";
    assert_eq!(app.count(cursors).await, 0);
    let gone = "sub_0100";
    app.remove_at_stripe(gone);
    let mut missing = Vec::new();
    for _ in 0..3 {
        missing.extend(
            reconcile::run(&inside, &BackgroundTasks::default(), no_time)
                .await
                .unwrap()
                .missing_at_stripe,
        );
    }
    assert_eq!(missing, [gone], "on the second of three pages");
}

/// A run that loses Stripe midway reports it, and keeps the repairs made so far.
#[tokio::test]
async fn an_outage_of_stripe_midway_is_reported_and_the_next_run_continues() {
    let app = TestApp::selling("aira").await;
    app.lose_webhooks();
    let plus = app.plan_sold("plus").await.price;
    let one = app.subscribe_at_stripe(Some("ann"), &plus).await;
    app.multiply(&one, 150);
    // Requests 1 and 2 (the events and the first page) arrive, request 3 (the second page) does
    // not.
    app.stripe.set(Mode::LoseRequest(3)).await;
    let goes_away = async {
        app.stripe.lost().await;
        app.stripe.set(Mode::Down).await;
    };
    let (report, ()) = tokio::join!(app.reconciled(), goes_away);
    let found = |report: &Value| (report["isComplete"].clone(), report["repaired"].clone());
    assert_eq!(found(&report), (json!(false), json!(100)), "{}", report["problem"]);
    assert!(report["problem"].as_str().unwrap().contains("Stripe"), "{}", report["problem"]);

    let away = app.get("/api/cron/daily").cron().send().await;
    away.expect_problem(503, "stripe_unavailable");
    app.stripe.set(Mode::Pass).await;
    let report = app.reconciled().await;
    // The subscription that was copied was applied with the missed events.
    assert_eq!(found(&report), (json!(true), json!(50)), "{}", report["problem"]);
}
