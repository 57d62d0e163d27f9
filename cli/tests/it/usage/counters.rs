//! Concurrent changes of usage counters: no usage is lost or counted twice.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_postgres::Client;

use super::batch::entries;
use crate::support::{TestApp, execute};

/// The largest integer that every JSON client can read.
const LARGEST: i64 = 9_007_199_254_740_991;

impl TestApp {
    /// Reports usage this many times, from eight connections at once; returns the results.
    async fn use_at_once(
        &self,
        user: &str,
        feature: &str,
        calls: usize,
        quantity: i64,
    ) -> Vec<Value> {
        let report = json!({ "feature": feature, "quantity": quantity });
        let users = (0..8).map(async |_| {
            let mut results = Vec::new();
            for _ in 0..calls / 8 {
                let used = self.report(user, report.clone()).await;
                results.push(used.expect_status(200).body);
            }
            results
        });
        join_all(users).await.concat()
    }
}

/// Tracks usage through one of the SQL functions, with its own clock.
async fn call_at(client: &Client, function: &str, feature: &str, now: Timestamp) -> Option<Value> {
    let sql = format!(
        "select {function}('ann', '[{{\"feature\": \"{feature}\", \"quantity\": 1}}]', true, null, null,
                           '{now}') -> 'results' -> 0"
    );
    client.query_typed_one(&sql, &[]).await.unwrap().get(0)
}

/// Tracks usage as Farebox does; returns the version and the count.
async fn use_at(client: &Client, feature: &str, now: Timestamp) -> (i64, i64) {
    let result = match call_at(client, "track_usages", feature, now).await {
        Some(result) => result,
        None => call_at(client, "track_usages_locked", feature, now).await.unwrap(),
    };
    (result["version"].as_i64().unwrap(), result["used"].as_i64().unwrap())
}

/// A call may wait for a counter's row until the counter is closed. It must not then wait for the
/// account while it holds that row, because a call with the account's lock waits for the row.
#[tokio::test]
async fn a_use_whose_counter_is_closed_does_not_deadlock() {
    let app = TestApp::selling("demo").await;
    app.comp("ann", "pro").await;
    app.report("ann", json!({ "feature": "exports" })).await.expect_status(200);
    let (changing, client) = (app.owner().await, app.as_functions().await);
    let close =
        "begin; select from accounts for update; update usage_counters set due_at = '-infinity'";

    execute(&changing, close).await;
    let waiting = call_at(&client, "track_usages", "exports", app.now());
    let ends = async {
        app.until_waiting(1).await;
        execute(&changing, "commit").await;
    };
    let (answer, ()) = tokio::join!(waiting, ends);
    assert_eq!(answer, None);
    assert_eq!(app.used("ann", "exports").await["used"], 1);

    for round in 0..5 {
        app.report("ann", json!({ "feature": "exports" })).await.expect_status(200);
        execute(&changing, close).await;
        let of_the_row =
            join_all((0..4).map(|_| app.report("ann", json!({ "feature": "exports" }))));
        let with_metadata = json!({ "feature": "exports", "metadata": { "to": "a file" } });
        let of_the_account = join_all((0..4).map(|_| app.report("ann", with_metadata.clone())));
        let ends = async {
            app.until_waiting(8).await;
            execute(&changing, "commit").await;
        };
        let (some, others, ()) = tokio::join!(of_the_row, of_the_account, ends);
        let answers: Vec<_> = some.into_iter().chain(others).collect();
        assert!(answers.iter().all(|used| used.status == 200), "{answers:?}");
        let counted = answers.len();
        assert_eq!(app.used("ann", "exports").await["used"], (round + 1) * (counted + 1) + 1);
    }
}

/// A refused first entry of a new period leaves the last period's count unchanged.
#[tokio::test]
async fn a_refused_entry_of_a_new_period_changes_nothing() {
    let app = TestApp::selling("demo").await;
    app.report("ann", json!({ "feature": "api_calls", "quantity": 90 })).await.expect_status(200);
    app.to_next_day(SignedDuration::from_secs(1));
    for used in [1, 2] {
        let some = entries(&[("reports", 1), ("api_calls", 101)], Some("each"));
        let answer = app.report("ann", some).await.expect_status(200).body["entries"].clone();
        let answer = [&answer[0]["used"], &answer[1]["allowed"], &answer[1]["used"]];
        assert_eq!(json!(answer), json!([used, false, 0]));
    }
    let counted = "select sum(used)::bigint from usage_tracking where usage_type = 'api_calls'";
    assert_eq!(app.count(counted).await, 90);
    app.report("ann", json!({ "feature": "api_calls", "quantity": 7 })).await.expect_status(200);
    assert_eq!(app.used("ann", "api_calls").await["used"], 7);
    assert_eq!(app.count(counted).await, 97);
}

