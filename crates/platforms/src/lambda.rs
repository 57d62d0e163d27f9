//! Lambda as a function sees it: the Runtime API, which provides events and receives answers, and
//! the HTTP API or function URL, which turn requests into events.

mod event;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context as _;
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response as HttpResponse};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{Process, Request, Response, Settings};
pub use event::{Encoding, Front, event};

/// The time that a function has for an event.
const DEADLINE_MS: i64 = 30_000;

/// A function that waits for events. As on AWS, it handles one at a time.
#[derive(Debug)]
pub struct Lambda {
    pub process: Process,
    pub ready: Instant,
    events: mpsc::UnboundedSender<Invocation>,
    serving: tokio::task::AbortHandle,
}

#[derive(Debug)]
struct Invocation {
    event: Value,
    outcome: oneshot::Sender<Outcome>,
}

/// The function's answer, or its error.
pub type Outcome = Result<Value, Value>;

#[derive(Debug)]
struct RuntimeApi {
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    running: Mutex<Option<(String, oneshot::Sender<Outcome>)>>,
    taken: AtomicU64,
    /// The moment at which the function first asked for an event.
    ready: watch::Sender<Option<Instant>>,
}

impl Lambda {
    pub async fn start(path: &Path, settings: &Settings) -> anyhow::Result<Self> {
        let (events, receiver) = mpsc::unbounded_channel();
        let (sender, mut ready) = watch::channel(None);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let serving = axum::serve(listener, runtime_api(receiver, sender)).into_future();
        let serving = tokio::spawn(serving).abort_handle();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let runtime = [
            ("AWS_LAMBDA_RUNTIME_API", address.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", name.clone()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "a-stream".to_owned()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("AWS_REGION", "eu-central-1".to_owned()),
        ];
        let runtime = runtime.map(|(name, value)| (name.to_owned(), value));
        let process = Process::start(path, settings.clone().into_iter().chain(runtime))?;
        let first_poll = process.unless_it_ends(ready.wait_for(Option::is_some)).await?;
        let ready = first_poll?.context("the function asked for no event")?;
        Ok(Self { process, ready, events, serving })
    }

    pub async fn send(&self, request: &Request) -> anyhow::Result<Response> {
        self.send_as(request, Front::HttpApi, Encoding::Text).await
    }

    pub async fn send_as(
        &self,
        request: &Request,
        front: Front,
        encoding: Encoding,
    ) -> anyhow::Result<Response> {
        let outcome = self.invoke(event(request, front, encoding)).await?;
        let answer = outcome.map_err(|error| anyhow::anyhow!("the function failed: {error}"))?;
        event::response(&answer)
    }

    /// The function's answer to an event, or its error.
    pub async fn invoke(&self, event: Value) -> anyhow::Result<Outcome> {
        let (outcome, outcome_comes) = oneshot::channel();
        self.events.send(Invocation { event, outcome }).context("the Runtime API is gone")?;
        self.process.unless_it_ends(outcome_comes).await?.context("the Runtime API is gone")
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn runtime_api(
    events: mpsc::UnboundedReceiver<Invocation>,
    ready: watch::Sender<Option<Instant>>,
) -> Router {
    let events = tokio::sync::Mutex::new(events);
    let state = RuntimeApi { events, running: Mutex::default(), taken: AtomicU64::new(0), ready };
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        // The process exits next, which its starter notices.
        .route("/2018-06-01/runtime/init/error", post(async || StatusCode::ACCEPTED))
        .with_state(Arc::new(state))
}

/// Hands out the next event when there is one.
async fn next(State(api): State<Arc<RuntimeApi>>) -> HttpResponse {
    api.ready.send_if_modified(|ready| ready.replace(ready.unwrap_or_else(Instant::now)).is_none());
    let Some(Invocation { event, outcome }) = api.events.lock().await.recv().await else {
        return std::future::pending().await;
    };
    let id = format!("invocation-{}", api.taken.fetch_add(1, Ordering::Relaxed));
    if api.running().replace((id.clone(), outcome)).is_some() {
        let early = "the function asked for an event before it answered the last";
        return (StatusCode::BAD_REQUEST, early).into_response();
    }
    let deadline = Timestamp::now().as_millisecond() + DEADLINE_MS;
    let headers = [
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-central-1:1:function:f".into()),
        ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0".into()),
    ];
    (headers, Json(event)).into_response()
}

async fn response(
    State(api): State<Arc<RuntimeApi>>,
    UrlPath(id): UrlPath<String>,
    answer: String,
) -> StatusCode {
    api.settle(&id, Ok(json(answer)))
}

async fn error(
    State(api): State<Arc<RuntimeApi>>,
    UrlPath(id): UrlPath<String>,
    error: String,
) -> StatusCode {
    api.settle(&id, Err(json(error)))
}

/// The runtime sends JSON, but does not say so.
fn json(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

impl RuntimeApi {
    fn running(&self) -> std::sync::MutexGuard<'_, Option<(String, oneshot::Sender<Outcome>)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, id: &str, outcome: Outcome) -> StatusCode {
        match self.running().take() {
            Some((running, waiting)) if running == id => {
                // The receiver is gone if the caller has given up.
                let _ = waiting.send(outcome);
                StatusCode::ACCEPTED
            }
            _ => StatusCode::BAD_REQUEST,
        }
    }
}
