//! How Farebox's Redis client batches concurrent commands.

use futures_util::FutureExt as _;
use futures_util::future::{join, join_all};
use shared::adapters::redis::{Command, RedisError};

use crate::support::{Mode, TestApp};

/// Concurrent commands share requests, and each gets its own answer.
#[tokio::test]
async fn concurrent_commands_share_a_request() {
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

/// One command's error does not affect the others in its request.
#[tokio::test]
async fn an_error_of_one_command_does_not_affect_others() {
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

/// A lost answer is lost for all commands of the request, and each error says that the command may
/// have run.
#[tokio::test]
async fn a_lost_answer_fails_every_command_of_the_request() {
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

/// Canceling the command that sends the shared request does not lose the others.
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
