//! What Farebox's own client makes of many commands at once.

use futures_util::FutureExt as _;
use futures_util::future::{join, join_all};
use shared::adapters::redis::{Command, RedisError};

use crate::support::{Mode, TestApp};

/// A crowd's commands share requests, and each has its own answer.
#[tokio::test]
async fn commands_of_one_moment_share_a_request() {
    let app = TestApp::new().await;
    let redis = app.inside().redis.clone();
    app.redis.flights();
    let asked = (0..1_000).map(async |n: u32| {
        let key = format!("key-{n}");
        redis.run::<String>(&Command::set(&key, &n.to_string(), 60)).await.unwrap();
        let commands = [Command::get(&key), Command::exists(&key)];
        let answers = redis.pipeline(&commands).await.unwrap();
        assert_eq!(answers, [n.to_string().into(), serde_json::Value::from(1)]);
    });
    join_all(asked).await;
    let flights = app.redis.flights();
    assert!((2..=200).contains(&flights), "{flights} for 3,000 commands");
}

/// What one command is refused is nobody else's concern.
#[tokio::test]
async fn a_refusal_is_its_commands_alone() {
    let app = TestApp::new().await;
    let redis = app.inside().redis.clone();
    redis.run::<String>(&Command::set("text", "a", 60)).await.unwrap();
    app.redis.flights();
    let (odd, text) = (Command::hgetall("text"), Command::get("text"));
    let (odd, text) = join(redis.run::<Vec<String>>(&odd), redis.run::<String>(&text)).await;
    assert!(matches!(odd, Err(RedisError::Refused(why)) if why.starts_with("WRONGTYPE")));
    assert_eq!(text.unwrap(), "a");
    assert_eq!(app.redis.flights(), 1);
}

/// An answer that is lost is lost for all, and all are told that their commands may have run.
#[tokio::test]
async fn a_lost_answer_is_everybodys() {
    let app = TestApp::new().await;
    let redis = app.inside().redis.clone();
    app.redis.set(Mode::LoseAnswer(1)).await;
    let set = async |key| redis.run::<String>(&Command::set(key, "a", 60)).await;
    let (one, other) = join(set("one"), set("other")).await;
    assert!(one.is_err_and(|error| error.may_have_run()));
    assert!(other.is_err_and(|error| error.may_have_run()));
    app.redis.set(Mode::Pass).await;
    assert_eq!(app.redis_command(&["EXISTS", "one", "other"]).await, 2);
}

/// Whoever was to send the others' commands too may leave.
#[tokio::test]
async fn a_canceled_command_does_not_lose_the_others() {
    let app = TestApp::new().await;
    let redis = app.inside().redis.clone();
    let (first, second) = (Command::set("first", "a", 60), Command::set("second", "a", 60));
    let mut leaving = Box::pin(redis.run::<String>(&first));
    let mut staying = Box::pin(redis.run::<String>(&second));
    assert!((&mut leaving).now_or_never().is_none());
    assert!((&mut staying).now_or_never().is_none());
    drop(leaving);
    assert_eq!(staying.await.unwrap(), "OK");
}
