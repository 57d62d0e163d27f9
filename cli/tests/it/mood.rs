//! `PATCH /api/mood` and `GET /api/dashboard`.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::TestApp;

/// AI-4, AI-5, with the documented commands.
#[tokio::test]
async fn a_mood_is_stored_and_returned() {
    let app = TestApp::new().await;
    let token = app.token("test-123");
    let empty = app.get("/api/dashboard?userId=test-123").bearer(&token).send().await;
    assert_eq!(empty.expect_status(200).body["conversations"], 0);

    let set = app.patch("/api/mood?userId=test-123").bearer(&token).json(json!({ "score": 8.5 }));
    assert_eq!(set.send().await.expect_status(200).body["mood_score"], 8.5);
    assert_eq!(app.stats("test-123").await["mood_score"], 8.5);
    assert_eq!(app.redis_command(&["HGET", "user:test-123:stats", "mood_score"]).await, "8.5");
}

/// AI-5: 0 to 10; a whole number is stored as one.
#[tokio::test]
async fn the_limits_of_the_scale_are_valid_scores() {
    let app = TestApp::new().await;
    for (score, kept) in [(json!(0), "0"), (json!(10), "10"), (json!(-0.0), "0"), (json!(8), "8")] {
        let call = app.patch("/api/mood").bearer(&app.token("ann")).json(json!({ "score": score }));
        call.send().await.expect_status(200);
        assert_eq!(app.redis_command(&["HGET", "user:ann:stats", "mood_score"]).await, kept);
    }
}

/// AI-5: a 400 that names the field, and nothing changes.
#[tokio::test]
async fn a_bad_score_is_named_and_changes_nothing() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    app.patch("/api/mood").bearer(&token).json(json!({ "score": 5 })).send().await;
    let before = app.redis_contents("ann").await;
    for score in [json!(-1), json!(10.1), json!("8"), Value::Null, json!([8]), json!({})] {
        let call = app.patch("/api/mood").bearer(&token).json(json!({ "score": score }));
        call.send().await.expect_invalid("score");
    }
    app.patch("/api/mood").bearer(&token).json(json!({})).send().await.expect_invalid("score");
    let extra = json!({ "score": 5, "plan": "Premium" });
    app.patch("/api/mood").bearer(&token).json(extra).send().await.expect_invalid("plan");
    assert_eq!(app.redis_contents("ann").await, before);
}

#[tokio::test]
async fn anything_but_a_json_object_is_refused() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    let mood = || app.patch("/api/mood").bearer(&token);
    for body in [
        "{\"score\": NaN}",
        "{\"score\": 1e999}",
        "{",
        "[]",
        "8",
        "\"\"",
        "\u{feff}{}",
        "{\"score\": 5, \"score\": 6}",
    ] {
        mood().raw(body).send().await.expect_problem(400, "malformed_json");
    }
    mood().send().await.expect_problem(400, "missing_body");
    let deep = "[".repeat(10_000);
    mood().raw(deep).send().await.expect_problem(400, "malformed_json");
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
        let answer = mood().typed(content_type, "{\"score\": 5}").send().await;
        answer.expect_problem(415, "unsupported_media_type");
    }
    mood()
        .typed("Application/JSON; charset=utf-8", "{\"score\": 5}")
        .send()
        .await
        .expect_status(200);
}

/// The length is refused before the body is read, announced or not.
#[tokio::test]
async fn a_body_of_two_megabytes_is_refused() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    let long = format!("{{\"score\": 5, \"pad\": \"{}\"}}", "x".repeat(2 * 1024 * 1024));
    let announced = app.patch("/api/mood").bearer(&token).raw(long.clone()).send().await;
    announced.expect_problem(413, "body_too_large");

    let pieces: Vec<Result<Vec<u8>, std::io::Error>> =
        long.as_bytes().chunks(8 * 1024).map(|piece| Ok(piece.to_vec())).collect();
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    let streamed = app.patch("/api/mood").bearer(&token).raw(stream).send().await;
    streamed.expect_problem(413, "body_too_large");
    assert_eq!(app.stats("ann").await["mood_score"], 0.0);
}

#[tokio::test]
async fn racing_moods_leave_one_of_them() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    let calls = (0..50).map(|n| {
        app.patch("/api/mood").bearer(&token).json(json!({ "score": f64::from(n) / 5.0 })).send()
    });
    for (n, answer) in join_all(calls).await.into_iter().enumerate() {
        let sent = f64::from(u32::try_from(n).unwrap()) / 5.0;
        assert_eq!(
            answer.expect_status(200).body["mood_score"],
            sent,
            "each answer has its own score"
        );
    }
}

/// A change takes two round trips to Redis, a read takes one, together with its limit.
#[tokio::test]
async fn a_mood_takes_two_flights_and_a_dashboard_one() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    let mood = || app.patch("/api/mood").bearer(&token).json(json!({ "score": 5 })).send();
    let dashboard = || app.get("/api/dashboard").bearer(&token).send();
    mood().await.expect_status(200);
    dashboard().await.expect_status(200);
    app.redis.flights();
    mood().await.expect_status(200);
    assert_eq!((app.redis.flights(), app.postgres.flights()), (2, 0));
    dashboard().await.expect_status(200);
    assert_eq!((app.redis.flights(), app.postgres.flights()), (1, 0));
}

/// A hash that another program corrupted is an error, not a zero.
#[tokio::test]
async fn spoiled_stats_are_not_shown_as_zeros() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    for (field, value) in [("conversations", "many"), ("mood_score", "nan")] {
        app.redis_command(&["HSET", "user:ann:stats", field, value]).await;
        let answer = app.get("/api/dashboard").bearer(&token).send().await;
        answer.expect_problem(500, "internal");
        app.redis_command(&["HDEL", "user:ann:stats", field]).await;
    }
    app.redis_command(&["DEL", "user:ann:stats"]).await;
    app.redis_command(&["SET", "user:ann:stats", "not a hash"]).await;
    let answer = app.post("/api/session").bearer(&token).send().await;
    answer.expect_problem(500, "internal");
}
