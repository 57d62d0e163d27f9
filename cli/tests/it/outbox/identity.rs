use serde_json::{Value, json};

use super::{PAUSE, counts, with_clerk};
use crate::support::TestApp;

fn metadata(plan: &str, name: &str) -> Value {
    json!({ "plan": plan, "planName": name, "status": "active" })
}

/// CR-6: the user's metadata has plan and status, as they are at the time of delivery.
#[tokio::test]
async fn the_identity_provider_gets_the_current_plan() {
    let (app, clerk) = with_clerk().await;
    for user in ["ann", "bob/../nobody"] {
        app.create_user(user).await;
        app.entitle(user, "free", 1).await;
        app.enqueue_plan(user).await;
    }
    app.entitle("ann", "pro", 2).await;
    assert_eq!(app.drain().await, counts(2, 0, 0));
    assert_eq!(clerk.changes("ann"), [metadata("pro", "Pro")]);
    assert_eq!(clerk.changes("bob/../nobody"), [metadata("free", "Free")]);

    app.entitle("ann", "free", 3).await;
    app.enqueue_plan("ann").await;
    assert_eq!(app.drain().await, counts(1, 0, 0), "ann's plan is pending");
    assert_eq!(clerk.changes("ann"), [metadata("pro", "Pro"), metadata("free", "Free")]);
}

/// CR-6, FX-10: an organisation's plan is in the organisation's metadata.
#[tokio::test]
async fn the_identity_provider_gets_an_organisations_plan() {
    let (app, clerk) = with_clerk().await;
    app.create_user("org_1").await;
    app.entitle("org_1", "pro", 1).await;
    app.enqueue_plan("org_1").await;
    assert_eq!(app.drain().await, counts(1, 0, 0));
    assert_eq!(clerk.changes("organizations/org_1"), [metadata("pro", "Pro")]);
    assert!(clerk.changes("org_1").is_empty(), "no user has the id");
}

/// CR-6: the message is retried until it succeeds, and not sooner than the provider allows.
#[tokio::test]
async fn an_identity_provider_gets_the_plan_after_its_outage() {
    let (app, clerk) = with_clerk().await;
    app.create_user("ann").await;
    app.entitle("ann", "pro", 1).await;
    app.enqueue_plan("ann").await;
    for status in [503, 429, 401] {
        clerk.refuse(status);
        assert_eq!(app.drain().await, counts(0, 1, 0), "{status}");
        assert_eq!(app.row("identity:ann").await["problem"], format!("Clerk answered {status}"));
        app.clock.advance(jiff::SignedDuration::from_secs(590));
        assert_eq!(
            app.drain().await,
            counts(0, 0, 0),
            "{status}: the provider asked for ten minutes"
        );
        app.clock.advance(PAUSE);
    }
    clerk.answer();
    assert_eq!(app.drain().await, counts(1, 0, 0));
    assert_eq!(clerk.changes("ann"), [metadata("pro", "Pro")]);
}

/// CR-6: a lost answer does not apply a change twice.
#[tokio::test]
async fn a_change_whose_answer_was_lost_counts_once_at_the_identity_provider() {
    let (app, clerk) = with_clerk().await;
    app.create_user("ann").await;
    app.entitle("ann", "pro", 1).await;
    app.enqueue_plan("ann").await;
    clerk.lose_answers();
    assert_eq!(app.drain().await, counts(0, 1, 0));
    clerk.answer();
    app.clock.advance(PAUSE);
    assert_eq!(app.drain().await, counts(1, 0, 0));
    assert_eq!(clerk.changes("ann").len(), 1);
}

/// A newer message for a user waits while an older one is being delivered.
#[tokio::test]
async fn a_new_message_waits_for_the_one_in_delivery() {
    let (app, clerk) = with_clerk().await;
    app.create_user("ann").await;
    app.entitle("ann", "free", 1).await;
    app.enqueue_plan("ann").await;
    let claimed = app.worker().postgres.claim_outbox(app.now(), 10, 30).await.unwrap().remove(0);
    app.entitle("ann", "pro", 2).await;
    app.enqueue_plan("ann").await;
    assert_eq!(app.drain().await, counts(0, 0, 0), "the row is leased");

    app.finish(claimed).await;
    assert_eq!(app.drain().await, counts(1, 0, 0));
    assert_eq!(clerk.changes("ann"), [metadata("pro", "Pro")]);
    assert!(app.row("identity:ann").await["done_at"].is_string());
}

/// A worker that outlived its lease does not change the row.
#[tokio::test]
async fn a_worker_with_an_expired_lease_changes_nothing() {
    let (app, clerk) = with_clerk().await;
    app.create_user("ann").await;
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
async fn a_user_unknown_to_the_identity_provider_is_not_a_failure() {
    let (app, _clerk) = with_clerk().await;
    app.create_user("nobody").await;
    app.entitle("nobody", "pro", 1).await;
    app.enqueue_plan("nobody").await;
    assert_eq!(app.drain().await, counts(1, 0, 0));
    assert_eq!(app.row("identity:nobody").await["problem"], "unknown user");
}

impl TestApp {
    /// Reports the leased message as delivered.
    pub(super) async fn finish(&self, claimed: shared::adapters::postgres::OutboxMessage) {
        let finished = shared::adapters::postgres::DeliveryResult {
            id: claimed.id,
            generation: claimed.generation,
            leased_until: claimed.leased_until,
            done: true,
            problem: None,
            retry_at: None,
        };
        self.worker().postgres.finish_outbox(&[finished], self.now()).await.unwrap();
    }
}
