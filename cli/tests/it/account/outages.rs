//! A deletion while Stripe, Redis, Postgres or the identity provider is down: once all are up and
//! the job has run, the state is the same.

use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::traces::{EMAIL, USER, live, with_clerk};
use crate::support::{Clerk, Mode, TestApp, execute};

/// Expects that nothing is left to do anywhere.
async fn expect_gone(app: &TestApp, clerk: &Clerk, case: &str) {
    app.simulator.delivered().await;
    assert_eq!(app.traces(&[USER, EMAIL]).await, [""; 0], "{case}");
    assert_eq!(app.customers_at_stripe(), 0, "{case}");
    assert_eq!(app.open_sessions(), 0, "{case}");
    assert_eq!(app.pending_erasures().await, 0, "{case}");
    let last = clerk.changes(USER).pop().unwrap();
    assert_eq!(last, json!({ "plan": null, "planName": null, "status": null }), "{case}");
    assert_eq!(app.count("select count(*) from validate_credits_consistency()").await, 0);
}

/// A user with a subscription, stats and a plan at the identity provider.
async fn with_subscriber() -> (TestApp, Clerk) {
    let (app, clerk) = with_clerk("demo").await;
    app.post("/api/session").bearer(&app.token(USER)).send().await.expect_status(200);
    app.buy(USER, json!({ "tier": "starter", "interval": "monthly", "email": EMAIL })).await;
    app.deliver_outbox().await;
    app.deliveries_are_over().await;
    app.session(USER, json!({ "pack": "ai_100", "email": EMAIL })).await;
    (app, clerk)
}

/// The job finishes what the request could not. The user is erased from Postgres at once, and from
/// each other service as soon as it answers.
#[tokio::test]
async fn a_deletion_is_finished_by_the_job() {
    for down in ["stripe", "redis", "clerk", "all"] {
        let (app, clerk) = with_subscriber().await;
        let is_down = |service: &str| down == service || down == "all";
        let mode = |service: &str| if is_down(service) { Mode::Down } else { Mode::Pass };
        app.stripe.set(mode("stripe")).await;
        app.redis.set(mode("redis")).await;
        if is_down("clerk") {
            clerk.refuse(503);
        }
        let answer = app.delete("/api/account").bearer(&app.token(USER)).send().await;
        assert_eq!(answer.expect_status(202).body, json!({ "status": "pending" }), "{down}");
        let accounts = format!("select count(*) from accounts where id = '{USER}'");
        assert_eq!(app.count(&accounts).await, 0, "{down}");
        assert_eq!(app.pending_erasures().await, 1, "{down}");
        assert_eq!(app.delete_account(USER).await, 202, "{down}: again");
        assert_eq!(app.pending_erasures().await, 1, "{down}: one message per user");
        app.run_jobs_later().await;
        assert_eq!(app.pending_erasures().await, 1, "{down}: still down");
        assert_eq!(app.customers_at_stripe(), usize::from(is_down("stripe")), "{down}");

        app.stripe.set(Mode::Pass).await;
        app.redis.set(Mode::Pass).await;
        app.redis_is_back().await;
        clerk.answer();
        app.run_jobs_later().await;
        expect_gone(&app, &clerk, down).await;
        assert_eq!(app.delete_account(USER).await, 204, "{down}: after all");
        expect_gone(&app, &clerk, down).await;
    }
}

/// The process is cut off from one service at each of its requests, before and after the service
/// has carried it out.
#[tokio::test]
async fn a_deletion_that_is_cut_off_anywhere_is_finished() {
    let mut points = Vec::new();
    for (service, requests) in [("stripe", 4), ("redis", 2), ("postgres", 2)] {
        for number in 1..=requests {
            points.push((service, Mode::LoseRequest(number)));
            points.push((service, Mode::LoseAnswer(number)));
        }
    }
    join_all(points.into_iter().map(async |(service, mode)| {
        let (app, clerk) = with_subscriber().await;
        let set = async |mode| match service {
            "stripe" => app.stripe.set(mode).await,
            "redis" => app.redis.set(mode).await,
            _ => app.postgres.set(mode).await,
        };
        set(mode).await;
        let status = app.delete_account(USER).await;
        assert!([202, 204, 503].contains(&status), "{service} {mode:?}: {status}");
        assert!(status != 503 || service == "postgres", "{service} {mode:?}: {status}");
        set(Mode::Pass).await;
        if status == 503 {
            // Whether it was erased is unknown to the caller, who sends the request again.
            assert!([202, 204].contains(&app.delete_account(USER).await));
        }
        app.redis_is_back().await;
        app.run_jobs_later().await;
        expect_gone(&app, &clerk, &format!("{service} {mode:?}")).await;
    }))
    .await;
}

