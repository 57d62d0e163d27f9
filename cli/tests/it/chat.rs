//! `POST /api/chat/save`.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Mode, Setup, TestApp};

/// AI-3: the newest conversation comes first, and three are kept.
#[tokio::test]
async fn the_last_three_conversations_are_kept_newest_first() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    for summary in ["one", "two", "three", "four"] {
        let call = app.post("/api/chat/save").bearer(&token).json(json!({ "summary": summary }));
        call.send().await.expect_status(200);
    }
    let stats = app.stats("ann").await;
    assert_eq!(stats["conversations"], 4);
    assert_eq!(stats["recent_conversations"], json!(["four", "three", "two"]));
}

/// AI-3: atomic under concurrency.
#[tokio::test]
async fn five_hundred_racing_saves_are_all_counted() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    let calls = (0..500).map(|n| {
        let summary = format!("conversation {n}");
        app.post("/api/chat/save").bearer(&token).json(json!({ "summary": summary })).send()
    });
    let mut seen = join_all(calls).await;
    for answer in &seen {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    // Each answer shows the state after its own save. Sorted by count, each extends the one before
    // it.
    seen.sort_by_key(|answer| answer.body["conversations"].as_u64());
    for (at, pair) in seen.windows(2).enumerate() {
        assert_eq!(pair[0].body["conversations"], at + 1);
        let recent = |n: usize| pair[n].body["recent_conversations"].as_array().unwrap().clone();
        let kept = recent(0).into_iter().take(2).collect::<Vec<_>>();
        assert_eq!(recent(1)[1..], kept, "the newest is first, the others follow");
    }
    assert_eq!(app.stats("ann").await, seen.last().unwrap().body);
    assert_eq!(app.stats("ann").await["conversations"], 500);
}

#[tokio::test]
async fn any_text_survives_a_round_trip_through_redis() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    for summary in ["naïve — 🎉 \"quoted\" \\ / \n", "[]", "{\"a\":1}", "null", "0"] {
        let call = app.post("/api/chat/save").bearer(&token).json(json!({ "summary": summary }));
        assert_eq!(call.send().await.expect_status(200).body["recent_conversations"][0], summary);
    }
}

/// AI-3: the content becomes a `chat` entry of the history.
#[tokio::test]
async fn content_is_kept_in_the_history() {
    let app = TestApp::new().await;
    let body = json!({ "summary": "hello", "content": "a long talk" });
    let call = app.post("/api/chat/save").bearer(&app.token("ann")).json(body);
    call.send().await.expect_status(200);
    let kept = "select count(*) from history
                where user_id = 'ann' and kind = 'chat' and title = 'hello'
                  and result = 'a long talk'";
    assert_eq!(app.count(kept).await, 1);
}

#[tokio::test]
async fn retries_with_one_key_count_once_and_answer_the_same() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    let body = json!({ "summary": "hello", "content": "a long talk" });
    let save = || {
        let call = app.post("/api/chat/save").bearer(&token).json(body.clone());
        call.header("idempotency-key", "talk-1").send()
    };
    let answers = join_all((0..64).map(|_| save())).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (200, &answers[0].body));
    }
    assert_eq!(app.stats("ann").await["conversations"], 1);
    assert_eq!(app.count("select count(*) from history").await, 1);
}

#[tokio::test]
async fn a_key_used_with_another_body_is_refused() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    for (key, mut body) in [("short", json!({})), ("long", json!({ "content": "a long talk" }))] {
        let mut save = |summary: &str| {
            body["summary"] = json!(summary);
            let call = app.post("/api/chat/save").bearer(&token).json(body.clone());
            call.header("idempotency-key", key).send()
        };
        save("hello").await.expect_status(200);
        let before = app.redis_contents("ann").await;
        let entries = app.count("select count(*) from history").await;
        save("goodbye").await.expect_problem(422, "idempotency_key_reused");
        assert_eq!(app.redis_contents("ann").await, before);
        assert_eq!(app.count("select count(*) from history").await, entries);
    }
}

/// If one store has the key, the other store changes nothing.
#[tokio::test]
async fn a_key_is_refused_when_content_is_added_or_removed() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    let (short, long) = (json!({ "summary": "a" }), json!({ "summary": "a", "content": "b" }));
    for (key, first, second) in [("one", &short, &long), ("two", &long, &short)] {
        let save = |body: &serde_json::Value| {
            let call = app.post("/api/chat/save").bearer(&token).json(body.clone());
            call.header("idempotency-key", key).send()
        };
        save(first).await.expect_status(200);
        let before =
            (app.redis_contents("ann").await, app.count("select count(*) from history").await);
        save(second).await.expect_problem(422, "idempotency_key_reused");
        let after =
            (app.redis_contents("ann").await, app.count("select count(*) from history").await);
        assert_eq!(before, after);
    }
}

