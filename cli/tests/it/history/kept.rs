//! How long entries are kept, and how many.

use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{TestApp, execute};

/// A catalog whose free plan keeps three entries for ten days, and whose other plan keeps all.
const PLANS: &str = r#"
[product]
key = "small"
name = "Small"
currency = "usd"

[features]
reviews = { type = "metered", unit = "review", reset = "month" }

[plans.free]
name = "Free"
default = true
history = { keep_days = 10, max_entries = 3 }
features = { reviews = 5 }

[plans.pro]
name = "Pro"
listed = false
features = { reviews = 50 }
"#;

async fn selling_plans() -> TestApp {
    let app = TestApp::new().await;
    app.sell_text(&app.owner_url, "small.toml", PLANS).await;
    app
}

impl TestApp {
    /// Gives or takes back the plan that keeps every entry.
    async fn set_pro(&self, user: &str, plan: &str) {
        let call = self.patch("/api/plan").query("userId", user).bearer(&self.service_key);
        call.json(json!({ "plan": plan })).send().await.expect_status(200);
    }

    /// The number of entries that the daily job deletes.
    async fn deleted_by_job(&self) -> Value {
        let report = self.get("/api/cron/daily").cron().send().await.expect_status(200).body;
        report["deleted"]["history"].clone()
    }

    /// Adds entries in one statement.
    async fn add_many(&self, user: &str, count: u32) {
        let sql = format!(
            r#"select add_history('{user}', null, jsonb_build_object('kind', 'chat', 'title', n::text),
                 null, null, farebox_now())
               from generate_series(1, {count}) n"#
        );
        execute(&self.owner().await, &sql).await;
    }
}

/// CR-3: a new entry replaces the oldest of a full history, however many race.
#[tokio::test]
async fn the_oldest_entry_makes_room_for_a_new_one() {
    let app = selling_plans().await;
    for number in 1..=5 {
        app.add_titled("ann", &number.to_string()).await;
    }
    assert_eq!(app.titles("ann", &[]).await, ["5", "4", "3"]);
    let newest = app.history("ann", &[("limit", "1")]).await.expect_status(200).body;
    let id = newest["data"][0]["id"].as_str().unwrap();
    app.delete_history("ann", ("id", id)).await.expect_status(200);
    assert_eq!(app.titles("ann", &[]).await, ["4", "3"]);
    app.add_titled("ann", "6").await;
    assert_eq!(app.titles("ann", &[]).await, ["6", "4", "3"]);
    join_all((0..20).map(|_| app.add_titled("ann", "race"))).await;
    assert_eq!(app.titles("ann", &[]).await, ["race"; 3]);
    assert_eq!(app.count("select count(*) from history").await, 3);
    assert_eq!(app.count("select entries from history_counters").await, 3);
}

/// CR-3: an entry that is too old is not there, and the daily job deletes it.
#[tokio::test]
async fn an_old_entry_is_hidden_and_then_deleted() {
    let app = selling_plans().await;
    let id = app.add_titled("ann", "old").await;
    app.add_titled("bob", "of bob").await;
    app.set_pro("bob", "pro").await;
    app.clock.advance(SignedDuration::from_hours(9 * 24));
    app.add_titled("ann", "new").await;
    assert_eq!(app.deleted_by_job().await, 0);
    assert_eq!(app.titles("ann", &[]).await, ["new", "old"]);

    app.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(app.titles("ann", &[]).await, ["new"]);
    app.history("ann", &[("id", &id)]).await.expect_problem(404, "history_entry_not_found");
    let rating = json!({ "entryId": id, "rating": 1 });
    let call = app.post("/api/feedback").bearer(&app.token("ann")).json(rating);
    call.send().await.expect_problem(404, "history_entry_not_found");
    for deleted in [1, 0] {
        assert_eq!(app.deleted_by_job().await, deleted);
    }
    assert_eq!(app.titles("bob", &[]).await, ["of bob"]);
    assert_eq!(app.count("select count(*) from history").await, 2);
    assert_eq!(app.count("select sum(entries)::bigint from history_counters").await, 2);
}

