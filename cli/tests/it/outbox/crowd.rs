//! Concurrent workers, and workers that were killed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::SignedDuration;
use shared::app::App;

use super::{counts, drain, with_clerk};
use crate::support::{TestApp, until};

#[tokio::test]
async fn a_killed_workers_messages_are_delivered_by_another() {
    let app = TestApp::new().await;
    app.create_user("ann").await;
    app.enqueue_mail("1", "ann").await;
    let claimed = app.worker().postgres.claim_outbox(app.now(), 10, 30).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(app.drain().await, counts(0, 0, 0), "the worker may still be delivering");
    app.end_leases().await;
    assert_eq!(app.drain().await, counts(1, 0, 0));
    assert_eq!(app.message_ids(), [app.message_id("receipt:1").await]);
}

/// The local stack's clock jumps over months while a message is being delivered.
#[tokio::test]
async fn a_jumping_clock_takes_no_message_from_its_worker() {
    let app = TestApp::new().await;
    app.create_user("ann").await;
    app.enqueue_mail("1", "ann").await;
    let claimed = app.worker().postgres.claim_outbox(app.now(), 10, 30).await.unwrap().remove(0);
    app.clock.advance(SignedDuration::from_hours(24 * 365));
    assert_eq!(app.drain().await, counts(0, 0, 0), "it is being delivered");
    app.finish(claimed).await;
    assert_eq!(app.drain().await, counts(0, 0, 0), "it was delivered");
    assert_eq!(app.message_ids(), [""; 0]);
}

#[tokio::test]
async fn eight_concurrent_workers_deliver_each_message_once() {
    let app = TestApp::new().await;
    app.create_user("ann").await;
    for number in 0..60 {
        app.enqueue_mail(&number.to_string(), "ann").await;
    }
    let workers: Vec<Arc<App>> = (0..8).map(|_| app.worker()).collect();
    let all = join_all(workers.iter().map(|worker| drain(worker, 100))).await;
    assert_eq!(all.iter().map(|each| each.delivered).sum::<u64>(), 60);
    let ids = app.message_ids();
    assert_eq!((ids.len(), ids.iter().collect::<BTreeSet<_>>().len()), (60, 60));
}

#[tokio::test]
async fn a_run_delivers_no_more_than_its_limit() {
    let app = TestApp::new().await;
    app.create_user("ann").await;
    for number in 0..15 {
        app.enqueue_mail(&number.to_string(), "ann").await;
    }
    assert_eq!(drain(&app.worker(), 12).await.delivered, 12);
    assert_eq!(app.message_ids().len(), 12);
}

/// PT-11 and CR-6: an e-mail is sent at least once, under one Message-ID; a plan is set exactly
/// once.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_due_rows_drained_by_four_workers_are_each_delivered_once() {
    let (app, clerk) = with_clerk().await;
    app.sql(
        "insert into accounts (id, created_at, stripe_customer_id)
         select 'u' || n, 'epoch', 'cus_' || n from generate_series(1, 5000) n;
         insert into stripe_customers (id, user_id, created_at, email)
         select 'cus_' || n, 'u' || n, 'epoch', 'u' || n || '@mail.example'
         from generate_series(1, 5000) n;
         insert into entitlements (user_id, plan, plan_version, source, status, updated_at)
         select 'u' || n, plan, version, 'grant', 'active', 'epoch'
         from generate_series(1, 5000) n, pricing_plan_versions
         where plan = 'pro';
         select enqueue('identity', 'identity:u' || n, 'u' || n, '{}', 'epoch', 'epoch'),
                enqueue('email', 'receipt:' || n, 'u' || n,
                        '{\"template\": \"receipt\", \"amount_minor\": 5, \"currency\": \"usd\"}',
                        'epoch', 'epoch')
         from generate_series(1, 5000) n;
         analyze",
    )
    .await;

    let mut workers: Vec<_> = (0..4).map(|_| tokio::spawn(drain_all(app.worker()))).collect();
    until(async || {
        tokio::time::sleep(Duration::from_millis(20)).await;
        app.mail.messages().len() > 500
    })
    .await;
    let killed = workers.remove(0);
    killed.abort();
    assert!(killed.await.is_err(), "the worker was killed during the run");
    for worker in workers {
        worker.await.unwrap();
    }
    app.end_leases().await;
    drain_all(app.worker()).await;

    let left = "select count(*) from outbox where done_at is null";
    assert_eq!(app.count(left).await, 0);
    let counts = clerk.counts();
    assert_eq!(counts.len(), 5_000);
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    let messages = app.mail.messages();
    assert!(messages.len() <= 5_010, "more than one batch was sent twice: {}", messages.len());
    let sent: BTreeSet<_> =
        messages.iter().map(|message| (&message.to[0], &message.message_id)).collect();
    assert_eq!(sent.len(), 5_000, "one Message-ID per message");
}

/// Delivers until nothing is due.
async fn drain_all(worker: Arc<App>) {
    while drain(&worker, usize::MAX).await.delivered > 0 {}
}
