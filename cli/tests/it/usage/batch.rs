//! Several usage entries in one call: all or none, or each by itself.

use serde_json::{Value, json};

use crate::support::TestApp;

pub fn entries(uses: &[(&str, i64)], mode: Option<&str>) -> Value {
    let one =
        |(feature, quantity): &(&str, i64)| json!({ "feature": feature, "quantity": quantity });
    let mut report = json!({ "entries": uses.iter().map(one).collect::<Vec<_>>() });
    if let Some(mode) = mode {
        report["mode"] = mode.into();
    }
    report
}

/// Feature, `allowed` and count of each entry of an answer.
fn counted(answer: &Value) -> Value {
    let entries = answer["entries"].as_array().unwrap();
    entries.iter().map(|one| json!([one["feature"], one["allowed"], one["used"]])).collect()
}

#[tokio::test]
async fn all_are_counted_or_none() {
    let app = TestApp::selling("demo").await;
    let fits = entries(&[("reports", 2), ("api_calls", 50), ("reports", 1)], None);
    let answer = app.report("ann", fits).await.expect_status(200).body;
    let expected = json!([["reports", true, 2], ["api_calls", true, 50], ["reports", true, 3]]);
    assert_eq!(counted(&answer), expected);
    let before = app.tables().await;
    // Either of the two `reports` entries would fit alone. The refusal's `current` does not include
    // the first.
    let too_many = entries(&[("api_calls", 1), ("reports", 1), ("reports", 2)], Some("all"));
    let refused = app.report("ann", too_many).await.expect_problem(402, "quota_exceeded").body;
    assert_eq!(
        json!([refused["quota"], refused["limit"], refused["current"]]),
        json!(["reports", 5, 3])
    );
    assert_eq!(app.tables().await, before);
}

#[tokio::test]
async fn each_is_counted_for_itself() {
    let app = TestApp::selling("demo").await;
    let some =
        entries(&[("reports", 4), ("reports", 2), ("api_calls", 1), ("reports", 1)], Some("each"));
    let answer = app.report("ann", some).await.expect_status(200).body;
    let expected = json!([
        ["reports", true, 4],
        ["reports", false, 4],
        ["api_calls", true, 1],
        ["reports", true, 5],
    ]);
    assert_eq!(counted(&answer), expected);
    let before = app.tables().await;
    let none = entries(&[("reports", 1), ("exports", 1)], Some("each"));
    let answer = app.report("ann", none).await.expect_status(200).body;
    assert_eq!(counted(&answer), json!([["reports", false, 5], ["exports", false, 0]]));
    assert_eq!(app.tables().await, before);
}

#[tokio::test]
async fn a_batch_that_is_repeated_counts_once() {
    let app = TestApp::selling("demo").await;
    let some = entries(&[("reports", 3), ("reports", 3), ("api_calls", 1)], Some("each"));
    let first = app.report_once("ann", "k", some.clone()).await.expect_status(200).body;
    assert_eq!(app.report_once("ann", "k", some).await.expect_status(200).body, first);
    assert_eq!(app.used("ann", "reports").await["used"], 3);
    let other = entries(&[("reports", 3), ("reports", 3), ("api_calls", 1)], Some("all"));
    app.report_once("ann", "k", other).await.expect_problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn a_batch_has_one_to_a_hundred_entries() {
    let app = TestApp::selling("demo").await;
    let answer =
        app.report("ann", entries(&[("api_calls", 1); 100], None)).await.expect_status(200);
    assert_eq!(answer.body["entries"][99]["used"], 100);
    let before = app.tables().await;
    app.report("ann", entries(&[("reports", 1); 101], None)).await.expect_invalid("entries");
    app.report("ann", entries(&[], None)).await.expect_invalid("entries");
    let mut both = entries(&[("reports", 1)], None);
    both["feature"] = "reports".into();
    app.report("ann", both).await.expect_invalid("entries");
    app.report("ann", entries(&[("reports", 1)], Some("some"))).await.expect_invalid("mode");
    assert_eq!(app.tables().await, before);
    let one = app.report("ann", entries(&[("reports", 1)], None)).await.expect_status(200).body;
    assert_eq!(
        counted(&one),
        json!([["reports", true, 1]]),
        "a batch of one gets a batch's answer"
    );
}
