//! DM-8: dead letters are listed for review, and replayed or resolved by an admin.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::TestApp;

fn ids(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|letter| letter["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn dead_letters_are_listed_newest_first_page_by_page() {
    let app = TestApp::new().await;
    app.create_dead_letters(5).await;
    let resolve = json!({ "id": "evt_02", "action": "resolve", "note": "known" });
    app.decide(resolve).await.expect_status(200);
    let mut other = app.unusable_event("evt_05");
    other["type"] = "customer.subscription.deleted".into();
    app.deliver(&other).await.expect_status(200);

    let first = app.letters("limit=2").await;
    assert_eq!(ids(&first), ["evt_05", "evt_04"]);
    let next = |page: &Value| format!("limit=2&cursor={}", page["nextCursor"].as_str().unwrap());
    let second = app.letters(&next(&first)).await;
    assert_eq!(ids(&second), ["evt_03", "evt_01"]);
    let third = app.letters(&next(&second)).await;
    assert_eq!((ids(&third), &third["nextCursor"]), (vec!["evt_00"], &Value::Null));

    assert_eq!(ids(&app.letters("status=resolved").await), ["evt_02"]);
    assert_eq!(ids(&app.letters("status=all").await).len(), 6);
    assert_eq!(ids(&app.letters("type=customer.subscription.deleted").await), ["evt_05"]);
    assert_eq!(first["data"][0]["payload"], Value::Null, "the list has no payloads");
    assert_eq!(app.letter("evt_05").await["payload"], other);
}

#[tokio::test]
async fn bad_input_is_refused_with_its_field() {
    let app = TestApp::new().await;
    let list = |query: &str| {
        app.get(&format!("/api/admin/webhooks?{query}")).bearer(&app.admin_key).send()
    };
    for (query, field) in [
        ("status=closed", "status"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=many", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=bm90IGEgY3Vyc29y", "cursor"),
        ("type=", "type"),
        ("id=%00", "id"),
    ] {
        list(query).await.expect_invalid(field);
    }
    list("id=evt_nobodys").await.expect_problem(404, "webhook_not_found");
    for (decision, field) in [
        (json!({ "action": "replay" }), "id"),
        (json!({ "id": "evt_1", "action": "forget" }), "action"),
        (json!({ "id": "evt_1", "action": "resolve" }), "note"),
        (json!({ "id": "evt_1", "action": "resolve", "note": "" }), "note"),
        (json!({ "id": "evt_1", "action": "resolve", "note": "x".repeat(501) }), "note"),
        (json!({ "id": "evt_1", "action": "replay", "note": "why" }), "note"),
        (json!({ "id": "\0", "action": "replay" }), "id"),
    ] {
        app.decide(decision).await.expect_invalid(field);
    }
    let resolve = json!({ "id": "evt_nobodys", "action": "resolve", "note": "why" });
    app.decide(resolve).await.expect_problem(404, "webhook_not_found");
}

#[tokio::test]
async fn dead_letters_are_for_admins_alone() {
    let app = TestApp::new().await;
    app.create_dead_letters(1).await;
    let replay = json!({ "id": "evt_00", "action": "replay" });
    for token in [app.token("ann"), app.service_key.clone()] {
        let answer = app.get("/api/admin/webhooks").bearer(&token).send().await;
        answer.expect_problem(403, "admin_only");
        let decide = app.post("/api/admin/webhooks").bearer(&token).json(replay.clone());
        decide.send().await.expect_problem(403, "admin_only");
    }
    let stranger = app.post("/api/admin/webhooks").json(replay.clone()).send().await;
    stranger.expect_problem(401, "missing_token");
    assert_eq!(app.letter("evt_00").await["attempts"], 1);
    let admin = app.token_with(json!({ "sub": "root", "role": "admin" }));
    let call = app.post("/api/admin/webhooks").bearer(&admin).json(replay);
    assert_eq!(call.send().await.expect_status(200).body["attempts"], 2);
}

/// The answer of a replay is the dead letter afterwards: resolved, or with the new cause.
#[tokio::test]
async fn an_admin_replays_a_dead_letter_at_once() {
    let app = TestApp::new().await;
    app.subscribe_to_an_unknown_price("aira").await;
    let id = app.event("customer.subscription.created")["id"].clone();
    let replay = json!({ "id": id, "action": "replay" });
    let still = app.decide(replay.clone()).await.expect_status(200).body;
    assert_eq!((&still["attempts"], &still["resolvedAt"]), (&json!(2), &Value::Null));
    app.sell("aira").await;
    let applied = app.decide(replay.clone()).await.expect_status(200).body;
    assert_eq!(applied["resolvedBy"], "applied");
    assert_eq!(app.subscription("ann").await["status"], "trialing");
    app.decide(replay).await.expect_problem(409, "webhook_resolved");
    let audited = "select count(*) from audit_log
         where action = 'webhook.replay' and user_id = 'ann' and actor like 'key %'";
    assert_eq!(app.count(audited).await, 2);
}

/// A dead letter without a scheduled retry has none after a failed manual replay either.
#[tokio::test]
async fn a_failed_replay_schedules_no_retry_after_the_last() {
    let app = TestApp::new().await;
    app.create_dead_letters(1).await;
    let replay = json!({ "id": "evt_00", "action": "replay" });
    for attempts in 2..=9 {
        let letter = app.decide(replay.clone()).await.expect_status(200).body;
        assert_eq!(letter["attempts"], attempts);
        assert_eq!(letter["nextTryAt"].is_null(), attempts >= 8, "{letter}");
    }
    app.clock.advance(SignedDuration::from_hours(72));
    assert_eq!(app.replay_due().await, (0, 0));
}

/// The same decision again gets the same answer; another decision is refused.
#[tokio::test]
async fn an_admin_resolves_a_dead_letter_with_a_note() {
    let app = TestApp::new().await;
    app.create_dead_letters(1).await;
    let resolve = |note: &str| json!({ "id": "evt_00", "action": "resolve", "note": note });
    let first = app.decide(resolve("refunded by hand")).await.expect_status(200).body;
    assert_eq!(first["resolvedBy"], "operator");
    assert_eq!((&first["note"], &first["nextTryAt"]), (&json!("refunded by hand"), &Value::Null));
    let again = app.decide(resolve("refunded by hand")).await.expect_status(200).body;
    assert_eq!(again, first);
    app.decide(resolve("other")).await.expect_problem(409, "webhook_resolved");
    let audited = "select count(*) from audit_log
         where action = 'webhook.resolve' and details ->> 'note' = 'refunded by hand'";
    assert_eq!(app.count(audited).await, 1);
    app.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(app.replay_due().await, (0, 0));
    app.create_dead_letters(1).await;
    assert_eq!(app.letter("evt_00").await["resolvedAt"], Value::Null, "Stripe sent it again");
}

/// Concurrent replays of one dead letter apply it once.
#[tokio::test]
async fn concurrent_replays_apply_a_dead_letter_once() {
    let app = TestApp::new().await;
    app.subscribe_to_an_unknown_price("aira").await;
    let id = app.event("customer.subscription.created")["id"].clone();
    app.sell("aira").await;
    let replays = (0..8).map(|_| app.decide(json!({ "id": id, "action": "replay" })));
    for answer in futures_util::future::join_all(replays).await {
        assert!([200, 409].contains(&answer.status), "{answer:?}");
    }
    let changes = "select count(*) from billing_events where kind = 'subscription.created'";
    assert_eq!(app.count(changes).await, 1);
}