/// Both stores remember a key for a day.
#[tokio::test]
async fn an_idempotency_key_expires_after_a_day() {
    let app = Setup::default().set("AUTH_TOKEN_LIFETIME_HOURS", "72").start().await;
    let far = app.now().as_second() + 3 * 86_400;
    let token = app.token_with(json!({ "sub": "ann", "exp": far }));
    let save = || {
        let body = json!({ "summary": "a", "content": "b" });
        let call = app.post("/api/chat/save").bearer(&token).json(body);
        call.header("idempotency-key", "again").send()
    };
    save().await.expect_status(200);
    app.clock.advance(jiff::SignedDuration::from_hours(25));
    save().await.expect_status(200);
    assert_eq!(app.count("select count(*) from history").await, 2);
}

/// Keys are per user: two users may use the same key.
#[tokio::test]
async fn two_users_may_use_the_same_key() {
    let app = TestApp::new().await;
    for user in ["ann", "bob"] {
        let body = json!({ "summary": "hello", "content": "a talk" });
        let call = app.post("/api/chat/save").bearer(&app.token(user)).json(body);
        let answer = call.header("idempotency-key", "same").send().await.expect_status(200);
        assert_eq!(answer.body["conversations"], 1);
    }
    assert_eq!(app.count("select count(*) from history").await, 2);
}

#[tokio::test]
async fn bad_input_is_named_and_changes_nothing() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    let save = |body| app.post("/api/chat/save").bearer(&token).json(body).send();
    save(json!({})).await.expect_invalid("summary");
    for summary in [json!(""), json!("x".repeat(1_001)), json!("nul\u{0}"), json!(7), json!(null)] {
        save(json!({ "summary": summary })).await.expect_invalid("summary");
    }
    for content in [json!(""), json!("x".repeat(50_001)), json!(["talk"])] {
        let body = json!({ "summary": "hello", "content": content });
        save(body).await.expect_invalid("content");
    }
    save(json!({ "summary": "hello", "credits": 5 })).await.expect_invalid("credits");
    for key in ["", "with space", &"x".repeat(256)] {
        let call = app.post("/api/chat/save").bearer(&token).json(json!({ "summary": "hello" }));
        call.header("idempotency-key", key).send().await.expect_invalid("Idempotency-Key");
    }
    assert_eq!(app.stats("ann").await["conversations"], 0);
    assert_eq!(app.count("select count(*) from accounts").await, 0);
}

#[tokio::test]
async fn a_save_takes_two_flights_and_one_more_for_content() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    let save = |body| app.post("/api/chat/save").bearer(&token).json(body).send();
    let (short, long) = (json!({ "summary": "a" }), json!({ "summary": "a", "content": "b" }));
    save(long.clone()).await.expect_status(200);
    app.redis.flights();
    app.postgres.flights();
    save(short).await.expect_status(200);
    assert_eq!((app.redis.flights(), app.postgres.flights()), (2, 0));
    save(long).await.expect_status(200);
    assert_eq!((app.redis.flights(), app.postgres.flights()), (2, 1));
}

#[tokio::test]
async fn without_postgres_a_save_with_content_is_refused_and_one_without_is_not() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    app.postgres.set(Mode::Down).await;
    let save = |body| app.post("/api/chat/save").bearer(&token).json(body).send();
    let refused = save(json!({ "summary": "a", "content": "b" })).await;
    refused.expect_problem(503, "database_unavailable");
    assert_eq!(app.stats("ann").await["conversations"], 0);
    save(json!({ "summary": "a" })).await.expect_status(200);

    app.postgres.set(Mode::Pass).await;
    save(json!({ "summary": "a", "content": "b" })).await.expect_status(200);
    assert_eq!(app.stats("ann").await["conversations"], 2);
}

/// A failed save has already stored the content. The caller's retry counts the conversation, and
/// does not store the content again.
#[tokio::test]
async fn a_retry_after_redis_was_away_completes_the_save() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    let save = || {
        let body = json!({ "summary": "a", "content": "b" });
        let call = app.post("/api/chat/save").bearer(&token).json(body);
        call.header("idempotency-key", "once").send()
    };
    app.redis.set(Mode::Down).await;
    save().await.expect_problem(503, "redis_unavailable");
    app.redis.set(Mode::Pass).await;
    assert_eq!(save().await.expect_status(200).body["conversations"], 1);
    assert_eq!(app.count("select count(*) from history").await, 1);
}
