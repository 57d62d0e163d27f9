//! `/api/session`: signing in and out.

use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::json;
use shared::adapters::redis::limiter;

use crate::support::{Mode, Setup, TestApp};

/// AI-1: the hash and the string exist after the first sign-in, with the contract's values.
#[tokio::test]
async fn the_first_sign_in_creates_the_stats() {
    let app = TestApp::new().await;
    let today = app.now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
    let answer = app.post("/api/session").bearer(&app.token("ann")).send().await;
    let expected = json!({
        "conversations": 0, "mood_score": 0.0, "days_active": 1, "login_streak": 1,
        "recent_conversations": [], "plan": "Free", "last_login": today,
    });
    assert_eq!(answer.expect_status(200).body, expected);

    let key = "user:ann:stats";
    for (field, value) in [("conversations", "0"), ("mood_score", "0"), ("days_active", "1")] {
        assert_eq!(app.redis_command(&["HGET", key, field]).await, value);
    }
    assert_eq!(app.redis_command(&["HGET", key, "recent_conversations"]).await, "[]");
    assert_eq!(app.redis_command(&["HGET", key, "plan"]).await, "Free");
    assert_eq!(app.redis_command(&["GET", "user:ann:last_login"]).await, today.as_str());
    assert_eq!(app.redis_command(&["TTL", key]).await, -1, "no expiry");
    assert_eq!(app.redis_command(&["TTL", "user:ann:last_login"]).await, -1, "no expiry");
}

/// AI-1: creating twice changes nothing.
#[tokio::test]
async fn a_second_sign_in_of_a_day_changes_nothing() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    app.post("/api/session").bearer(&token).send().await.expect_status(200);
    app.patch("/api/mood").bearer(&token).json(json!({ "score": 7 })).send().await;
    let before = app.redis_contents("ann").await;
    app.post("/api/session").bearer(&token).send().await.expect_status(200);
    assert_eq!(app.redis_contents("ann").await, before);
}

/// AI-2: one day, however many sign-ins race.
#[tokio::test]
async fn two_hundred_racing_sign_ins_count_one_day() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    let calls = (0..200).map(|_| app.post("/api/session").bearer(&token).send());
    for answer in join_all(calls).await {
        assert_eq!(answer.expect_status(200).body["days_active"], 1);
    }
    assert_eq!(app.stats("ann").await["days_active"], 1);
    assert_eq!(app.stats("ann").await["login_streak"], 1);
}

/// AI-2: days and streak across midnight UTC, a repeated day, and a gap.
#[tokio::test]
async fn the_streak_counts_days_in_a_row() {
    let app = Setup::default().set("AUTH_TOKEN_LIFETIME_HOURS", "960").start().await;
    // A token that is valid for the whole test.
    let far = app.now().as_second() + 40 * 86_400;
    let token = app.token_with(json!({ "sub": "ann", "exp": far }));
    let sign_in = async || {
        let answer = app.post("/api/session").bearer(&token).send().await.expect_status(200);
        (answer.body["days_active"].clone(), answer.body["login_streak"].clone())
    };
    app.to_next_day(SignedDuration::from_secs(-1));
    assert_eq!(sign_in().await, (json!(1), json!(1)), "the last second of a day");
    app.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(sign_in().await, (json!(2), json!(2)), "the first second of the next");
    assert_eq!(sign_in().await, (json!(2), json!(2)), "the same day again");
    app.to_next_day(SignedDuration::from_hours(23));
    assert_eq!(sign_in().await, (json!(3), json!(3)), "a third day in a row");
    app.clock.advance(SignedDuration::from_hours(48));
    assert_eq!(sign_in().await, (json!(4), json!(1)), "after a day without one");
    app.clock.advance(SignedDuration::from_hours(-48));
    app.redis_command(&["DEL", &limiter::key("session", "user:ann")]).await;
    assert_eq!(sign_in().await, (json!(4), json!(1)), "a server whose clock is behind");
}

#[tokio::test]
async fn signing_in_with_an_idempotency_key_replays_the_first_answer() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    let sign_in =
        || app.post("/api/session").bearer(&token).header("idempotency-key", "monday").send();
    let first = sign_in().await.expect_status(200);
    app.patch("/api/mood").bearer(&token).json(json!({ "score": 7 })).send().await;
    assert_eq!(sign_in().await.expect_status(200).body, first.body);
}

/// AI-2: signing out changes no stats.
#[tokio::test]
async fn signing_out_keeps_the_stats() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    app.post("/api/session").bearer(&token).send().await.expect_status(200);
    let before = app.redis_contents("ann").await;
    let answer = app.delete("/api/session").bearer(&token).send().await.expect_status(204);
    assert_eq!(answer.header("clear-site-data"), "\"cache\"");
    assert_eq!(app.redis_contents("ann").await, before);
}

#[tokio::test]
async fn signing_in_takes_two_flights_to_redis_and_none_to_postgres() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    // The first call also sends the scripts.
    app.post("/api/session").bearer(&token).send().await.expect_status(200);
    app.redis.flights();
    app.post("/api/session").bearer(&token).send().await.expect_status(200);
    assert_eq!((app.redis.flights(), app.postgres.flights()), (2, 0));
}

#[tokio::test]
async fn signing_in_answers_503_when_redis_is_down() {
    let app = TestApp::new().await;
    app.redis.set(Mode::Down).await;
    let answer = app.post("/api/session").bearer(&app.token("ann")).send().await;
    answer.expect_problem(503, "redis_unavailable");
    app.redis.set(Mode::Pass).await;
    assert_eq!(app.stats("ann").await["days_active"], 0, "nothing was counted");
}
