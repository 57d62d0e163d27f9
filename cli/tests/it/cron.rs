//! The cron jobs, as the platform's scheduler calls them.

use serde_json::json;
use shared::endpoints::ALL;
use shared::http::Access;

use crate::support::{Mode, TestApp};

#[tokio::test]
async fn the_daily_job_deletes_old_idempotency_keys() {
    let app = TestApp::new().await;
    let save = |key: &'static str, token: String| {
        let body = json!({ "summary": "a", "content": "b" });
        let call = app.post("/api/chat/save").bearer(&token).json(body);
        call.header("idempotency-key", key).send()
    };
    save("old", app.token("ann")).await.expect_status(200);
    app.clock.advance(jiff::SignedDuration::from_hours(25));
    save("new", app.token("ann")).await.expect_status(200);

    for forgotten in [1, 0] {
        let done = app.get("/api/cron/daily").cron().send().await.expect_status(200).body;
        assert_eq!(
            (&done["deleted"]["history_keys"], &done["deleted"]["stripe_requests"]),
            (&json!(forgotten), &json!(0))
        );
        assert_eq!(done["reconciled"]["isComplete"], true);
    }
    let left = "select count(*) from history_keys";
    assert_eq!(app.count(left).await, 1);
    assert_eq!(app.count("select count(*) from history").await, 2, "the entries stay");
}

/// Two concurrent runs share the work, over more rows than one batch.
#[tokio::test]
async fn two_concurrent_runs_delete_every_key_once() {
    let app = TestApp::new().await;
    app.owner()
        .await
        .query_typed(
            "with someone as (
               insert into accounts values ('ann', farebox_now()) returning id
             )
             insert into history_keys (idempotency_key, fingerprint, user_id, answer, created_at)
             select n::text, 'f', id, '{}', farebox_now() - interval '2 days'
             from someone, generate_series(1, 2500) n",
            &[],
        )
        .await
        .unwrap();
    let run = || app.get("/api/cron/daily").cron().send();
    let (one, other) = tokio::join!(run(), run());
    let forgotten = |answer: crate::support::ApiResponse| {
        answer.expect_status(200).body["deleted"]["history_keys"].as_i64().unwrap()
    };
    assert_eq!(forgotten(one) + forgotten(other), 2_500);
}

#[tokio::test]
async fn a_job_is_for_the_scheduler_alone() {
    let app = TestApp::new().await;
    for row in ALL.iter().filter(|row| row.access == Access::Cron) {
        app.get(row.path).send().await.expect_problem(401, "missing_token");
        for token in ["", "the-schedule", &app.token("ann"), &app.admin_key] {
            let answer = app.get(row.path).header("authorization", &format!("Bearer {token}"));
            assert_eq!(answer.send().await.status, 401, "{token}");
        }
    }
}

#[tokio::test]
async fn a_job_without_postgres_reports_it() {
    let app = TestApp::new().await;
    app.postgres.set(Mode::Down).await;
    app.get("/api/cron/daily").cron().send().await.expect_problem(503, "database_unavailable");
}
