//! Stripe's API over HTTP: authentication, idempotency, responses and errors.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State as Given};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::api::form::{self, Node};
use crate::api::idempotency::StoredResponse;
use crate::api::{self, Verb};
use crate::error::StripeError;
use crate::simulator::Simulator;
use crate::world::API_VERSION;

const MAX_BODY_BYTES: usize = 1_000_000;

pub fn router(simulator: Simulator) -> Router {
    Router::new().route("/v1/{*path}", any(answer)).with_state(simulator)
}

/// An authenticated and parsed request.
#[derive(Debug)]
struct ApiRequest {
    id: String,
    verb: Verb,
    path: String,
    given: Node,
    /// The idempotency key and the encoded parameters.
    key: Option<(String, String)>,
}

#[derive(Debug)]
struct ApiResponse {
    status: StatusCode,
    body: Value,
    /// The first request with the same idempotency key.
    replay_of: Option<String>,
}

async fn answer(Given(simulator): Given<Simulator>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let id = simulator.read(|world| world.new_id("req"));
    let request_read = match to_bytes(body, MAX_BODY_BYTES).await {
        Ok(body) => parse(&simulator, &head, &body, &id),
        Err(_) => Err(invalid("The request body must be at most 1 MB.".to_owned())),
    };
    let (answer, held_ms) = match request_read {
        Ok(request_read) => run(&simulator, request_read),
        Err(error) => (ApiResponse::refused(error), 0),
    };
    let key = key_of(&head.headers);
    if held_ms > 0 {
        tokio::time::sleep(Duration::from_millis(held_ms.into())).await;
        simulator.enter(&Value::Null, |state| state.keys.set_in_flight(&key, false));
    }
    wire_response(&simulator, answer, &key, &id)
}

fn parse(
    simulator: &Simulator,
    head: &Parts,
    body: &[u8],
    id: &str,
) -> Result<ApiRequest, StripeError> {
    authenticate(&head.headers, simulator.secret_key())?;
    let method = &head.method;
    let verb = Verb::of(method)
        .ok_or_else(|| invalid(format!("Unrecognized request method: {method}.")))?;
    let mut given = Node::empty();
    form::read(&mut given, head.uri.query().unwrap_or_default().as_bytes())?;
    form::read(&mut given, body)?;
    let key = key_of(&head.headers);
    let key = (verb == Verb::Post && !key.is_empty())
        .then(|| (key, String::from_utf8_lossy(body).into_owned()));
    Ok(ApiRequest { id: id.to_owned(), verb, path: head.uri.path().to_owned(), given, key })
}

/// Runs a request under the world's lock. Also returns how long to delay the response, in
/// milliseconds.
fn run(simulator: &Simulator, request_read: ApiRequest) -> (ApiResponse, u32) {
    let key = request_read.key.as_ref().map(|(key, _)| key.as_str());
    let request = json!({ "id": request_read.id, "idempotency_key": key });
    simulator.enter(&request, |state| {
        state.changed |= request_read.verb != Verb::Get;
        let held_ms = state.switches.answer_after_ms;
        let Some((key, form)) = request_read.key else {
            return (
                ApiResponse::of(api::request(
                    &mut state.world,
                    request_read.verb,
                    &request_read.path,
                    request_read.given,
                )),
                held_ms,
            );
        };
        let now = state.world.now();
        match state.keys.recall(&key, &request_read.path, &form, now) {
            Err(error) => (ApiResponse::refused(error), 0),
            Ok(Some(first)) => (ApiResponse::replayed(first), held_ms),
            Ok(None) => {
                let asked_of = api::request(
                    &mut state.world,
                    request_read.verb,
                    &request_read.path,
                    request_read.given,
                );
                let answer = ApiResponse::of(asked_of);
                let (path, request_id) = (request_read.path, request_read.id);
                let (status, body) = (answer.status.as_u16(), answer.body.clone());
                let first = StoredResponse { path, form, at: now, request_id, status, body };
                state.keys.remember(&key, first);
                state.keys.set_in_flight(&key, held_ms > 0);
                (answer, held_ms)
            }
        }
    })
}

