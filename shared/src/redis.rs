//! The Upstash Redis client: typed commands, pipelines, transactions and scripts over REST.
//!
//! It stands in the place of a crate because the one there is needs nightly Rust and has neither
//! scripts nor timeouts. Deliberately absent: automatic retries. A command that may have run is
//! reported as such ([`RedisError::may_have_run`]), and only whoever sent it knows what that means.

mod command;
mod error;
mod script;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, Request, Uri};
use bytes::Bytes;
use http_body_util::Full;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use command::Command;
pub use error::RedisError;
pub use script::Script;

use crate::config;
use crate::http_client::{Answer, Budget, CallError, HttpClient};

/// Redis has 200 ms once connected: a cache that takes longer is slower than the truth.
const BUDGET: Budget = Budget {
    connect: Duration::from_secs(1),
    answer: Duration::from_millis(200),
    max_bytes: 10 * 1024 * 1024,
};

/// After a connection took its whole budget without coming, or so many answers in a row did not come
/// in time, calls fail at once for this long: a crowd does not queue for a Redis that is not there. A
/// refused connection costs no time, and is tried anew by every call.
const UNREACHABLE_FOR: Duration = Duration::from_secs(1);
const LATE_IN_A_ROW: usize = 5;

/// So many commands are on their way at once. More wait for their turn here, where it does not count
/// against their 200 ms, instead of in a crowd where it would.
const IN_FLIGHT: usize = 32;
const TURN: Duration = Duration::from_secs(1);

/// A handle to one Redis; clones share its connections.
#[derive(Clone, Debug)]
pub struct Redis(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: Arc<HttpClient>,
    root: Uri,
    pipeline: Uri,
    transaction: Uri,
    authorization: HeaderValue,
    in_flight: Semaphore,
    started: Instant,
    /// Milliseconds after `started` until which Redis counts as unreachable.
    unreachable_until_ms: AtomicU64,
    late_in_a_row: AtomicUsize,
}

/// What Upstash answers to one command.
#[derive(Deserialize)]
#[serde(untagged)]
enum Reply {
    Result { result: Value },
    Error { error: String },
}

impl Redis {
    pub fn new(http: Arc<HttpClient>, config: &config::Redis) -> Result<Self, RedisError> {
        let base = config.url.as_str().trim_end_matches('/');
        let uri = |path: &str| format!("{base}{path}").parse::<Uri>().map_err(RedisError::not_sent);
        let bearer = format!("Bearer {}", config.token.expose());
        let mut authorization = HeaderValue::try_from(bearer).map_err(RedisError::not_sent)?;
        authorization.set_sensitive(true);
        Ok(Self(Arc::new(Inner {
            http,
            root: uri("")?,
            pipeline: uri("/pipeline")?,
            transaction: uri("/multi-exec")?,
            authorization,
            in_flight: Semaphore::new(IN_FLIGHT),
            started: Instant::now(),
            unreachable_until_ms: AtomicU64::new(0),
            late_in_a_row: AtomicUsize::new(0),
        })))
    }

    /// Sends one command.
    pub async fn run<T: DeserializeOwned>(&self, command: &Command) -> Result<T, RedisError> {
        let reply = self.post(&self.0.root, command).await?;
        typed(value(reply)?)
    }

    /// Sends several commands in one flight. Others' commands may run in between; one that fails
    /// leaves the rest as they are.
    pub async fn pipeline(&self, commands: &[Command]) -> Result<Vec<Value>, RedisError> {
        let replies: Vec<Reply> = self.post(&self.0.pipeline, commands).await?;
        replies.into_iter().map(value).collect()
    }

    /// Sends several commands in one flight, carried out with nothing in between.
    pub async fn transaction(&self, commands: &[Command]) -> Result<Vec<Value>, RedisError> {
        let replies: Vec<Reply> = self.post(&self.0.transaction, commands).await?;
        replies.into_iter().map(value).collect()
    }

    /// Runs a script by its hash. Where Redis does not have it yet, which is also how it says that
    /// nothing ran, sends the whole script once.
    pub async fn eval<T: DeserializeOwned>(
        &self,
        script: &Script,
        keys: &[&str],
        args: &[&str],
    ) -> Result<T, RedisError> {
        let by_hash = Command::new("EVALSHA").arg(script.sha1()).keys_and_args(keys, args);
        match self.run(&by_hash).await {
            Err(RedisError::Refused(message)) if message.starts_with("NOSCRIPT") => {
                let whole = Command::new("EVAL").arg(script.source()).keys_and_args(keys, args);
                self.run(&whole).await
            }
            answer => answer,
        }
    }

    async fn post<T: DeserializeOwned>(
        &self,
        uri: &Uri,
        body: &(impl serde::Serialize + ?Sized),
    ) -> Result<T, RedisError> {
        let body = serde_json::to_vec(body).map_err(RedisError::not_sent)?;
        let request = Request::post(uri)
            .header(AUTHORIZATION, &self.0.authorization)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(RedisError::not_sent)?;
        let turn = timeout(TURN, self.0.in_flight.acquire()).await;
        let _turn = turn.map_err(RedisError::not_sent)?.map_err(RedisError::not_sent)?;
        if self.since_start_ms() < self.0.unreachable_until_ms.load(Ordering::Relaxed) {
            return Err(RedisError::not_sent("Redis was unreachable a moment ago"));
        }
        let asked_ms = self.since_start_ms();
        let answer = self.0.http.call(request, BUDGET).await;
        self.note(asked_ms, &answer);
        match answer {
            Ok(answer) => read(&answer),
            Err(CallError::MayHaveRun(cause)) => Err(RedisError::MayHaveRun(cause)),
            Err(CallError::NotSent(cause)) => Err(RedisError::NotSent(cause)),
        }
    }

    /// Keeps count of what did not come in time.
    fn note(&self, asked_ms: u64, answer: &Result<Answer, CallError>) {
        let now_ms = self.since_start_ms();
        let took = Duration::from_millis(now_ms - asked_ms);
        let is_unreachable = match answer {
            Err(CallError::NotSent(_)) => took >= BUDGET.connect,
            Err(CallError::MayHaveRun(_)) if took >= BUDGET.answer => {
                self.0.late_in_a_row.fetch_add(1, Ordering::Relaxed) + 1 >= LATE_IN_A_ROW
            }
            _ => {
                self.0.late_in_a_row.store(0, Ordering::Relaxed);
                false
            }
        };
        if is_unreachable {
            let until_ms = now_ms + UNREACHABLE_FOR.as_millis() as u64;
            self.0.unreachable_until_ms.store(until_ms, Ordering::Relaxed);
        }
    }

    fn since_start_ms(&self) -> u64 {
        self.0.started.elapsed().as_millis() as u64
    }
}

/// The body is what it should be, or an error that Upstash phrased, or garbage. A server's error
/// says nothing about what was done before it.
fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, RedisError> {
    if answer.status.is_success()
        && let Ok(good) = serde_json::from_slice(&answer.body)
    {
        return Ok(good);
    }
    match serde_json::from_slice(&answer.body) {
        Ok(Reply::Error { error }) if answer.status.is_client_error() => {
            Err(RedisError::Refused(error))
        }
        _ => Err(RedisError::MayHaveRun(
            format!("an answer that is not Upstash's, with status {}", answer.status).into(),
        )),
    }
}

fn value(reply: Reply) -> Result<Value, RedisError> {
    match reply {
        Reply::Result { result } => Ok(result),
        Reply::Error { error } => Err(RedisError::Refused(error)),
    }
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, RedisError> {
    serde_json::from_value(value).map_err(|error| RedisError::Unexpected(error.to_string()))
}
