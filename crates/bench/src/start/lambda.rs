//! Imitates Lambda for a function: the Runtime API, with one event.

use std::future::pending;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::call::Request;
use super::child::{Running, START_LIMIT, Start};
use crate::stack::Stack;

/// A call of the function to the Runtime API, with its time.
enum Sign {
    AskedForEvent(Instant),
    Answered(Instant, Bytes),
    Failed(Bytes),
}

struct RuntimeApi {
    /// `None` once the function has received it.
    event: Mutex<Option<String>>,
    signs: mpsc::UnboundedSender<Sign>,
}

pub async fn start(path: &Path, request: &Request, stack: &Stack) -> anyhow::Result<Start> {
    let (signs, mut seen) = mpsc::unbounded_channel();
    let event = Mutex::new(Some(event(request).to_string()));
    let router = runtime_api(Arc::new(RuntimeApi { event, signs }));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn(axum::serve(listener, router).into_future());
    let host = [
        ("AWS_LAMBDA_RUNTIME_API", address.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", "bench".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128".to_owned()),
    ];
    let running = Running::exec(path, stack, &host, request.encrypted)?;

    let watch = async {
        let mut ready = None;
        loop {
            match seen.recv().await.context("the Runtime API is gone")? {
                Sign::AskedForEvent(at) => ready = ready.or(Some(at)),
                Sign::Answered(at, answer) => {
                    check(&answer)?;
                    return anyhow::Ok((
                        ready.context("the function answered before it asked for an event")?,
                        at,
                    ));
                }
                Sign::Failed(error) => {
                    anyhow::bail!("the function failed: {}", String::from_utf8_lossy(&error));
                }
            }
        }
    };
    let (ready, answered) = timeout(START_LIMIT, watch).await??;
    let start = running.finish(ready, answered).await;
    serving.abort();
    start
}

fn runtime_api(state: Arc<RuntimeApi>) -> Router {
    let routes = Router::new()
        .route("/runtime/invocation/next", get(next))
        .route("/runtime/invocation/{id}/response", post(response))
        .route("/runtime/invocation/{id}/error", post(error))
        .route("/runtime/init/error", post(error));
    Router::new().nest("/2018-06-01", routes).with_state(state)
}

async fn next(State(api): State<Arc<RuntimeApi>>) -> Response {
    api.report(Sign::AskedForEvent(Instant::now()));
    let event = api.event.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(event) = event else { return pending().await };
    let headers = [
        ("lambda-runtime-aws-request-id", "00000000-0000-4000-8000-000000000000"),
        ("lambda-runtime-deadline-ms", "9999999999999"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:1:function:bench"),
    ];
    (headers, event).into_response()
}

async fn response(State(api): State<Arc<RuntimeApi>>, answer: Bytes) -> StatusCode {
    api.report(Sign::Answered(Instant::now(), answer));
    StatusCode::ACCEPTED
}

async fn error(State(api): State<Arc<RuntimeApi>>, error: Bytes) -> StatusCode {
    api.report(Sign::Failed(error));
    StatusCode::ACCEPTED
}

impl RuntimeApi {
    /// Reports a call. After the answer there is no receiver any more.
    fn report(&self, sign: Sign) {
        let _ = self.signs.send(sign);
    }
}

/// Returns the event that a function URL sends for the request, in payload format 2.0.
fn event(request: &Request) -> Value {
    let headers: serde_json::Map<String, Value> =
        request.headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "bench",
            "domainName": "bench.example",
            "domainPrefix": "bench",
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "bench",
            },
            "requestId": "00000000-0000-4000-8000-000000000000",
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1_767_225_600_000_u64,
        },
        "body": (!request.body.is_empty()).then_some(&request.body),
        "isBase64Encoded": false,
    })
}

fn check(answer: &[u8]) -> anyhow::Result<()> {
    let answer: Value = serde_json::from_slice(answer).context("the answer is not JSON")?;
    ensure!(answer["statusCode"] == 200, "the answer is {answer}");
    Ok(())
}
