//! Lambda as a function sees it: the Runtime API, which provides events and receives answers, and
//! the HTTP API or function URL, which turn requests into events.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};

use super::binary::Binary;
use super::request::Request;
use crate::support::{ApiResponse, listen};

/// The AWS service between the caller and the function.
#[derive(Clone, Copy, Debug)]
pub enum Front {
    HttpApi,
    FunctionUrl,
}

/// The encoding of a body inside an event.
#[derive(Clone, Copy, Debug)]
pub enum Encoding {
    Text,
    Base64,
}

/// A function that waits for events. As on AWS, it handles one at a time.
pub struct Lambda {
    binary: Binary,
    events: mpsc::UnboundedSender<Invocation>,
}

struct Invocation {
    event: Value,
    outcome: oneshot::Sender<Outcome>,
}

/// The function's answer, or its error.
type Outcome = Result<Value, Value>;

struct RuntimeApi {
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    running: Mutex<Option<(String, oneshot::Sender<Outcome>)>>,
    taken: AtomicU64,
}

impl Lambda {
    pub async fn start(name: &str, settings: &BTreeMap<String, String>) -> Self {
        let (events, receiver) = mpsc::unbounded_channel();
        let address = listen(runtime_api(receiver)).await.address;
        let runtime = [
            ("AWS_LAMBDA_RUNTIME_API", address.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", name.to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "a-stream".to_owned()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("AWS_REGION", "eu-central-1".to_owned()),
        ];
        let runtime = runtime.map(|(name, value)| (name.to_owned(), value));
        let binary = Binary::start(name, settings.clone().into_iter().chain(runtime)).await;
        Self { binary, events }
    }

    pub async fn send(&self, request: &Request) -> ApiResponse {
        self.send_as(request, Front::HttpApi, Encoding::Text).await
    }

    pub async fn send_as(
        &self,
        request: &Request,
        front: Front,
        encoding: Encoding,
    ) -> ApiResponse {
        answer(&self.invoke(event(request, front, encoding)).await)
    }

    /// The function's answer to an event.
    pub async fn invoke(&self, event: Value) -> Value {
        let (outcome, outcome_comes) = oneshot::channel();
        self.events.send(Invocation { event, outcome }).expect("the Runtime API is gone");
        let outcome = self.binary.unless_it_ends(outcome_comes).await.expect("it ended").unwrap();
        outcome.unwrap_or_else(|error| panic!("the function failed: {error}"))
    }
}

fn runtime_api(events: mpsc::UnboundedReceiver<Invocation>) -> Router {
    let events = tokio::sync::Mutex::new(events);
    let state = RuntimeApi { events, running: Mutex::default(), taken: AtomicU64::new(0) };
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .with_state(Arc::new(state))
}

/// Hands out the next event when there is one.
async fn next(State(api): State<Arc<RuntimeApi>>) -> impl IntoResponse {
    let Some(Invocation { event, outcome }) = api.events.lock().await.recv().await else {
        return std::future::pending().await;
    };
    let id = format!("invocation-{}", api.taken.fetch_add(1, Ordering::Relaxed));
    let unanswered = api.running.lock().unwrap().replace((id.clone(), outcome));
    assert!(unanswered.is_none(), "the function asks for an event before it answered the last");
    let deadline = Timestamp::now().as_millisecond() + 30_000;
    let headers = [
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-central-1:1:function:f".into()),
        ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0".into()),
    ];
    (headers, Json(event))
}

async fn response(
    State(api): State<Arc<RuntimeApi>>,
    Path(id): Path<String>,
    answer: String,
) -> StatusCode {
    api.settle(&id, Ok(serde_json::from_str(&answer).unwrap()))
}

async fn error(
    State(api): State<Arc<RuntimeApi>>,
    Path(id): Path<String>,
    error: String,
) -> StatusCode {
    api.settle(&id, Err(serde_json::from_str(&error).unwrap()))
}

/// The process exits next, which the test detects.
async fn init_error(error: String) -> StatusCode {
    eprintln!("the function could not start: {error}");
    StatusCode::ACCEPTED
}

impl RuntimeApi {
    fn settle(&self, id: &str, outcome: Outcome) -> StatusCode {
        match self.running.lock().unwrap().take() {
            Some((running, waiting)) if running == id => {
                // The receiver is gone if the test has ended.
                let _ = waiting.send(outcome);
                StatusCode::ACCEPTED
            }
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// A request as an event of payload format 2.0.
pub fn event(request: &Request, front: Front, encoding: Encoding) -> Value {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let method = &request.method;
    let from = request.from.to_string();
    let (domain, account, route) = match front {
        Front::HttpApi => (
            "id.execute-api.eu-central-1.amazonaws.com",
            "123456789012",
            format!("{method} {path}"),
        ),
        Front::FunctionUrl => {
            ("id.lambda-url.eu-central-1.on.aws", "anonymous", "$default".to_owned())
        }
    };
    let mut event = json!({
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers(request, domain),
        "requestContext": {
            "accountId": account,
            "apiId": "id",
            "domainName": domain,
            "domainPrefix": "id",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": from,
                "userAgent": "a-browser",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": route,
            "stage": "$default",
            "time": "14/Nov/2026:09:30:00 +0000",
            "timeEpoch": 1_794_648_600_000_u64,
        },
        "isBase64Encoded": matches!(encoding, Encoding::Base64),
    });
    if !request.body.is_empty() {
        event["body"] = match encoding {
            Encoding::Text => str::from_utf8(&request.body).unwrap().into(),
            Encoding::Base64 => STANDARD.encode(&request.body).into(),
        };
    }
    event
}

/// The caller's headers, repeated ones joined, and those that AWS adds. AWS keeps the address that
/// a caller claims, and appends the real one.
fn headers(request: &Request, domain: &str) -> Map<String, Value> {
    let mut headers = BTreeMap::<&str, Vec<String>>::new();
    for (name, value) in &request.headers {
        headers.entry(name).or_default().push(value.clone());
    }
    headers.entry("x-forwarded-for").or_default().push(request.from.to_string());
    headers.insert("host", vec![domain.to_owned()]);
    headers.insert("user-agent", vec!["a-browser".to_owned()]);
    headers.insert("x-forwarded-port", vec!["443".to_owned()]);
    headers.insert("x-forwarded-proto", vec!["https".to_owned()]);
    if request.announces_length {
        headers.insert("content-length", vec![request.body.len().to_string()]);
    }
    let joined = headers.into_iter().map(|(name, all)| (name.to_owned(), all.join(",").into()));
    joined.collect()
}

/// The HTTP response that AWS would send for the function's answer.
fn answer(returned: &Value) -> ApiResponse {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &Value| {
        let value = HeaderValue::from_str(value.as_str().unwrap()).unwrap();
        headers.append(HeaderName::try_from(name).unwrap(), value);
    };
    for (name, value) in returned["headers"].as_object().into_iter().flatten() {
        add(name, value);
    }
    for cookie in returned["cookies"].as_array().into_iter().flatten() {
        add("set-cookie", cookie);
    }
    let text = returned["body"].as_str().unwrap_or_default();
    let text = match returned["isBase64Encoded"].as_bool() {
        Some(true) => String::from_utf8(STANDARD.decode(text).unwrap()).unwrap(),
        _ => text.to_owned(),
    };
    let status = returned["statusCode"].as_u64().and_then(|status| status.try_into().ok());
    let body = serde_json::from_str(&text).unwrap_or_default();
    ApiResponse { status: status.unwrap(), headers, text, body }
}
