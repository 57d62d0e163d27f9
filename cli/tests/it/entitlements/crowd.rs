//! Many concurrent cache misses.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use shared::billing::entitlement_cache::EntitlementCache;
use shared::domain::UserId;

use super::{clear_cache, get_entitlements, track_usage};
use crate::support::{Mode, TestApp, execute, until};

/// 200 concurrent misses in one process query Postgres once or twice, and get the same answer.
#[tokio::test]
async fn two_hundred_concurrent_misses_query_postgres_once_or_twice() {
    let app = TestApp::selling("demo").await;
    track_usage(&app, "ann", "reports", 2).await;
    clear_cache(&app, "ann").await;
    app.postgres.flights();
    let (inside, ann) = (app.inside(), UserId::try_from("ann".to_owned()).unwrap());
    for read in join_all((0..200).map(|_| EntitlementCache::of(&inside).read(&ann))).await {
        let (found, _) = read.unwrap();
        assert_eq!(found.unwrap().used_of("reports"), 2);
    }
    let asked = app.postgres.flights();
    assert!((1..=2).contains(&asked), "{asked}");
}

/// A read never shares the answer to a query that started before the read.
#[tokio::test]
async fn a_read_never_shares_an_answer_requested_before_it() {
    let app = TestApp::selling("demo").await;
    track_usage(&app, "ann", "reports", 1).await;
    clear_cache(&app, "ann").await;
    let (inside, ann) = (app.inside(), UserId::try_from("ann".to_owned()).unwrap());
    let used = async || {
        let (found, _) = EntitlementCache::of(&inside).read(&ann).await.unwrap();
        found.unwrap().used_of("reports")
    };
    // The first query has started and sees the state of that moment, but has no answer yet.
    let (holding, changing) = (app.owner().await, app.owner().await);
    execute(&holding, "begin").await;
    execute(&holding, "lock table subscriptions in access exclusive mode").await;
    let change = async {
        let waiting = "select count(*) from pg_locks l join pg_database d on d.oid = l.database
                       where d.datname = current_database() and not l.granted";
        until(async || app.count(waiting).await == 1).await;
        execute(&changing, "select track_usage('ann', 'reports', 1)").await;
        let end = async { execute(&holding, "commit").await };
        let (second, ()) = tokio::join!(used(), end);
        second
    };
    let (first, second) = tokio::join!(used(), change);
    assert_eq!((first, second), (1, 2));
    assert_eq!(used().await, 2, "the first query's late answer is not cached");
}

/// While Postgres hangs, no read waits for other reads' queries in addition to its own.
#[tokio::test]
async fn while_postgres_hangs_no_read_waits_for_the_others() {
    let app = TestApp::selling("demo").await;
    app.postgres.set(Mode::Slow(Duration::from_mins(10))).await;
    let waited = join_all((0..60).map(async |_| {
        let started = Instant::now();
        let call = app.get("/api/entitlements").bearer(&app.token("ann"));
        call.send().await.expect_problem(503, "database_unavailable");
        started.elapsed()
    }));
    let longest = waited.await.into_iter().max().unwrap();
    assert!(longest < Duration::from_secs(15), "{longest:?}");
    app.postgres.set(Mode::Pass).await;
    get_entitlements(&app, "ann").await;
}