/// Concurrent calls across a soft limit each return their own overage, and each notice is sent
/// once.
#[tokio::test]
async fn uses_at_once_cross_a_soft_limit_with_one_notice_each() {
    let app = TestApp::selling("demo").await;
    app.comp("ann", "pro").await;
    let results = app.use_at_once("ann", "exports", 80, 3).await;
    let mut counts = Vec::new();
    for result in results {
        let used = result["used"].as_i64().unwrap();
        assert_eq!(result["overage"], (used - 200).max(0), "{result}");
        counts.push(used);
    }
    counts.sort_unstable();
    assert_eq!(counts, (1..=80).map(|call| call * 3).collect::<Vec<_>>());
    let notices = "select coalesce(sum((payload ->> 'percent')::bigint), 0)::bigint from outbox
                   where payload ->> 'template' = 'limit_near'";
    assert_eq!(app.count(notices).await, 180, "80 % and 100 %, once each");
    let overage = app.used("ann", "exports").await["overage"].clone();
    assert_eq!(overage, 40);
}

/// Daily counts have no notices, so one update also counts usage that crosses a soft limit.
#[tokio::test]
async fn a_use_that_crosses_a_daily_limit_is_partly_overage() {
    let app = TestApp::selling("demo").await;
    app.to_next_day(SignedDuration::from_hours(1));
    app.comp("ann", "pro").await;
    app.report("ann", json!({ "feature": "api_calls", "quantity": 49_990 }))
        .await
        .expect_status(200);
    for result in app.use_at_once("ann", "api_calls", 16, 7).await {
        let used = result["used"].as_i64().unwrap();
        assert_eq!(result["overage"], (used - 50_000).max(0), "{result}");
    }
    assert_eq!(app.used("ann", "api_calls").await["overage"], 102);
}

/// A count beyond the largest readable integer is refused; that integer itself is not.
#[tokio::test]
async fn a_count_stays_readable() {
    let app = TestApp::selling("demo").await;
    app.comp("ann", "pro").await;
    let many = json!({ "feature": "reports", "quantity": LARGEST - 2 });
    app.report("ann", many).await.expect_status(200);
    app.report("ann", json!({ "feature": "reports", "quantity": 3 }))
        .await
        .expect_invalid("quantity");
    for used in [LARGEST - 1, LARGEST] {
        let one = app.report("ann", json!({ "feature": "reports" })).await.expect_status(200);
        assert_eq!(one.body["used"], used);
    }
    let before = app.tables().await;
    app.report("ann", json!({ "feature": "reports" })).await.expect_invalid("quantity");
    let all = json!({ "feature": "reports", "quantity": LARGEST });
    app.report("ann", all).await.expect_invalid("quantity");
    assert_eq!(app.tables().await, before);
}

/// Processes whose clocks differ report usage as a day ends: each entry counts in one of the two
/// days.
#[tokio::test]
async fn no_use_is_lost_as_a_period_ends() {
    const USES: i64 = 30;
    let app = TestApp::selling("demo").await;
    app.comp("ann", "pro").await;
    app.to_next_day(SignedDuration::from_secs(1));
    let midnight = app.now().as_second() / 86_400 * 86_400;
    let servers = join_all((0..6).map(async |server: i64| {
        let client = app.as_functions().await;
        let mut versions = BTreeMap::new();
        for number in 0..USES {
            // From 30 seconds before midnight, each process advances at its own speed.
            let now = Timestamp::from_second(midnight - 30 + number * (server + 2) / 2).unwrap();
            let (version, used) = use_at(&client, "api_calls", now).await;
            assert!(versions.insert(version, used).is_none(), "one version has two counts");
            assert_eq!(
                versions.last_key_value(),
                Some((&version, &used)),
                "a version is lower than an earlier one"
            );
        }
        versions
    }))
    .await;
    let mut all = BTreeMap::new();
    for (version, used) in servers.into_iter().flatten() {
        assert!(all.insert(version, used).is_none(), "one version has two counts");
    }
    // Sorted by version, the counts are 1, 2, ... of the first day, and then of the second.
    let second = all.values().skip(1).position(|used| *used == 1).unwrap() + 1;
    let expected = (1..=second).chain(1..=all.len() - second);
    assert!(all.values().map(|used| usize::try_from(*used).unwrap()).eq(expected), "{all:?}");
    let days = "select sum(used)::bigint from usage_tracking where usage_type = 'api_calls'";
    assert_eq!(app.count(days).await, 6 * USES);
    assert_eq!(app.count("select count(*) from usage_tracking").await, 2);
}

