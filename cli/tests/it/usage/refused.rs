//! Invalid usage reports are refused with the field's name, and change nothing.

use serde_json::json;

use crate::support::{Mode, TestApp};

#[tokio::test]
async fn an_invalid_quantity_is_refused() {
    let app = TestApp::selling("demo").await;
    let before = app.tables().await;
    for quantity in [
        "0",
        "-1",
        "9223372036854775808",
        "9007199254740992",
        "1.5",
        "\"1\"",
        "null",
        "[1]",
        "1e400",
    ] {
        let body = format!(r#"{{"feature": "reports", "quantity": {quantity}}}"#);
        for route in ["/api/usage", "/api/check"] {
            let call = app.post(route).bearer(&app.token("ann")).raw(body.clone());
            let answer = call.send().await;
            assert_eq!(answer.status, 400, "{quantity}: {answer:?}");
            if quantity != "1e400" {
                answer.expect_invalid("quantity");
            }
        }
        let body = format!(
            r#"{{"entries": [{{"feature": "reports"}}, {{"feature": "reports", "quantity": {quantity}}}]}}"#
        );
        let answer = app.post("/api/usage").bearer(&app.token("ann")).raw(body).send().await;
        assert_eq!(answer.status, 400, "{quantity}: {answer:?}");
    }
    let nan = r#"{"feature": "reports", "quantity": NaN}"#;
    app.post("/api/usage").bearer(&app.token("ann")).raw(nan).send().await.expect_status(400);
    assert_eq!(app.tables().await, before);
}

#[tokio::test]
async fn a_feature_that_is_not_counted_is_refused() {
    let app = TestApp::selling("demo").await;
    let before = app.tables().await;
    for feature in ["nothing", "priority_support", "ai_credits"] {
        app.report("ann", json!({ "feature": feature })).await.expect_invalid("feature");
        let entries = json!({ "entries": [{ "feature": "reports" }, { "feature": feature }] });
        app.report("ann", entries).await.expect_invalid("entries[1].feature");
        let query = format!("/api/usage?feature={feature}");
        app.get(&query).bearer(&app.token("ann")).send().await.expect_invalid("feature");
    }
    for feature in [json!(""), json!("Reports!"), json!("a\u{0}"), json!(7)] {
        app.report("ann", json!({ "feature": feature })).await.expect_invalid("feature");
    }
    app.report("ann", json!({})).await.expect_invalid("feature");
    app.report("ann", json!({ "feature": "reports", "unit": "report" }))
        .await
        .expect_invalid("unit");
    app.report("ann", json!({ "feature": "reports", "mode": "each" })).await.expect_invalid("mode");
    assert_eq!(app.tables().await, before);
}

#[tokio::test]
async fn without_a_catalog_nothing_is_counted() {
    let app = TestApp::new().await;
    app.report("ann", json!({ "feature": "reports" })).await.expect_invalid("feature");
    let usage = app.usage("ann", "").await;
    assert_eq!(json!([usage["current"], usage["data"]]), json!([[], []]));
    assert_eq!(app.count("select count(*) from accounts").await, 0);
}

#[tokio::test]
async fn metadata_has_a_form_and_a_size() {
    let app = TestApp::selling("demo").await;
    let before = app.tables().await;
    for metadata in
        [json!("text"), json!([1]), json!({ "a": "\u{0}" }), json!({ "a": "x".repeat(5_000) })]
    {
        let report = json!({ "feature": "reports", "metadata": metadata });
        app.report("ann", report).await.expect_invalid("metadata");
    }
    assert_eq!(app.tables().await, before);
}

/// However much was used, every client can read the count.
#[tokio::test]
async fn a_count_that_no_client_could_read_is_refused() {
    let app = TestApp::selling("demo").await;
    app.comp("ann", "enterprise").await;
    let most = json!({ "feature": "exports", "quantity": 9_007_199_254_740_991_i64 });
    app.report("ann", most.clone()).await.expect_status(200);
    let before = app.tables().await;
    app.report("ann", most).await.expect_invalid("quantity");
    let entries = json!({ "entries": [{ "feature": "reports" }, { "feature": "exports" }] });
    app.report("ann", entries).await.expect_invalid("entries[1].quantity");
    assert_eq!(app.tables().await, before);
}

#[tokio::test]
async fn an_invalid_page_is_refused() {
    let app = TestApp::selling("demo").await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("cursor=nonsense", "cursor"),
        ("cursor=", "cursor"),
        // [1] and ["0001-01-01T00:00:00Z", "reports"]
        ("cursor=WzFd", "cursor"),
        ("cursor=WyIwMDAxLTAxLTAxVDAwOjAwOjAwWiIsICJyZXBvcnRzIl0", "cursor"),
    ] {
        let call = app.get(&format!("/api/usage?{query}")).bearer(&app.token("ann"));
        call.send().await.expect_invalid(field);
    }
}

#[tokio::test]
async fn a_user_cannot_report_or_read_usage_of_another() {
    let app = TestApp::selling("dearme").await;
    app.report("ann", json!({ "feature": "letters" })).await.expect_status(200);
    let before = app.tables().await;
    let bob = app.token("bob");
    let report = app.post("/api/usage").query("userId", "ann").bearer(&bob);
    report.json(json!({ "feature": "letters" })).send().await.expect_problem(403, "other_user");
    let named = json!({ "feature": "letters", "userId": "ann" });
    app.report("bob", named).await.expect_problem(403, "other_user");
    let read = app.get("/api/usage").query("userId", "ann").bearer(&bob);
    read.send().await.expect_problem(403, "other_user");
    app.post("/api/usage").json(json!({ "feature": "letters" })).send().await.expect_status(401);
    let nobody = app.post("/api/usage").bearer(&app.service_key);
    nobody.json(json!({ "feature": "letters" })).send().await.expect_invalid("userId");
    assert_eq!(app.tables().await, before);

    let server = app.post("/api/usage").header("x-user-id", "ann").bearer(&app.service_key);
    let counted = server.json(json!({ "feature": "letters" })).send().await.expect_status(200).body;
    assert_eq!(counted["used"], 2);
}

#[tokio::test]
async fn an_erased_user_cannot_track_usage() {
    let app = TestApp::selling("dearme").await;
    let report = json!({ "feature": "letters", "metadata": { "to": "myself" } });
    app.report_once("ann", "k", report.clone()).await.expect_status(200);
    let token = app.token("ann");
    app.delete("/api/account").bearer(&token).send().await.expect_status(204);
    for table in ["usage_tracking", "usage_events", "usage_keys"] {
        assert_eq!(app.count(&format!("select count(*) from {table}")).await, 0, "{table}");
    }
    app.report("ann", report.clone()).await.expect_problem(403, "account_erased");
    app.report_once("ann", "k", report).await.expect_problem(403, "account_erased");
    let read = app.get("/api/usage").bearer(&token).send().await;
    read.expect_problem(403, "account_erased");
    assert_eq!(app.count("select count(*) from usage_tracking").await, 0);
}

#[tokio::test]
async fn without_postgres_nothing_is_counted() {
    let app = TestApp::selling("dearme").await;
    app.postgres.set(Mode::Down).await;
    let report = json!({ "feature": "letters" });
    app.report("ann", report.clone()).await.expect_problem(503, "database_unavailable");
    let read = app.get("/api/usage").bearer(&app.token("ann")).send().await;
    read.expect_problem(503, "database_unavailable");
    app.postgres.set(Mode::Pass).await;
    assert_eq!(app.report("ann", report).await.expect_status(200).body["used"], 1);
}
