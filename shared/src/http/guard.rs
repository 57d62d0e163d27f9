//! The pipeline in front of every handler, in this order: request id, CORS, method, length of the
//! body, caller, body, user, rate limit, handler, problem+json, one log line.
//!
//! A step reads no more of the request, and calls no other service, than it needs. The body of an
//! unauthorized caller is never buffered, and a refused call never reaches its handler. Endpoints
//! marked `reads` are an exception: the limiter runs concurrently with their handler, unless the
//! caller was refused a moment ago.

use std::any::Any;
use std::convert::Infallible;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::join;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::timeout;

use super::call_log::{LoggedCall, Observed};
use super::cors::{self, RefusedOrigins};
use super::input::{self, Body};
use super::problem::{self, PendingProblem};
use super::subject;
use super::{Access, ClientIp, Endpoint, InvokedByScheduler, rate_limit_headers};
use crate::adapters::redis::limiter::{DecidedBy, Verdict};
use crate::app::App;
use crate::auth::Caller;
use crate::background::BackgroundTasks;
use crate::billing::entitlement_cache;
use crate::domain::error::{Error, ErrorCode, Result, error_chain};
use crate::domain::hash::hex;
use crate::domain::{Rate, UserId};

/// Long enough to upload a few kilobytes over the slowest connection.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The bytes that one caller may store per minute, over all routes. The bucket starts full, so the
/// first minute allows at most twice that. Together with the data that is not counted, it stays
/// under five megabytes.
const STORED: Rate = Rate::per_minute(2_000_000);
const STORED_POLICY: &str = "stored-bytes";

/// Returns a router with one endpoint behind its guard.
pub fn mount(endpoint: &'static Endpoint, app: &Arc<App>) -> Router {
    mount_all(&[endpoint], app)
}

