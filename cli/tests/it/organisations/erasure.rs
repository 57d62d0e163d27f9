//! Erasing a member, and erasing an organisation.

use serde_json::{Value, json};

use super::start;
use crate::support::{TestApp, execute};

/// An organisation for which Ann and Bob have spent credits, reported usage, and kept and rated a
/// review.
async fn with_entries() -> TestApp {
    let app = start().await;
    app.grant_to("org_1", 100).await;
    for user in ["ann-smith", "bob-jones"] {
        let token = app.member(user, "org_1", "org:admin");
        for metadata in [Value::Null, json!({ "job": 7 })] {
            app.spend_as(&token).await.expect_status(200);
            let mut entry = json!({ "feature": "api_calls" });
            if !metadata.is_null() {
                entry["metadata"] = metadata;
            }
            let call = app.post("/api/usage").bearer(&token).json(entry);
            call.send().await.expect_status(200);
        }
    }
    let review = json!({ "kind": "review", "title": "good" });
    for user in ["ann-smith", "bob-jones"] {
        let token = app.member(user, "org_1", "org:member");
        let call = app.post("/api/history").bearer(&token).json(review.clone());
        let entry = call.send().await.expect_status(200).body;
        let feedback = json!({ "entryId": entry["id"], "rating": 4, "comment": "right" });
        let call = app.post("/api/feedback").bearer(&token).json(feedback);
        call.send().await.expect_status(200);
    }
    app
}

/// The tables with a row that contains the text.
async fn tables_with(app: &TestApp, text: &str) -> Vec<String> {
    let tables = app.tables().await;
    tables.into_iter().filter(|(_, rows)| rows.contains(text)).map(|(name, _)| name).collect()
}

/// FX-10, CP-3: an erased member's id is in no row of the organisation, which keeps its entries.
#[tokio::test]
async fn an_erased_member_is_forgotten_and_the_entries_stay() {
    let app = with_entries().await;
    let (ann, bob) = ("ann-smith", "bob-jones");
    assert!(tables_with(&app, ann).await.contains(&"credit_transactions".to_owned()));
    let exported = app.get("/api/account").bearer(&app.token(ann)).send().await;
    let exported = exported.expect_status(200).body;
    for (kind, count) in [
        ("organisation_ledger_entry", 2),
        ("organisation_usage_entry", 2),
        ("organisation_history_entry", 1),
        ("organisation_history_feedback", 1),
    ] {
        let records = exported["data"].as_array().unwrap().iter();
        assert_eq!(records.filter(|record| record["type"] == kind).count(), count, "{kind}");
    }
    let token = app.member(ann, "org_1", "org:admin");
    let before = app.credits_as(&token).await;
    for _ in 0..2 {
        app.delete("/api/account").bearer(&token).send().await.expect_status(204);
    }
    assert_eq!(tables_with(&app, ann).await, [] as [String; 0]);
    let after = app.credits_as(&app.member(bob, "org_1", "org:guest")).await;
    assert_eq!(after["credits"], before["credits"]);
    let entries = |ledger: &Value| {
        let actor = |entry: &Value| entry["actorId"].as_str().map(str::to_owned);
        ledger["data"].as_array().unwrap().iter().map(actor).collect::<Vec<_>>()
    };
    let expected = |ann: Option<&str>| {
        let actors = [Some(bob), Some(bob), ann, ann, None];
        actors.map(|actor| actor.map(str::to_owned))
    };
    assert_eq!(entries(&before), expected(Some(ann)));
    assert_eq!(entries(&after), expected(None));
    for (table, left) in [("usage_events", 4), ("history", 2)] {
        let rows = format!("select count(*) from {table} where user_id = 'org_1'");
        assert_eq!(app.count(&rows).await, left, "{table}");
        let named = format!("select count(*) from {table} where actor_id = '{bob}'");
        assert_eq!(app.count(&named).await, left / 2, "{table}");
    }
    let feedback = format!("select count(*) from history_feedback where author_id = '{bob}'");
    assert_eq!(app.count(&feedback).await, 1);
    assert_eq!(app.count("select count(*) from history_feedback").await, 1);
    let wrong = "select count(*) from validate_credits_consistency()";
    assert_eq!(app.count(wrong).await, 0);
}

