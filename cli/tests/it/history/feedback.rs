//! `POST /api/feedback`.

use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{ApiResponse, TestApp};

impl TestApp {
    async fn rate(&self, user: &str, feedback: Value) -> ApiResponse {
        self.post("/api/feedback").bearer(&self.token(user)).json(feedback).send().await
    }

    async fn feedback(&self, user: &str, id: &str) -> Value {
        self.history(user, &[("id", id)]).await.expect_status(200).body["feedback"].clone()
    }
}

/// CR-4: feedback is shown with its entry, and later feedback replaces it.
#[tokio::test]
async fn the_last_feedback_counts() {
    let app = TestApp::selling("coderev").await;
    let id = app.add_titled("ann", "a").await;
    let first = json!({ "entryId": id, "rating": 2, "comment": "It missed a bug." });
    let saved = app.rate("ann", first).await.expect_status(200).body;
    let first_at = saved["updatedAt"].clone();
    let expected = json!({
        "entryId": id, "rating": 2, "comment": "It missed a bug.", "updatedAt": first_at,
    });
    assert_eq!(saved, expected);
    app.clock.advance(SignedDuration::from_secs(60));
    let edited = app.rate("ann", json!({ "entryId": id, "rating": 5 })).await.expect_status(200);
    assert_ne!(edited.body["updatedAt"], first_at);
    let now = json!({ "rating": 5, "comment": null, "updatedAt": edited.body["updatedAt"] });
    assert_eq!(app.feedback("ann", &id).await, now);
    let page = app.history("ann", &[]).await.expect_status(200).body;
    assert_eq!(page["data"][0]["feedback"], now);
    assert_eq!(app.count("select count(*) from history_feedback").await, 1);

    // The same feedback again is no change.
    app.clock.advance(SignedDuration::from_secs(60));
    let again = app.rate("ann", json!({ "entryId": id.to_uppercase(), "rating": 5 })).await;
    assert_eq!(again.expect_status(200).body, edited.body);
}

/// CR-4: a late retry with a key does not undo later feedback.
#[tokio::test]
async fn a_retry_with_a_key_changes_nothing() {
    let app = TestApp::selling("coderev").await;
    let id = app.add_titled("ann", "a").await;
    let rate = |rating: i32| {
        let call = app.post("/api/feedback").bearer(&app.token("ann"));
        let call = call.json(json!({ "entryId": id, "rating": rating, "comment": "fine" }));
        call.header("idempotency-key", "once").send()
    };
    let first = rate(4).await.expect_status(200).body;
    app.clock.advance(SignedDuration::from_secs(60));
    app.rate("ann", json!({ "entryId": id, "rating": 1 })).await.expect_status(200);
    assert_eq!(rate(4).await.expect_status(200).body, first);
    assert_eq!(app.feedback("ann", &id).await["rating"], 1);
    rate(3).await.expect_problem(422, "idempotency_key_reused");
}

/// CR-4: of racing calls, one is the last.
#[tokio::test]
async fn racing_feedback_leaves_one_whole_answer() {
    let app = TestApp::selling("coderev").await;
    let id = app.add_titled("ann", "a").await;
    let calls = (0..20).map(|number| {
        let rating = number % 5 + 1;
        app.rate("ann", json!({ "entryId": id, "rating": rating, "comment": rating.to_string() }))
    });
    for answer in join_all(calls).await {
        answer.expect_status(200);
    }
    let feedback = app.feedback("ann", &id).await;
    assert_eq!(feedback["comment"], feedback["rating"].to_string());
    assert_eq!(app.count("select count(*) from history_feedback").await, 1);
}

/// CR-4: feedback goes with its entry, whichever of a deletion and a rating comes first.
#[tokio::test]
async fn a_deletion_takes_the_feedback_with_it() {
    let app = TestApp::selling("coderev").await;
    for _ in 0..10 {
        let id = app.add_titled("ann", "a").await;
        let rating = json!({ "entryId": id, "rating": 3 });
        let deletion = app.delete_history("ann", ("id", &id));
        let (rated, deleted) = tokio::join!(app.rate("ann", rating), deletion);
        assert!([200, 404].contains(&rated.status), "{rated:?}");
        assert_eq!(deleted.expect_status(200).body["deleted"], 1);
    }
    assert_eq!(app.count("select count(*) from history_feedback").await, 0);
}

/// CR-4: invalid feedback is named, and changes nothing.
#[tokio::test]
async fn invalid_feedback_is_refused() {
    let app = TestApp::selling("coderev").await;
    let id = app.add_titled("ann", "a").await;
    let before = app.tables().await;
    for rating in [json!(0), json!(6), json!(-1), json!(4.5), json!("5"), json!(null), json!(1e30)]
    {
        app.rate("ann", json!({ "entryId": id, "rating": rating })).await.expect_invalid("rating");
    }
    for comment in [json!(""), json!("x".repeat(2_001)), json!("nul\u{0}"), json!(7), json!(null)] {
        let body = json!({ "entryId": id, "rating": 5, "comment": comment });
        app.rate("ann", body).await.expect_invalid("comment");
    }
    for id in [json!(""), json!("1"), json!(7), json!("' or '1' = '1"), json!(null)] {
        app.rate("ann", json!({ "entryId": id, "rating": 5 })).await.expect_invalid("entryId");
    }
    app.rate("ann", json!({ "rating": 5 })).await.expect_invalid("entryId");
    app.rate("ann", json!({ "entryId": id })).await.expect_invalid("rating");
    for field in ["updatedAt", "id", "user_id"] {
        let mut body = json!({ "entryId": id, "rating": 5 });
        body[field] = json!("x");
        app.rate("ann", body).await.expect_invalid(field);
    }
    assert_eq!(app.tables().await, before);
}
