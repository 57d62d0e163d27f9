//! DM-9: events and dead letters are deleted after 30 days, and an erased user's at once.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::TestApp;

impl TestApp {
    async fn forget(&self) -> (i64, i64) {
        let done = self.get("/api/cron/daily").cron().send().await.expect_status(200).body;
        let number = |table: &str| done["deleted"][table].as_i64().unwrap();
        (number("webhook_events"), number("failed_webhooks"))
    }
}

#[tokio::test]
async fn dead_letters_lose_their_payload_after_thirty_days() {
    let app = TestApp::new().await;
    app.create_dead_letters(2).await;
    let resolve = json!({ "id": "evt_01", "action": "resolve", "note": "known" });
    app.decide(resolve).await.expect_status(200);
    app.clock.advance(SignedDuration::from_hours(24 * 30 - 1));
    assert_eq!(app.forget().await, (0, 0));
    app.clock.advance(SignedDuration::from_hours(2));
    assert_eq!(app.forget().await, (0, 2));
    assert_eq!(app.forget().await, (0, 0));
    let open = app.letter("evt_00").await;
    assert_eq!((&open["payload"], &open["nextTryAt"]), (&Value::Null, &Value::Null));
    let gone = app.get("/api/admin/webhooks?id=evt_01").bearer(&app.admin_key).send().await;
    gone.expect_problem(404, "webhook_not_found");
    let replay = json!({ "id": "evt_00", "action": "replay" });
    app.decide(replay).await.expect_problem(409, "payload_forgotten");
    assert_eq!(app.replay_due().await, (0, 0));
    let resolve = json!({ "id": "evt_00", "action": "resolve", "note": "too late" });
    app.decide(resolve).await.expect_status(200);
}

/// More than one batch, and two concurrent runs.
#[tokio::test]
async fn events_and_dead_letters_older_than_a_month_are_deleted_in_batches() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let insert = |table: &str, columns: &str, values: &str| {
        format!(
            "insert into {table} (id, type, created_at, {columns})
             select 'evt_' || n, 'ping', farebox_now(), {values}
             from generate_series(1, 2501) n,
               lateral (select farebox_now() - make_interval(days => case when n = 1 then 29 else 31 end))
                 as t (at)"
        )
    };
    for sql in [
        insert("webhook_events", "processed_at", "at"),
        insert("failed_webhooks", "failed_at, cause, attempts, payload", "at, 'why', 8, '{}'"),
    ] {
        owner.query_typed(&sql, &[]).await.unwrap();
    }
    let (one, other) = tokio::join!(app.forget(), app.forget());
    assert_eq!((one.0 + other.0, one.1 + other.1), (2_500, 2_500));
    assert_eq!(app.count("select count(*) from webhook_events").await, 1);
    assert_eq!(app.count("select count(*) from failed_webhooks").await, 2_501);
    assert_eq!(app.count("select count(*) from failed_webhooks where payload = '{}'").await, 1);
}

#[tokio::test]
async fn a_dead_letter_of_an_erased_user_has_no_personal_data() {
    let app = TestApp::new().await;
    app.subscribe_to_an_unknown_price("aira").await;
    let id = app.event("customer.subscription.created")["id"].clone();
    app.lose_webhooks();
    app.delete("/api/account").bearer(&app.token("ann")).send().await.expect_status(204);
    let letter = app.letter(id.as_str().unwrap()).await;
    assert_eq!(letter["resolvedBy"], "erased");
    for field in ["payload", "userId", "customerId", "nextTryAt"] {
        assert_eq!(letter[field], Value::Null, "{field}");
    }
    app.clock.advance(SignedDuration::from_mins(5));
    assert_eq!(app.replay_due().await, (0, 0));
}
