//! The Upstash Redis client: typed commands, pipelines, transactions and scripts over REST.
//!
//! The existing crate, upstash-redis-rs, needs nightly Rust and has neither scripts nor timeouts.
//! Automatic retries are deliberately absent: [`RedisError::may_have_run`] reports a command that
//! may have run, and the caller decides whether to repeat it.

mod api_log;
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

use api_log::ApiLog;
use batch::Queue;

pub use command::Command;
pub use error::RedisError;
pub use script::Script;

use crate::adapters::http_client::{Budget, CallError, HttpClient, HttpResponse};
use crate::config;

const CONNECT_TIME: Duration = Duration::from_secs(1);
const MAX_BYTES: usize = 10 * 1024 * 1024;

/// How long calls fail immediately after a connection attempt timed out, or after [`LATE_IN_A_ROW`]
/// consecutive calls timed out. Requests then do not queue for an unreachable Redis. A refused
/// connection fails fast, so it does not start this pause.
const UNREACHABLE_FOR: Duration = Duration::from_secs(1);
const LATE_IN_A_ROW: usize = 5;

/// The maximum number of concurrent requests. Further commands wait in this process, and the wait
/// does not count against their timeout.
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
    api_log: ApiLog,
    in_flight: Semaphore,
    started: Instant,
    /// Milliseconds after `started` until which Redis counts as unreachable.
    unreachable_until_ms: AtomicU64,
    late_in_a_row: AtomicUsize,
}

/// Upstash's reply to one command: a result, which may be null, or an error.
#[derive(Debug, Deserialize)]
struct Reply {
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    error: Option<String>,
}

/// Reads a field that is present. Its value may be null.
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
            api_log: ApiLog::new(config.api_log),
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
        let none = || RedisError::Unexpected("a command got no reply".to_owned());
        typed(reply.ok_or_else(none)?)
    }

    /// Sends several commands in one request, not atomically: other clients' commands may run
    /// between them, and a failed command does not undo the others.
    pub async fn pipeline(&self, commands: &[Command]) -> Result<Vec<Value>, RedisError> {
        self.send(commands).await?.into_iter().map(typed).collect()
    }

    /// Sends several commands in one request, which Redis runs atomically.
    pub async fn transaction(&self, commands: &[Command]) -> Result<Vec<Value>, RedisError> {
        let permit = self.permit().await?;
        let body = serde_json::to_vec(commands).map_err(RedisError::not_sent)?;
        let replies: Vec<Reply> = self.post(&self.0.transaction, body, permit).await?;
        replies.into_iter().map(typed).collect()
    }

    /// Runs a script by its hash. If Redis does not have the script (`NOSCRIPT`), nothing ran, and
    /// the full source is sent once.
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
        _permit: SemaphorePermit<'_>,
    ) -> Result<T, RedisError> {
        let request = Request::post(uri)
            .header(AUTHORIZATION, &self.0.authorization)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(RedisError::not_sent)?;
        if self.since_start_ms() < self.0.unreachable_until_ms.load(Ordering::Relaxed) {
            return Err(RedisError::not_sent("Redis was unreachable within the last second"));
        }
        let sent_ms = self.since_start_ms();
        let answer = self.0.http.call(request, self.0.budget).await;
        self.record_outcome(sent_ms, &answer);
        match answer {
            Ok(answer) => read(&answer),
            Err(CallError::MayHaveRun(cause)) => Err(RedisError::no_answer(cause)),
            Err(CallError::NotSent(cause)) => Err(RedisError::not_sent(cause)),
        }
    }

    /// Marks Redis as unreachable after a connection timeout or too many consecutive timeouts.
    fn record_outcome(&self, sent_ms: u64, answer: &Result<HttpResponse, CallError>) {
        let now_ms = self.since_start_ms();
        let took = Duration::from_millis(now_ms - sent_ms);
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

/// Reads the body as `T` or as Upstash's error. Any other body, and every 5xx status, leaves
/// unknown whether the commands ran.
fn read<T: DeserializeOwned>(answer: &HttpResponse) -> Result<T, RedisError> {
    if answer.status.is_success()
        && let Ok(parsed) = serde_json::from_slice(&answer.body)
    {
        return Ok(parsed);
    }
    match serde_json::from_slice(&answer.body) {
        Ok(Reply { error: Some(error), .. }) if answer.status.is_client_error() => {
            Err(RedisError::Refused(error))
        }
        _ => Err(RedisError::no_answer(format!(
            "the response is not in Upstash's format (status {})",
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
        Reply { .. } => Err(unexpected(&"the reply has neither a result nor an error")),
    }
}