/// However usage, plan changes and reads interleave, a greater version has the greater count.
#[tokio::test]
async fn versions_follow_counts_while_the_plan_changes() {
    let app = TestApp::selling("demo").await;
    app.comp("ann", "pro").await;
    let using = join_all((0..4).map(async |_| {
        let client = app.as_functions().await;
        let mut counts = Vec::new();
        for _ in 0..40 {
            counts.push(use_at(&client, "exports", app.now()).await);
        }
        counts
    }));
    let changing = async {
        for plan in ["team", "pro", "enterprise", "pro", "team", "enterprise", "pro"] {
            app.comp("ann", plan).await;
        }
    };
    let reading = async {
        let client = app.owner().await;
        let sql = "select get_entitlements('ann', farebox_now()) -> 'used' -> 'exports'";
        let mut counts = Vec::new();
        for _ in 0..60 {
            let seen: Option<Value> = client.query_typed_one(sql, &[]).await.unwrap().get(0);
            let seen = seen.unwrap_or_default();
            counts.extend(seen["version"].as_i64().zip(seen["value"].as_i64()));
        }
        counts
    };
    let (used, (), read) = tokio::join!(using, changing, reading);
    let mut seen: Vec<(i64, i64)> = used.concat();
    seen.extend(read);
    seen.sort_unstable();
    assert!(seen.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{seen:?}");
    assert_eq!(app.used("ann", "exports").await["used"], 160);
}

/// Usage during its user's erasure is counted or refused, and nothing of it stays.
#[tokio::test]
async fn uses_during_an_erasure_leave_nothing() {
    let app = TestApp::selling("demo").await;
    for round in 0..5 {
        let user = format!("u{round}");
        app.comp(&user, "pro").await;
        let using = join_all((0..6).map(async |_| {
            for _ in 0..200 {
                let used = app.report(&user, json!({ "feature": "reports" })).await;
                if used.status != 200 {
                    return used.expect_problem(403, "account_erased");
                }
            }
            panic!("no call was refused");
        }));
        let call = app.delete("/api/account").bearer(&app.token(&user));
        let (_, erased) = tokio::join!(using, call.send());
        erased.expect_status(204);
        for table in ["usage_counters", "usage_periods", "accounts"] {
            assert_eq!(app.count(&format!("select count(*) from {table}")).await, 0, "{table}");
        }
    }
}

/// A new limit of the default plan applies from its publication on, also to concurrent usage.
#[tokio::test]
async fn a_new_default_limit_counts_from_the_next_use_on() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../catalogs/demo.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let app = TestApp::selling("demo").await;
    for limit in [8, 3, 12] {
        let (before, after) = ("reports = 5, ", format!("reports = {limit}, "));
        assert!(text.contains(before));
        let using = join_all((0..4).map(async |_| {
            let mut allowed = 0_i64;
            for _ in 0..5 {
                let used = app.report("ann", json!({ "feature": "reports" })).await;
                allowed += i64::from(used.status == 200);
            }
            allowed
        }));
        let text = text.replace(before, &after);
        let publishing = app.sell_text(&app.owner_url, "demo", &text);
        let (_, ()) = tokio::join!(using, publishing);
        join_all((0..20).map(|_| app.report("ann", json!({ "feature": "reports" })))).await;
        let used = app.used("ann", "reports").await;
        let expected = if limit == 12 { 12 } else { 8 };
        assert_eq!(json!([used["used"], used["limit"]]), json!([expected, limit]));
    }
}

/// New credits of the default plan reach its users gradually, a few per transaction.
#[tokio::test]
async fn new_default_credits_reach_every_user_in_small_batches() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../catalogs/demo.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let app = TestApp::selling("demo").await;
    let owner = app.owner().await;
    let users = "select track_usage('u' || n, 'reports') from generate_series(1, 50) n";
    execute(&owner, users).await;
    app.comp("u7", "pro").await;
    let (before, after) = ("api_calls = 100 }", "api_calls = 100, ai_credits = 4 }");
    assert!(text.contains(before));
    app.sell_text(&app.owner_url, "demo", &text.replace(before, after)).await;
    let due = "select count(*) from accounts where due_at <= farebox_now()";
    assert_eq!(app.count(due).await, 0, "publishing touches no account");
    // A call for the account grants its credits without waiting for the job.
    let spent = app.spend("u50", "ai_credit", 1).send().await;
    spent.expect_status(200);
    let mut calls = 0;
    let granted = "select count(*) from credit_grants where unit = 'ai_credit' and amount = 4";
    while app.count(granted).await < 49 {
        calls += 1;
        assert!(calls < 30, "the job makes no progress");
        let job = "select count(*) from recompute_due_users(farebox_now(), 3)";
        assert!(app.count(job).await <= 3);
    }
    execute(&owner, "select recompute_due_users(farebox_now(), 100)").await;
    let marking = "select count(*) from catalog_state where marked_until is not null";
    assert_eq!(app.count(marking).await, 0);
}