/// FX-10: an erased member's token, which lives on for a while, writes nothing for the organisation.
#[tokio::test]
async fn an_erased_member_writes_nothing_more() {
    let app = with_entries().await;
    let token = app.member("ann-smith", "org_1", "org:admin");
    app.delete("/api/account").bearer(&token).send().await.expect_status(204);
    let before = app.tables().await;
    app.spend_as(&token).await.expect_problem(403, "account_erased");
    let keyed = app.spending_as(&token).header("idempotency-key", "one").send().await;
    keyed.expect_problem(403, "account_erased");
    for entry in [
        json!({ "feature": "api_calls" }),
        json!({ "feature": "api_calls", "metadata": { "job": 7 } }),
        json!({ "entries": [{ "feature": "api_calls" }, { "feature": "api_calls" }] }),
    ] {
        let call = app.post("/api/usage").bearer(&token).json(entry);
        call.send().await.expect_problem(403, "account_erased");
    }
    let page = app.get("/api/history").bearer(&app.member("bob-jones", "org_1", "org:member"));
    let entry = page.send().await.expect_status(200).body["data"][0]["id"].clone();
    for (path, body) in [
        ("/api/history", json!({ "kind": "review", "title": "late" })),
        ("/api/feedback", json!({ "entryId": entry, "rating": 1 })),
    ] {
        app.post(path).bearer(&token).json(body).send().await.expect_problem(403, "account_erased");
    }
    let grant = json!({ "action": "grant", "unit": "ai_credit", "amount": 1, "reason": "a bonus" });
    let call = app.post("/api/credits").query("ownerId", "org_1").query("userId", "ann-smith");
    let call = call.bearer(&app.service_key).json(grant);
    call.send().await.expect_problem(403, "account_erased");
    assert_eq!(app.tables().await, before);
}

/// An erasure waits for the member's calls in flight, so that no entry names the member after it.
#[tokio::test]
async fn an_erasure_waits_for_the_members_calls() {
    let app = with_entries().await;
    let writes = [
        "select spend_credits('org_1', 'ai_credit', 1, '{\"actor_id\": \"cyd\"}', null, null,
           farebox_now())",
        "select track_usages('org_1', '[{\"feature\": \"api_calls\", \"quantity\": 1,
           \"actor_id\": \"cyd\"}]', true, null, null, farebox_now())",
        "select add_history('org_1', 'cyd', '{\"kind\": \"review\", \"title\": \"good\"}', null, null,
           farebox_now())",
    ];
    for (round, write) in writes.into_iter().enumerate() {
        let cyd = format!("cyd{round}");
        let writing = app.owner().await;
        execute(&writing, "begin").await;
        execute(&writing, &write.replace("cyd", &cyd)).await;
        let erased = app.delete("/api/account").bearer(&app.token(&cyd)).send();
        let ends = async {
            app.until_waiting(1).await;
            execute(&writing, "commit").await;
        };
        let (erased, ()) = tokio::join!(erased, ends);
        erased.expect_status(204);
        assert_eq!(tables_with(&app, &cyd).await, [] as [String; 0], "{write}");
    }
}

/// FX-10: only a server or an admin erases an organisation. Its ledger stays without names, and its
/// members keep their own accounts.
#[tokio::test]
async fn an_organisation_is_erased_by_a_server() {
    let app = with_entries().await;
    app.grant_to("ann-smith", 5).await;
    let token = app.member("ann-smith", "org_1", "org:admin");
    let erase = |token: &str| app.delete("/api/account").query("ownerId", "org_1").bearer(token);
    erase(&token).send().await.expect_problem(403, "other_user");
    let mixed = erase(&app.service_key).query("userId", "ann-smith").send().await;
    mixed.expect_invalid("ownerId");
    assert_eq!(app.count("select count(*) from erased_users").await, 0);

    for _ in 0..2 {
        erase(&app.service_key).send().await.expect_status(204);
    }
    assert_eq!(tables_with(&app, "org_1").await, [] as [String; 0]);
    let anonymous = "select count(*) from credit_transactions
                     where user_id like 'erased:%' and actor_id is null";
    assert_eq!(app.count(anonymous).await, 5);
    assert_eq!(app.count("select count(*) from usage_events").await, 0);
    app.spend_as(&token).await.expect_problem(403, "account_erased");
    let own = app.spending_as(&token).query("ownerId", "ann-smith").send().await;
    assert_eq!(own.expect_status(200).body["balance"], 4);
}
