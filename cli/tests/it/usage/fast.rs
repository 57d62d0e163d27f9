//! Usage that is counted by a single update of the counter, and the cases where it must not be.

use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::json;

use crate::support::{Stack, TestApp, execute, until};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

impl TestApp {
    /// Reports a usage of one; returns the count after it.
    async fn use_one(&self, user: &str, feature: &str) -> i64 {
        let used = self.report(user, json!({ "feature": feature })).await.expect_status(200);
        used.body["used"].as_i64().unwrap()
    }

    /// Waits until this many connections wait for a lock.
    pub async fn until_waiting(&self, connections: i64) {
        let watcher = Stack::start().await.superuser(&self.database_name()).await;
        let sql = "select count(*) from pg_stat_activity
                   where datname = current_database() and wait_event_type = 'Lock'";
        let waiting = async || watcher.query_typed_one(sql, &[]).await.unwrap().get::<_, i64>(0);
        until(async || waiting().await >= connections).await;
    }
}

/// Usage within an open counter takes no lock on the account. Usage with metadata waits for it.
#[tokio::test]
async fn a_use_does_not_wait_for_the_account() {
    let app = TestApp::selling("demo").await;
    app.comp("ann", "pro").await;
    app.use_one("ann", "exports").await;
    let before = app.count("select entitlement_version from accounts").await;
    let holding = app.owner().await;
    execute(&holding, "begin; select from accounts for update").await;
    assert_eq!(app.use_one("ann", "exports").await, 2);
    let with_metadata = json!({ "feature": "exports", "metadata": { "to": "a file" } });
    let waiting = app.report("ann", with_metadata);
    let ends = async {
        app.until_waiting(1).await;
        execute(&holding, "commit").await;
    };
    let (waited, ()) = tokio::join!(waiting, ends);
    assert_eq!(waited.expect_status(200).body["used"], 3);
    assert_eq!(app.count("select entitlement_version from accounts").await, before);
}

/// A comp that ends, a changed plan and a new default plan close a counter, without a job.
#[tokio::test]
async fn a_counter_is_not_used_beyond_its_plan() {
    let app = TestApp::selling("demo").await;
    let until_soon = json!({ "plan": "pro", "endsAt": app.now() + HOUR });
    let call = app.patch("/api/plan").query("userId", "ann").bearer(&app.service_key);
    call.json(until_soon).send().await.expect_status(200);
    for used in 1..=7 {
        assert_eq!(app.use_one("ann", "reports").await, used);
    }
    app.clock.advance(HOUR);
    let refused = app.report("ann", json!({ "feature": "reports" })).await;
    let refused = refused.expect_problem(402, "quota_exceeded").body;
    assert_eq!(json!([refused["limit"], refused["current"]]), json!([5, 7]));

    app.comp("ann", "pro").await;
    assert_eq!(app.use_one("ann", "reports").await, 8);
    app.comp("ann", "free").await;
    app.report("ann", json!({ "feature": "reports" })).await.expect_problem(402, "quota_exceeded");

    let more = "insert into pricing_plan_versions
                select plan, version + 1, name, description, rank, trial_days, is_default, is_listed,
                       past_due_grace_days, history_keep_days, history_max_entries,
                       jsonb_set(features, '{reports, limit}', '10'), 'another', created_at
                from pricing_plan_versions where is_default;
                update current_plans set version = version + 1 where plan = 'free';
                update catalog_state set epoch = epoch + 1";
    execute(&app.owner().await, more).await;
    assert_eq!(app.use_one("ann", "reports").await, 9);
    assert_eq!(app.use_one("ann", "reports").await, 10);
    app.report("ann", json!({ "feature": "reports" })).await.expect_problem(402, "quota_exceeded");
}

/// After an erasure nothing is counted.
#[tokio::test]
async fn a_counter_of_an_erased_user_counts_nothing() {
    let app = TestApp::selling("demo").await;
    app.comp("ann", "pro").await;
    app.use_one("ann", "exports").await;
    execute(&app.owner().await, "select erase_user('ann', farebox_now())").await;
    let refused = app.report("ann", json!({ "feature": "exports" })).await;
    refused.expect_problem(403, "account_erased");
    assert_eq!(app.count("select count(*) from usage_counters").await, 0);
}

/// However usage and plan changes interleave, each entry counts once, in the current period.
#[tokio::test]
async fn no_use_is_lost_while_the_plan_changes() {
    let app = TestApp::selling("demo").await;
    app.comp("ann", "pro").await;
    let using = join_all((0..8).map(async |_| {
        for _ in 0..25 {
            app.use_one("ann", "exports").await;
        }
    }));
    let changing = async {
        for plan in ["team", "pro", "team", "pro", "enterprise", "pro"] {
            app.comp("ann", plan).await;
        }
    };
    tokio::join!(using, changing);
    assert_eq!(app.used("ann", "exports").await["used"], 200);
    let total = "select sum(used)::bigint from usage_tracking where usage_type = 'exports'";
    assert_eq!(app.count(total).await, 200);
}

/// One process's clock may be behind another's: each entry counts once, in the later period.
#[tokio::test]
async fn a_late_clock_counts_in_the_period_that_has_begun() {
    let app = TestApp::selling("demo").await;
    app.use_one("ann", "api_calls").await;
    app.to_next_day(HOUR / 3_600);
    assert_eq!(app.use_one("ann", "api_calls").await, 1);
    let client = app.as_functions().await;
    for (number, behind) in [(2, "1 minute"), (3, "1 hour")] {
        let sql = format!(
            "select (track_usages('ann', '[{{\"feature\": \"api_calls\", \"quantity\": 1}}]', true, null,
                                  null, '{}'::timestamptz - interval '{behind}')
                     -> 'results' -> 0 ->> 'used')::bigint",
            app.now()
        );
        let used: i64 = client.query_typed_one(&sql, &[]).await.unwrap().get(0);
        assert_eq!(used, number, "{behind}");
    }
    let periods = app.usage("ann", "feature=api_calls").await["data"].clone();
    let used: Vec<i64> =
        periods.as_array().unwrap().iter().map(|one| one["used"].as_i64().unwrap()).collect();
    assert_eq!(used, [3, 1]);
}
