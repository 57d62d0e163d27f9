//! `GET` and `DELETE /api/account`.

mod checkouts;
mod export;
mod outages;
mod races;
mod traces;

use futures_util::future::join_all;
use ring::digest::{SHA256, digest};
use serde_json::json;
use shared::domain::hash::hex;

use crate::support::{Setup, TestApp, until};

async fn with_history(app: &TestApp, user: &str) {
    let body = json!({ "summary": "hello", "content": "a talk" });
    let call = app.post("/api/chat/save").bearer(&app.token(user)).json(body);
    call.send().await.expect_status(200);
    app.post("/api/session").bearer(&app.token(user)).send().await.expect_status(200);
}

/// AI-2: deleting an account removes everything of its user, and nothing of another user.
#[tokio::test]
async fn erasure_removes_one_user_completely_and_no_other() {
    let app = TestApp::new().await;
    with_history(&app, "ann").await;
    with_history(&app, "bob").await;
    let bobs = app.redis_contents("bob").await;
    app.delete("/api/account").bearer(&app.token("ann")).send().await.expect_status(204);

    assert_eq!(app.redis_command(&["EXISTS", "user:ann:stats", "user:ann:last_login"]).await, 0);
    assert_eq!(app.count("select count(*) from accounts where id = 'ann'").await, 0);
    assert_eq!(app.count("select count(*) from history where user_id = 'ann'").await, 0);
    assert_eq!(app.redis_contents("bob").await, bobs);
    assert_eq!(app.count("select count(*) from history where user_id = 'bob'").await, 1);
}

/// A token outlives its account. No route recreates the account from it.
#[tokio::test]
async fn an_erased_account_stays_erased() {
    let app = TestApp::new().await;
    with_history(&app, "ann").await;
    let token = app.token("ann");
    app.delete("/api/account").bearer(&token).send().await.expect_status(204);

    let calls = [
        app.post("/api/session").bearer(&token),
        app.get("/api/dashboard").bearer(&token),
        app.patch("/api/mood").bearer(&token).json(json!({ "score": 5 })),
        app.post("/api/chat/save").bearer(&token).json(json!({ "summary": "a" })),
        app.post("/api/chat/save").bearer(&token).json(json!({ "summary": "a", "content": "b" })),
    ];
    for call in calls {
        call.send().await.expect_problem(403, "account_erased");
    }
    assert_eq!(app.redis_command(&["EXISTS", "user:ann:stats"]).await, 0);
    assert_eq!(app.count("select count(*) from accounts").await, 0);
    let mark = format!("erased:{}", hex(digest(&SHA256, b"ann").as_ref()));
    let seconds = app.redis_command(&["TTL", &mark]).await.as_i64().unwrap();
    assert!((86_000..=86_460).contains(&seconds), "expected a token's lifetime, got {seconds} s");
}

/// Responses stored under idempotency keys contain text of the user. Deletion removes today's and
/// yesterday's.
#[tokio::test]
async fn stored_responses_are_deleted_with_the_account() {
    let app = Setup::default().set("AUTH_TOKEN_LIFETIME_HOURS", "72").start().await;
    let far = app.now().as_second() + 3 * 86_400;
    let token = app.token_with(json!({ "sub": "ann", "exp": far }));
    let save = |key: &'static str| {
        let call = app.post("/api/chat/save").bearer(&token).json(json!({ "summary": "private" }));
        call.header("idempotency-key", key).send()
    };
    save("one").await.expect_status(200);
    app.to_next_day(jiff::SignedDuration::from_secs(1));
    save("two").await.expect_status(200);
    // Limits expire by themselves.
    let kept = async || {
        let keys = app.redis_command(&["KEYS", "*"]).await;
        let keys = keys.as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned());
        keys.filter(|key| !key.starts_with("limit:")).collect::<Vec<_>>()
    };
    let before = kept().await;
    assert_eq!(before.len(), 5, "stats, two responses, two indexes: {before:?}");
    app.delete("/api/account").bearer(&token).send().await.expect_status(204);
    let after = kept().await;
    assert!(after.len() == 1 && after[0].starts_with("erased:"), "{after:?}");
}

/// A deletion completes even if the caller disconnects.
#[tokio::test]
async fn a_deletion_completes_after_its_caller_disconnects() {
    let app = TestApp::new().await;
    for round in 0..30 {
        let user = format!("ann-{round}");
        with_history(&app, &user).await;
        let delete = app.delete("/api/account").bearer(&app.token(&user)).send();
        let impatient = std::time::Duration::from_micros(300 * round);
        let _ = tokio::time::timeout(impatient, delete).await;
    }
    // Some requests were never sent. For each one that reached Postgres, Redis is cleared too.
    for round in 0..30 {
        let user = format!("ann-{round}");
        let there = format!("select count(*) from accounts where id = '{user}'");
        let stats = format!("user:{user}:stats");
        let agree =
            async || app.count(&there).await == app.redis_command(&["EXISTS", &stats]).await;
        until(agree).await;
    }
}

#[tokio::test]
async fn repeated_and_concurrent_deletions_are_idempotent() {
    let app = TestApp::new().await;
    with_history(&app, "ann").await;
    let token = app.token("ann");
    let calls = (0..8).map(|_| app.delete("/api/account").bearer(&token).send());
    for answer in join_all(calls).await {
        answer.expect_status(204);
    }
    app.delete("/api/account").bearer(&token).send().await.expect_status(204);
    assert_eq!(app.count("select count(*) from erased_users").await, 1);
}

/// In either order, only the erasure mark of the user is left in Postgres.
#[tokio::test]
async fn a_save_that_races_the_deletion_leaves_nothing() {
    let app = TestApp::new().await;
    for round in 0..10 {
        let user = format!("ann-{round}");
        let token = app.token(&user);
        let save = || {
            let body = json!({ "summary": "a", "content": "b" });
            app.post("/api/chat/save").bearer(&token).json(body).send()
        };
        let delete = app.delete("/api/account").bearer(&token).send();
        let (_, deleted) = tokio::join!(join_all((0..8).map(|_| save())), delete);
        deleted.expect_status(204);
        assert_eq!(app.redis_command(&["EXISTS", &format!("user:{user}:stats")]).await, 0);
    }
    assert_eq!(app.count("select count(*) from accounts").await, 0);
    assert_eq!(app.count("select count(*) from history").await, 0);
}