impl ApiResponse {
    fn of(result: Result<Value, StripeError>) -> Self {
        match result {
            Ok(body) => Self { status: StatusCode::OK, body, replay_of: None },
            Err(error) => Self::refused(error),
        }
    }

    fn refused(error: StripeError) -> Self {
        Self { status: error.status, body: json!({ "error": error.body }), replay_of: None }
    }

    fn replayed(first: StoredResponse) -> Self {
        let status = StatusCode::from_u16(first.status).unwrap_or(StatusCode::OK);
        Self { status, body: first.body, replay_of: Some(first.request_id) }
    }
}

fn wire_response(simulator: &Simulator, answer: ApiResponse, key: &str, id: &str) -> Response {
    let date = http_date(simulator.clock().now());
    let mut headers = vec![
        (header::CONTENT_TYPE.as_str(), "application/json"),
        (header::CACHE_CONTROL.as_str(), "no-cache, no-store"),
        (header::DATE.as_str(), &date),
        ("request-id", id),
        ("stripe-version", API_VERSION),
    ];
    if answer.status == StatusCode::UNAUTHORIZED {
        headers.push((header::WWW_AUTHENTICATE.as_str(), "Basic realm=\"Stripe\""));
    }
    if !key.is_empty() {
        headers.push(("idempotency-key", key));
        headers.push(("original-request", answer.replay_of.as_deref().unwrap_or(id)));
    }
    if answer.replay_of.is_some() {
        headers.push(("idempotent-replayed", "true"));
    }
    let text = serde_json::to_string_pretty(&answer.body).unwrap_or_default() + "\n";
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = answer.status;
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value)
            && let Ok(name) = header::HeaderName::from_bytes(name.as_bytes())
        {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Formats a time as `Fri, 20 Nov 2026 13:15:00 GMT`.
fn http_date(now: Timestamp) -> String {
    now.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The idempotency key, or an empty string.
fn key_of(headers: &HeaderMap) -> String {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    key.unwrap_or_default().to_owned()
}

/// Checks the secret key: a bearer token, or the user name of basic authentication.
fn authenticate(headers: &HeaderMap, expected: &str) -> Result<(), StripeError> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = given.and_then(|given| {
        let (scheme, value) = given.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(value.trim().to_owned());
        }
        let decoded = STANDARD.decode(value.trim()).ok()?;
        let user = decoded.split(|byte| *byte == b':').next().unwrap_or_default();
        scheme.eq_ignore_ascii_case("basic").then(|| String::from_utf8_lossy(user).into_owned())
    });
    match key.filter(|key| !key.is_empty()) {
        None => Err(unauthorized(
            "You did not provide an API key. Put your secret key into the Authorization header, \
             as a bearer token: 'Authorization: Bearer YOUR_SECRET_KEY'."
                .to_owned(),
        )),
        Some(key) if key != expected => {
            Err(unauthorized(format!("Invalid API Key provided: {}", masked(&key))))
        }
        Some(_) => Ok(()),
    }
}

/// Masks a key, such as `sk_test_****abcd`.
fn masked(key: &str) -> String {
    let letters: Vec<char> = key.chars().collect();
    let shown = |range: std::ops::Range<usize>| letters[range].iter().collect::<String>();
    match letters.len() {
        0..=12 => "****".to_owned(),
        length => format!("{}****{}", shown(0..8), shown(length - 4..length)),
    }
}

fn unauthorized(message: String) -> StripeError {
    let body = json!({ "type": "invalid_request_error", "message": message });
    StripeError { status: StatusCode::UNAUTHORIZED, body }
}

fn invalid(message: String) -> StripeError {
    let body = json!({ "type": "invalid_request_error", "message": message });
    StripeError { status: StatusCode::BAD_REQUEST, body }
}
