//! The Upstash Redis client: typed commands, pipelines, transactions and scripts over REST.
//!
//! It stands in the place of a crate because the one there is needs nightly Rust and has neither
//! scripts nor timeouts. Deliberately absent: automatic retries. A command that may have run is
//! reported as such ([`RedisError::may_have_run`]), and only whoever sent it knows what that means.

mod batch;
mod command;
mod error;
pub(crate) mod keys;
pub mod limiter;
mod script;
pub mod scripts;

use std::fmt::Display;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, Request, Uri};
use bytes::Bytes;
use http_body_util::Full;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use batch::Queue;

pub use command::Command;
pub use error::RedisError;
pub use script::Script;

use crate::adapters::http_client::{Budget, CallError, HttpClient, HttpResponse};
use crate::config;

const CONNECT_TIME: Duration = Duration::from_secs(1);
const MAX_BYTES: usize = 10 * 1024 * 1024;

/// After a connection took its whole budget without coming, or so many answers in a row did not come
/// in time, calls fail at once for this long: a crowd does not queue for a Redis that is not there. A
/// refused connection costs no time, and is tried anew by every call.
const UNREACHABLE_FOR: Duration = Duration::from_secs(1);
const LATE_IN_A_ROW: usize = 5;

/// So many requests are on their way at once. More commands wait for their turn here, where it does not
/// count against their own time, instead of in a crowd where it would.
const IN_FLIGHT: usize = 32;
const WAIT_LIMIT: Duration = Duration::from_secs(1);

/// A handle to one Redis; clones share its connections.
#[derive(Clone, Debug)]
pub struct Redis(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: Arc<HttpClient>,
    budget: Budget,
    pipeline: Uri,
    transaction: Uri,
    authorization: HeaderValue,
    queue: Queue,
    in_flight: Semaphore,
    started: Instant,
    /// Milliseconds after `started` until which Redis counts as unreachable.
    unreachable_until_ms: AtomicU64,
    late_in_a_row: AtomicUsize,
}

/// What Upstash answers to one command: a result, which may be null, or an error.
#[derive(Debug, Deserialize)]
struct Reply {
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    error: Option<String>,
}

/// Null too is something that is there.
fn present<'de, D: Deserializer<'de>>(reply: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(reply).map(Some)
}

impl Redis {
    pub fn new(http: Arc<HttpClient>, config: &config::Redis) -> Result<Self, RedisError> {
        let base = config.url.as_str().trim_end_matches('/');
        let uri = |path: &str| format!("{base}{path}").parse::<Uri>().map_err(RedisError::not_sent);
        let bearer = format!("Bearer {}", config.token.expose());
        let mut authorization = HeaderValue::try_from(bearer).map_err(RedisError::not_sent)?;
        authorization.set_sensitive(true);
        let budget = Budget { connect: CONNECT_TIME, answer: config.timeout, max_bytes: MAX_BYTES };
        Ok(Self(Arc::new(Inner {
            http,
            budget,
            pipeline: uri("/pipeline")?,
            transaction: uri("/multi-exec")?,
            authorization,
            queue: Queue::default(),
            in_flight: Semaphore::new(IN_FLIGHT),
            started: Instant::now(),
            unreachable_until_ms: AtomicU64::new(0),
            late_in_a_row: AtomicUsize::new(0),
        })))
    }

    /// Sends one command.
    pub async fn run<T: DeserializeOwned>(&self, command: &Command) -> Result<T, RedisError> {
        let replies = self.send(slice::from_ref(command)).await?;
        let reply = replies.into_iter().next();
        let none = || RedisError::Unexpected("no reply to a command".to_owned());
        typed(reply.ok_or_else(none)?)
    }

    /// Sends several commands in one flight. Others' commands may run in between; one that fails
    /// leaves the rest as they are.
    pub async fn pipeline(&self, commands: &[Command]) -> Result<Vec<Value>, RedisError> {
        self.send(commands).await?.into_iter().map(typed).collect()
    }

    /// Sends several commands in one flight, carried out with nothing in between.
    pub async fn transaction(&self, commands: &[Command]) -> Result<Vec<Value>, RedisError> {
        let permit = self.permit().await?;
        let body = serde_json::to_vec(commands).map_err(RedisError::not_sent)?;
        let replies: Vec<Reply> = self.post(&self.0.transaction, body, permit).await?;
        replies.into_iter().map(typed).collect()
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

    async fn permit(&self) -> Result<SemaphorePermit<'_>, RedisError> {
        let permit = timeout(WAIT_LIMIT, self.0.in_flight.acquire()).await;
        permit.map_err(RedisError::not_sent)?.map_err(RedisError::not_sent)
    }

    async fn post<T: DeserializeOwned>(
        &self,
        uri: &Uri,
        body: Vec<u8>,
        _turn: SemaphorePermit<'_>,
    ) -> Result<T, RedisError> {
        let request = Request::post(uri)
            .header(AUTHORIZATION, &self.0.authorization)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(RedisError::not_sent)?;
        if self.since_start_ms() < self.0.unreachable_until_ms.load(Ordering::Relaxed) {
            return Err(RedisError::not_sent("Redis was unreachable a moment ago"));
        }
        let asked_ms = self.since_start_ms();
        let answer = self.0.http.call(request, self.0.budget).await;
        self.note(asked_ms, &answer);
        match answer {
            Ok(answer) => read(&answer),
            Err(CallError::MayHaveRun(cause)) => Err(RedisError::no_answer(cause)),
            Err(CallError::NotSent(cause)) => Err(RedisError::not_sent(cause)),
        }
    }

    /// Keeps count of what did not come in time.
    fn note(&self, asked_ms: u64, answer: &Result<HttpResponse, CallError>) {
        let now_ms = self.since_start_ms();
        let took = Duration::from_millis(now_ms - asked_ms);
        let is_unreachable = match answer {
            Err(CallError::NotSent(_)) => took >= self.0.budget.connect,
            Err(CallError::MayHaveRun(_)) if took >= self.0.budget.answer => {
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
fn read<T: DeserializeOwned>(answer: &HttpResponse) -> Result<T, RedisError> {
    if answer.status.is_success()
        && let Ok(good) = serde_json::from_slice(&answer.body)
    {
        return Ok(good);
    }
    match serde_json::from_slice(&answer.body) {
        Ok(Reply { error: Some(error), .. }) if answer.status.is_client_error() => {
            Err(RedisError::Refused(error))
        }
        _ => Err(RedisError::no_answer(format!(
            "an answer that is not Upstash's, with status {}",
            answer.status
        ))),
    }
}

fn typed<T: DeserializeOwned>(reply: Reply) -> Result<T, RedisError> {
    let unexpected = |error: &dyn Display| RedisError::Unexpected(error.to_string());
    match reply {
        Reply { error: Some(error), .. } => Err(RedisError::Refused(error)),
        Reply { result: Some(result), .. } => {
            serde_json::from_value(result).map_err(|error| unexpected(&error))
        }
        Reply { .. } => Err(unexpected(&"neither a result nor an error")),
    }
}
