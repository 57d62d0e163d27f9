//! An erased user is not in the log: not in Postgres, not in Redis, and not in calls that arrive
//! later.

use futures_util::future::join;
use serde_json::json;

use super::{LOG, logging};
use crate::support::{TestApp, execute, until};

impl TestApp {
    async fn calls_about(&self, user: &str) -> (i64, usize) {
        let stored = format!("select count(*) from api_log where user_id = '{user}'");
        let members = self.redis_command(&["ZRANGE", LOG, "0", "-1"]).await.to_string();
        (self.count(&stored).await, members.matches(&format!("\\\"{user}\\\"")).count())
    }

    async fn sign_in(&self, user: &str) {
        self.post("/api/session").bearer(&self.token(user)).send().await.expect_status(200);
    }

    async fn erase(&self, user: &str) {
        self.delete("/api/account").bearer(&self.token(user)).send().await.expect_status(204);
    }
}

/// CR-4, AI-2: an erasure removes the user from stored calls, from calls in Redis and from calls
/// that wait in the process. The calls stay, without the user.
#[tokio::test]
async fn an_erasure_removes_the_user_from_the_log() {
    let app = logging("full").await;
    for _ in 0..2 {
        app.sign_in("ann").await;
        app.sign_in("bob").await;
    }
    app.carry_calls().await;
    app.store_calls().await;
    for user in ["ann", "bob", "ann"] {
        app.sign_in(user).await;
    }
    assert_eq!(app.calls_about("ann").await, (2, 1), "and one waits in the process");
    app.erase("ann").await;
    // A token outlives its user.
    let call = app.post("/api/session").bearer(&app.token("ann"));
    call.send().await.expect_problem(403, "account_erased");
    app.carry_calls().await;
    assert_eq!(app.calls_about("ann").await, (0, 0));
    let rows = app.logged_calls().await;
    let of = |user: Option<&str>| rows.iter().filter(|row| row["user_id"] == json!(user)).count();
    assert_eq!((of(Some("ann")), of(Some("bob")), of(None)), (0, 3, 6));
    assert_eq!(rows.iter().filter(|row| row["route"] == "account").count(), 1);
}

/// Another process sends a call after the erasure.
#[tokio::test]
async fn a_call_that_arrives_after_the_erasure_is_stored_without_the_user() {
    let app = logging("full").await;
    app.sign_in("ann").await;
    app.erase("ann").await;
    app.add_calls(3, Some("ann")).await;
    app.store_calls().await;
    assert_eq!(app.calls_about("ann").await, (0, 0));
    assert_eq!(app.count("select count(*) from api_log where duration_us = 5").await, 3);
}

/// A drain that read the marks of erased users before the erasure stores its calls after it.
#[tokio::test]
async fn an_erasure_waits_for_a_drain_that_has_not_seen_it() {
    let app = logging("full").await;
    let (draining, watching) = (app.owner().await, app.owner().await);
    let call = json!([{
        "id": "00000000000000000000000000000001", "called_at": app.now(), "route": "mood",
        "method": "PATCH", "status": 200, "duration_us": 5, "caller": "user", "weight": 1,
        "user_id": "ann",
    }]);
    execute(&draining, &format!("begin; select store_api_log('{call}')")).await;
    let committing = async {
        let waiting = "select exists (
                         select from pg_locks
                         where relation = 'api_log'::regclass and not granted)";
        until(async || watching.query_typed_one(waiting, &[]).await.unwrap().get(0)).await;
        execute(&draining, "commit").await;
    };
    join(app.erase("ann"), committing).await;
    assert_eq!(app.calls_about("ann").await, (0, 0));
    assert_eq!(app.count("select count(*) from api_log where user_id is null").await, 1);
}

/// A user is removed from any page of the log, and others are not, whatever their ids are.
#[tokio::test]
async fn an_erasure_finds_exactly_the_users_calls() {
    let app = logging("full").await;
    app.add_calls(2_100, Some("ann")).await;
    for (score, user) in [(1, "dan"), (2, "joann"), (3, "ann\\\"},"), (4, "ann ")] {
        let entry = format!(r#"{{"id":"{score}","user_id":"{user}"}}"#);
        app.redis_command(&["ZADD", LOG, &score.to_string(), &entry]).await;
    }
    app.erase("ann").await;
    let members = app.redis_command(&["ZRANGE", LOG, "0", "-1"]).await;
    let users = members.as_array().unwrap().iter().filter(|it| it.to_string().contains("user_id"));
    assert_eq!(users.count(), 4);
    assert!(members.as_array().unwrap().len() >= 2_104);
}