/// CR-3: after a change to a smaller plan, each new entry deletes at most a hundred old ones, and
/// the daily job deletes the rest, over more rows than one batch.
#[tokio::test]
async fn a_smaller_plan_keeps_the_newest_entries() {
    let app = selling_plans().await;
    app.set_pro("ann", "pro").await;
    app.add_many("ann", 2_500).await;
    app.set_pro("ann", "free").await;
    app.add_titled("ann", "new").await;
    assert_eq!(app.count("select count(*) from history").await, 2_401);
    assert_eq!(app.deleted_by_job().await, 2_398);
    assert_eq!(app.titles("ann", &[]).await, ["new", "2500", "2499"]);
    assert_eq!(app.count("select entries from history_counters").await, 3);
}

/// CR-3: a whole history is gone at once, however long it is. The daily job removes its rows.
#[tokio::test]
async fn a_long_history_is_deleted_in_one_call() {
    let app = selling_plans().await;
    app.set_pro("ann", "pro").await;
    app.add_many("ann", 2_500).await;
    let id: String = {
        let sql = "select id::text from history where title = '2400'";
        app.owner().await.query_typed_one(sql, &[]).await.unwrap().get(0)
    };
    for deleted in [2_500, 0] {
        let answer = app.delete_history("ann", ("all", "delete-all-history")).await;
        assert_eq!(answer.expect_status(200).body["deleted"], deleted);
    }
    assert_eq!(app.count("select count(*) from history").await, 500, "1,000 with each call");
    assert_eq!(app.titles("ann", &[]).await, [""; 0]);
    app.history("ann", &[("id", &id)]).await.expect_problem(404, "history_entry_not_found");
    let answer = app.delete_history("ann", ("id", &id)).await.expect_status(200);
    assert_eq!(answer.body["deleted"], 0, "it is deleted already");
    app.add_titled("ann", "new").await;
    assert_eq!(app.deleted_by_job().await, 500);
    assert_eq!(app.titles("ann", &[]).await, ["new"]);
    assert_eq!(app.count("select entries from history_counters").await, 1);
}

/// CR-3: the job looks at some users in each call, and skips one whose account is locked.
#[tokio::test]
async fn the_job_continues_after_the_last_user() {
    let app = selling_plans().await;
    for user in ["a", "b", "c", "d", "e"] {
        app.add_titled(user, "old").await;
    }
    app.clock.advance(SignedDuration::from_hours(11 * 24));
    let (owner, holder) = (app.owner().await, app.owner().await);
    execute(&holder, "begin; select from accounts where id = 'c' for update").await;
    let batch = "select delete_expired('{history}', farebox_now(), 2) -> 'history'";
    let mut rows = 0;
    loop {
        let done: Value = owner.query_typed_one(batch, &[]).await.unwrap().get(0);
        rows += done["rows"].as_i64().unwrap();
        if done["has_more"] == false {
            break;
        }
    }
    assert_eq!(rows, 4);
    execute(&holder, "rollback").await;
    assert_eq!(app.deleted_by_job().await, 1, "the next run starts with the first user");
}

/// CR-3: an erased user's history, feedback and keys are gone.
#[tokio::test]
async fn an_erasure_deletes_the_history() {
    let app = selling_plans().await;
    let id = app.add_titled("ann", "a").await;
    let call = app.post("/api/feedback").bearer(&app.token("ann"));
    let call = call.json(json!({ "entryId": id, "rating": 5, "comment": "private" }));
    call.header("idempotency-key", "k").send().await.expect_status(200);
    app.delete("/api/account").bearer(&app.token("ann")).send().await.expect_status(204);
    for table in ["history", "history_counters", "history_feedback", "history_keys"] {
        assert_eq!(app.count(&format!("select count(*) from {table}")).await, 0, "{table}");
    }
    let call = app.post("/api/history").bearer(&app.token("ann"));
    let call = call.json(json!({ "kind": "code_review", "title": "a" }));
    call.send().await.expect_problem(403, "account_erased");
}