/// Returns a router with several endpoints, each behind its own guard. Any other path is a 404.
pub fn mount_all(endpoints: &[&'static Endpoint], app: &Arc<App>) -> Router {
    let mut router = Router::new();
    let refused = Arc::new(RefusedOrigins::default());
    for &endpoint in endpoints {
        let state = (endpoint, Arc::clone(app));
        let guarded = (endpoint.routes)()
            .layer::<_, Infallible>(from_fn_with_state(state, admit))
            .layer::<_, Infallible>(cors::layer(endpoint, &app.config.allowed_origins, &refused))
            .layer(from_fn_with_state((endpoint.name, Arc::clone(app)), observe));
        router = router.route(endpoint.path, guarded);
    }
    let unknown = ("unknown", Arc::clone(app));
    let unknown = Router::new().fallback(not_found).layer(from_fn_with_state(unknown, observe));
    router.fallback_service(unknown).with_state(Arc::clone(app))
}

async fn not_found() -> Error {
    Error::new(ErrorCode::NotFound, "There is nothing at this path.")
}

/// The fields of the log line and of the API log that are not part of the response.
#[derive(Clone, Debug)]
struct Record {
    caller: &'static str,
    /// The user that the request is about, for the API log only.
    user: Option<UserId>,
    /// How the limiter decided: `used` (Redis), `down` (without Redis), `spared` (a known block) or
    /// `none`.
    cache: &'static str,
    /// The source of the entitlement: `cache`, `database`, `database-alone` (without Redis) or
    /// `none`.
    source: &'static str,
}

impl Record {
    const EMPTY: Self = Self { caller: "anyone", user: None, cache: "none", source: "none" };
}

/// The outer part of the pipeline: request id, problem+json, log line and API log.
async fn observe(
    State((route, app)): State<(&'static str, Arc<App>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let logged = LoggedCall::begin(&app, &mut request);
    let id = request_id(request.headers());
    let mut response = next.run(request).await;

    let refusal =
        response.extensions_mut().remove::<PendingProblem>().map(|PendingProblem(error)| error);
    if let Some(error) = &refusal {
        let mut problem = problem::response(error, &id);
        problem.headers_mut().extend(response.headers().clone());
        *problem.extensions_mut() = response.extensions().clone();
        response = problem;
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(&id) {
        headers.insert("x-request-id", value);
    }
    // A response must not be cached, unless its handler set another policy.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let Record { caller, user, cache, source } =
        response.extensions_mut().remove().unwrap_or(Record::EMPTY);
    let status = response.status().as_u16();
    let elapsed = started.elapsed();
    let ms = elapsed.as_micros() as f64 / 1_000.0;
    let code = refusal.as_ref().map(|error| error.code.to_string()).unwrap_or_default();
    let cause = refusal.as_ref().and_then(|error| error.cause.as_deref());
    let cause = cause.map(|cause| error_chain(cause)).unwrap_or_default();
    if status >= 500 {
        tracing::error!(request_id = id, route, status, ms, caller, cache, source, code, cause);
    } else {
        tracing::info!(request_id = id, route, status, ms, caller, cache, source, code, cause);
    }
    if let Some(logged) = logged {
        let error_code = refusal.map(|error| error.code);
        let observed = Observed { route, caller, user, error_code, elapsed };
        logged.finish(&app, observed, &mut response);
    }
    response
}

/// The inner part of the pipeline. A panic in it or in the handler fails only this request.
async fn admit(
    State((endpoint, app)): State<(&'static Endpoint, Arc<App>)>,
    request: Request,
    next: Next,
) -> Response {
    let mut record = Record::EMPTY;
    let passing = pass(endpoint, &app, request, next, &mut record);
    let passed = AssertUnwindSafe(passing).catch_unwind().await;
    let passed = passed.unwrap_or_else(|panic| Err(Error::internal(panic_message(&*panic))));
    let mut response = passed.unwrap_or_else(IntoResponse::into_response);
    if let Some(source) = response.extensions().get::<entitlement_cache::Source>() {
        record.source = source.as_str();
    }
    response.extensions_mut().insert(record);
    response
}

async fn pass(
    endpoint: &'static Endpoint,
    app: &App,
    request: Request,
    next: Next,
    record: &mut Record,
) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    if !endpoint.answers(&parts.method) {
        return Ok(method_not_allowed(endpoint));
    }
    refuse_announced_length(&parts.headers, endpoint.body_limit)?;
    let background = parts.extensions.get_or_insert_default::<BackgroundTasks>().clone();
    let caller = match parts.extensions.get::<InvokedByScheduler>() {
        Some(_) if endpoint.access == Access::Cron => Caller::Cron,
        _ => authenticate(endpoint.access, app, &parts.headers, &background).await?,
    };
    record.caller = caller.kind();

    let bytes = read(body, endpoint.body_limit).await?;
    let mut json = match endpoint.access {
        Access::Stripe => serde_json::Value::Null,
        _ => input::parse(&parts.headers, &bytes)?,
    };
    let named = subject::named(parts.uri.query(), &parts.headers, &json)?;
    let acting = caller.act_for(&named, endpoint.permission(&parts.method))?;
    if app.redis.api_log_rate().is_some() {
        record.user.clone_from(&acting.owner);
    }
    subject::remove_named(&mut json);
    let address = parts.extensions.get::<ClientIp>().copied();
    let has_key = parts.headers.contains_key("idempotency-key");
    let mut stored = endpoint.stores.map_or(0, |bytes| bytes(&json, has_key));
    if let (Some(bytes), Some(_)) = (endpoint.stores_for_members, &acting.actor) {
        stored += bytes(&json);
    }
    let identity = identity(&caller, acting.owner.as_ref(), address);
    parts.extensions.insert(endpoint);
    parts.extensions.insert(caller);
    parts.extensions.insert(acting);
    parts.extensions.insert(Body(json));
    let request = Request::from_parts(parts, HttpBody::from(bytes));

    let Some(rate) = endpoint.rate else { return Ok(next.run(request).await) };
    let limit = limit(app, endpoint, &identity, rate, stored);
    // If the caller was refused a moment ago, the handler waits for the limiter.
    let is_concurrent =
        endpoint.reads && !app.limiter.was_refused_recently(endpoint.name, &identity);
    let ((policy, verdict), response) = if is_concurrent {
        let (verdict, response) = join(limit, next.run(request)).await;
        let (policy, verdict) = verdict?;
        ((policy, verdict), verdict.allowed.then_some(response))
    } else {
        let (policy, verdict) = limit.await?;
        let response = if verdict.allowed { Some(next.run(request).await) } else { None };
        ((policy, verdict), response)
    };
    record.cache = match verdict.source {
        DecidedBy::Redis => "used",
        DecidedBy::Local => "down",
        DecidedBy::Blocked => "spared",
    };
    let mut response = response.unwrap_or_else(|| too_many(policy, &verdict).into_response());
    rate_limit_headers::write(&verdict, policy, response.headers_mut());
    Ok(response)
}

/// Applies the rate limit of the endpoint and the limit of stored bytes.
///
/// Both are checked at once, unless the caller was refused a moment ago. If both refuse the call,
/// the verdict is that of the rate limit.
async fn limit(
    app: &App,
    endpoint: &Endpoint,
    identity: &str,
    rate: Rate,
    stored: usize,
) -> Result<(&'static str, Verdict)> {
    let calls = app.limiter.take(endpoint.name, identity, rate, 1, None);
    if stored == 0 {
        return Ok((endpoint.name, calls.await?));
    }
    let bytes = u32::try_from(stored).unwrap_or(u32::MAX);
    let room = app.limiter.take(STORED_POLICY, identity, STORED, bytes, None);
    let (calls, room) = if app.limiter.was_refused_recently(endpoint.name, identity) {
        let calls = calls.await?;
        if !calls.allowed {
            return Ok((endpoint.name, calls));
        }
        (calls, room.await?)
    } else {
        let (calls, room) = join(calls, room).await;
        (calls?, room?)
    };
    match calls.allowed && !room.allowed {
        true => Ok((STORED_POLICY, room)),
        false => Ok((endpoint.name, calls)),
    }
}

async fn authenticate(
    access: Access,
    app: &App,
    headers: &HeaderMap,
    background: &BackgroundTasks,
) -> Result<Caller> {
    match access {
        Access::Public | Access::Stripe => Ok(Caller::Anonymous),
        Access::Cron => app.auth.cron(headers),
        Access::User => app.auth.caller(headers, background).await,
        Access::Service => match app.auth.caller(headers, background).await? {
            caller if caller.is_trusted() => Ok(caller),
            _ => Err(Error::new(
                ErrorCode::ServiceOnly,
                "Only a service key or an admin may call this.",
            )),
        },
        Access::Admin => match app.auth.caller(headers, background).await? {
            caller if caller.is_admin() => Ok(caller),
            _ => Err(Error::new(ErrorCode::AdminOnly, "Only an admin may call this.")),
        },
    }
}

/// Returns the identity whose bucket is charged. A trusted server's calls for an owner do not count
/// against the owner's own limit, and a member's calls count against their own.
fn identity(caller: &Caller, owner: Option<&UserId>, address: Option<ClientIp>) -> String {
    match (caller, owner) {
        (Caller::User { id, .. }, _) => format!("user:{id}"),
        (Caller::Service { .. }, Some(owner)) => format!("service:{owner}"),
        (Caller::Service { key, .. }, None) => format!("key:{key}"),
        (Caller::Cron, _) => "cron".to_owned(),
        (Caller::Anonymous, _) => match address.map(|ClientIp(ip)| ip.to_canonical()) {
            Some(IpAddr::V4(ip)) => format!("ip:{ip}"),
            // A household has a whole /64, so its addresses count as one caller.
            Some(IpAddr::V6(ip)) => format!("ip:{:x}", ip.to_bits() >> 64),
            None => "ip:unknown".to_owned(),
        },
    }
}

fn refuse_announced_length(headers: &HeaderMap, limit: usize) -> Result<()> {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    match length.map(str::parse::<usize>) {
        Some(Ok(length)) if length > limit => Err(too_long(limit)),
        _ => Ok(()),
    }
}

async fn read(body: HttpBody, limit: usize) -> Result<Bytes> {
    let reading = timeout(BODY_TIMEOUT, Limited::new(body, limit).collect()).await;
    match reading {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_long(limit)),
        Ok(Err(error)) => {
            let message = "The body ended before it was complete.";
            Err(Error::new(ErrorCode::BrokenBody, message).with_cause(error))
        }
        Err(_) => {
            let message = "The body took too long to arrive.";
            Err(Error::new(ErrorCode::SlowBody, message))
        }
    }
}

fn too_long(limit: usize) -> Error {
    let message = format!("The body must be at most {limit} bytes long.");
    Error::new(ErrorCode::BodyTooLarge, message)
}

fn too_many(policy: &str, verdict: &Verdict) -> Error {
    let seconds = verdict.retry_after_seconds();
    if policy == STORED_POLICY {
        let message = format!(
            "Too much data: one caller may store {} bytes a minute. Try again in {seconds} s.",
            STORED.limit
        );
        return Error::new(ErrorCode::StorageRateLimited, message);
    }
    let message = format!("Too many requests. Try again in {seconds} s.");
    Error::new(ErrorCode::RateLimited, message)
}

fn method_not_allowed(endpoint: &Endpoint) -> Response {
    let methods: Vec<&str> = endpoint.methods.iter().map(|method| method.as_str()).collect();
    let methods = methods.join(", ");
    let message = format!("This path accepts only {methods}.");
    let error = Error::new(ErrorCode::MethodNotAllowed, message);
    let mut response = error.into_response();
    if let Ok(methods) = HeaderValue::try_from(methods) {
        response.headers_mut().insert(ALLOW, methods);
    }
    response
}

impl Endpoint {
    /// Returns whether the endpoint accepts the method. GET implies HEAD (RFC 9110).
    fn answers(&self, method: &Method) -> bool {
        let asked = if method == Method::HEAD { "GET" } else { method.as_str() };
        self.methods.iter().any(|method| method.as_str() == asked)
    }
}

/// Returns the response to a request that is refused before it reaches an endpoint.
pub fn refuse(error: &Error, headers: &HeaderMap) -> Response {
    let id = request_id(headers);
    let status = problem::status(error.code).as_u16();
    tracing::info!(request_id = id, status, code = %error.code);
    let mut response = problem::response(error, &id);
    if let Ok(value) = HeaderValue::try_from(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

/// Returns the caller's `X-Request-Id` if it is short and plain, so that one id can follow a call
/// through several services. Otherwise generates an id.
fn request_id(headers: &HeaderMap) -> String {
    let given =
        headers.get("x-request-id").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let plain = given.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if plain && (1..=64).contains(&given.len()) {
        return given.to_owned();
    }
    let mut random = [0; 12];
    // If the random generator fails, the id is not unique. The request is served all the same.
    let _ = SystemRandom::new().fill(&mut random);
    format!("req_{}", hex(&random))
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("no message"))
}