/// Without Postgres nothing is deleted anywhere.
#[tokio::test]
async fn without_postgres_a_deletion_changes_nothing() {
    let (app, clerk) = with_subscriber().await;
    let (stats, tables) = (app.redis_contents(USER).await, app.tables().await);
    let changes = clerk.changes(USER).len();
    app.postgres.set(Mode::Down).await;
    let answer = app.delete("/api/account").bearer(&app.token(USER)).send().await;
    answer.expect_problem(503, "database_unavailable");
    assert_eq!(app.redis_contents(USER).await, stats);
    assert_eq!(app.customers_at_stripe(), 1);
    assert_eq!(clerk.changes(USER).len(), changes);
    app.postgres.set(Mode::Pass).await;
    assert_eq!(app.tables().await, tables);
    assert_eq!(app.delete_account(USER).await, 204);
}

/// Once the user is erased in Postgres, a route that writes there refuses the token, even if Redis
/// has no mark yet. Stats that a route creates before the mark are deleted with the rest.
#[tokio::test]
async fn routes_refuse_the_user_while_the_rest_is_pending() {
    let (app, clerk) = with_subscriber().await;
    let token = app.token(USER);
    app.redis.set(Mode::Down).await;
    assert_eq!(app.delete_account(USER).await, 202);
    app.redis.set(Mode::Pass).await;
    app.redis_is_back().await;
    let usage = json!({ "feature": "reports" });
    app.post("/api/usage")
        .bearer(&token)
        .json(usage)
        .send()
        .await
        .expect_problem(403, "account_erased");
    app.order(USER, json!({ "pack": "ai_100" })).send().await.expect_problem(403, "account_erased");
    app.post("/api/session").bearer(&token).send().await.expect_status(200);
    app.run_jobs_later().await;
    expect_gone(&app, &clerk, "stats").await;
    app.post("/api/session")
        .bearer(&app.token(USER))
        .send()
        .await
        .expect_problem(403, "account_erased");
}

/// An erasure is never given up. After a day operators get an alert, once a day.
#[tokio::test]
async fn an_erasure_is_retried_for_weeks_and_reported_after_a_day() {
    let (app, clerk) = with_subscriber().await;
    app.lose_webhooks();
    app.stripe.set(Mode::Down).await;
    assert_eq!(app.delete_account(USER).await, 202);
    let alerts = "select count(*) from alerts where name = 'erasure_overdue'";
    for (hours, raised) in [(1, 0), (22, 0), (2, 1), (300, 1)] {
        app.clock.advance(SignedDuration::from_hours(hours));
        app.get("/api/cron/minute").cron().send().await.expect_status(200);
        assert_eq!(app.count(alerts).await, raised, "after {hours} hours more");
    }
    let sql = "update outbox set attempts = 5000, leased_until = null where kind = 'erasure'";
    execute(&app.owner().await, sql).await;
    app.run_jobs_later().await;
    assert_eq!(app.pending_erasures().await, 1);
    app.stripe.set(Mode::Pass).await;
    app.run_jobs_later().await;
    expect_gone(&app, &clerk, "after weeks").await;
    let kept = "select to_jsonb(o) from outbox o where kind = 'erasure'";
    let kept: Value = app.owner().await.query_typed_one(kept, &[]).await.unwrap().get(0);
    assert_eq!((&kept["payload"], &kept["failed_at"]), (&json!({}), &Value::Null), "{kept}");
}

/// A plan that is on its way to the identity provider cannot arrive after its removal.
#[tokio::test]
async fn the_identity_provider_is_cleared_after_a_delivery_in_progress() {
    let (app, clerk) = with_subscriber().await;
    let sql = "update outbox set done_at = null, leased_until = now() + interval '1 hour'
               where kind = 'identity'";
    execute(&app.owner().await, sql).await;
    let changes = clerk.changes(USER).len();
    assert_eq!(app.delete_account(USER).await, 202);
    assert_eq!(clerk.changes(USER).len(), changes, "the delivery may still arrive");
    // As if the hour were over.
    let sql =
        "update outbox set payload = payload || '{\"identity_until\": \"2020-01-01T00:00:00Z\"}'
               where kind = 'erasure'";
    execute(&app.owner().await, sql).await;
    app.run_jobs_later().await;
    expect_gone(&app, &clerk, "a delivery in progress").await;
}

/// A full account is deleted while Stripe is down.
#[tokio::test]
async fn nothing_of_a_full_account_remains_after_an_outage() {
    let (app, clerk) = with_clerk("demo").await;
    live(&app, USER, EMAIL).await;
    app.deliveries_are_over().await;
    app.stripe.set(Mode::Status(500)).await;
    assert_eq!(app.delete_account(USER).await, 202);
    let left = app.traces(&[USER, EMAIL]).await;
    assert!(left.iter().all(|place| place.starts_with("outbox: ")), "{left:?}");
    app.stripe.set(Mode::Pass).await;
    app.run_jobs_later().await;
    expect_gone(&app, &clerk, "a full account").await;
}
