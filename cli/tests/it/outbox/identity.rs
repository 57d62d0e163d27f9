use serde_json::{Value, json};

use super::{PAUSE, counts, with_clerk};
use crate::support::TestApp;

fn metadata(plan: &str, name: &str) -> Value {
    json!({ "plan": plan, "planName": name, "status": "active" })
}

/// CR-6: plan and status stand in the user's metadata, as they are when they are told.
#[tokio::test]
async fn the_identity_provider_gets_the_current_plan() {
    let (app, clerk) = with_clerk().await;
    for user in ["ann", "bob/../nobody"] {
        app.someone(user).await;
        app.entitle(user, "free", 1).await;
        app.enqueue_plan(user).await;
    }
    app.entitle("ann", "pro", 2).await;
    assert_eq!(app.drain().await, counts(2, 0, 0));
    assert_eq!(clerk.changes("ann"), [metadata("pro", "Pro")]);
    assert_eq!(clerk.changes("bob/../nobody"), [metadata("free", "Free")]);

    app.entitle("ann", "free", 3).await;
    app.enqueue_plan("ann").await;
    assert_eq!(app.drain().await, counts(1, 0, 0), "there is news of ann");
    assert_eq!(clerk.changes("ann"), [metadata("pro", "Pro"), metadata("free", "Free")]);
}

/// CR-6: it is retried until it succeeds, and no sooner than the provider asks for.
#[tokio::test]
async fn an_identity_provider_gets_the_plan_after_its_outage() {
    let (app, clerk) = with_clerk().await;
    app.someone("ann").await;
    app.entitle("ann", "pro", 1).await;
    app.enqueue_plan("ann").await;
    for status in [503, 429, 401] {
        clerk.refuse(status);
        assert_eq!(app.drain().await, counts(0, 1, 0), "{status}");
        assert_eq!(app.row("identity:ann").await["problem"], format!("Clerk answered {status}"));
        app.clock.advance(jiff::SignedDuration::from_secs(590));
        assert_eq!(app.drain().await, counts(0, 0, 0), "{status}: it asked for ten minutes");
        app.clock.advance(PAUSE);
    }
    clerk.answer();
    assert_eq!(app.drain().await, counts(1, 0, 0));
    assert_eq!(clerk.changes("ann"), [metadata("pro", "Pro")]);
}

/// CR-6: an answer that was lost changes nothing twice.
#[tokio::test]
async fn a_change_whose_answer_was_lost_counts_once_at_the_identity_provider() {
    let (app, clerk) = with_clerk().await;
    app.someone("ann").await;
    app.entitle("ann", "pro", 1).await;
    app.enqueue_plan("ann").await;
    clerk.lose_answers();
    assert_eq!(app.drain().await, counts(0, 1, 0));
    clerk.answer();
    app.clock.advance(PAUSE);
    assert_eq!(app.drain().await, counts(1, 0, 0));
    assert_eq!(clerk.changes("ann").len(), 1);
}

/// Somebody tells what was current; meanwhile there is news. It waits for them, and is told then.
#[tokio::test]
async fn a_new_message_waits_for_the_one_in_delivery() {
    let (app, clerk) = with_clerk().await;
    app.someone("ann").await;
    app.entitle("ann", "free", 1).await;
    app.enqueue_plan("ann").await;
    let lent = app.worker().postgres.claim_outbox(app.now(), 10, 30).await.unwrap().remove(0);
    app.entitle("ann", "pro", 2).await;
    app.enqueue_plan("ann").await;
    assert_eq!(app.drain().await, counts(0, 0, 0), "nobody overtakes whoever has the row");

    app.finish(lent).await;
    assert_eq!(app.drain().await, counts(1, 0, 0));
    assert_eq!(clerk.changes("ann"), [metadata("pro", "Pro")]);
    assert!(app.row("identity:ann").await["done_at"].is_string());
}

/// A worker that was away for longer than its lease has no say in what became of the row.
#[tokio::test]
async fn a_worker_that_comes_too_late_changes_nothing() {
    let (app, clerk) = with_clerk().await;
    app.someone("ann").await;
    app.entitle("ann", "pro", 1).await;
    app.enqueue_plan("ann").await;
    let claim = async || app.worker().postgres.claim_outbox(app.now(), 10, 30).await.unwrap();
    let first = claim().await.remove(0);
    app.end_leases().await;
    let second = claim().await.remove(0);
    app.finish(first).await;
    let row = app.row("identity:ann").await;
    assert!(row["done_at"].is_null() && row["leased_until"].is_string(), "{row}");
    app.finish(second).await;
    assert!(app.row("identity:ann").await["done_at"].is_string());
    assert_eq!(clerk.changes("ann").len(), 0);
}

#[tokio::test]
async fn a_user_unknown_to_the_identity_provider_is_no_failure() {
    let (app, _clerk) = with_clerk().await;
    app.someone("nobody").await;
    app.entitle("nobody", "pro", 1).await;
    app.enqueue_plan("nobody").await;
    assert_eq!(app.drain().await, counts(1, 0, 0));
    assert_eq!(app.row("identity:nobody").await["problem"], "unknown user");
}

impl TestApp {
    /// Says that what was lent out is told.
    pub(super) async fn finish(&self, lent: shared::adapters::postgres::OutboxMessage) {
        let finished = shared::adapters::postgres::DeliveryResult {
            id: lent.id,
            generation: lent.generation,
            leased_until: lent.leased_until,
            done: true,
            problem: None,
            retry_at: None,
        };
        self.worker().postgres.finish_outbox(&[finished], self.now()).await.unwrap();
    }
}
