//! Sends requests to Stripe within one time limit, and retries them. Every request either carries
//! an idempotency key or may be repeated.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE};
use axum::http::{HeaderMap, HeaderValue, Request};
use bytes::Bytes;
use http_body_util::Full;
use jiff::fmt::rfc2822;
use stripe_client_core::{RequestBuilder, StripeMethod, VERSION};
use tokio::time::sleep;

use super::error::{self, StripeError};
use crate::adapters::http_client::{Budget, CallError, HttpClient, HttpResponse};
use crate::config;
use crate::domain::Snapshot;

/// The time limit of a request with all its attempts.
const CALL_TIME: Duration = Duration::from_secs(8);
const CONNECT_TIME: Duration = Duration::from_secs(3);
const ATTEMPTS: u32 = 3;
/// The pause before the second attempt. It doubles before each further one.
const PAUSE: Duration = Duration::from_millis(150);
/// The maximum size of an answer. A subscription with its latest invoice takes a few dozen
/// kilobytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A handle to one Stripe account.
#[derive(Debug)]
pub struct Stripe {
    http: Arc<HttpClient>,
    base: String,
    authorization: HeaderValue,
}

impl Stripe {
    pub fn new(http: Arc<HttpClient>, config: &config::Stripe) -> Result<Self, StripeError> {
        let bearer = format!("Bearer {}", config.secret_key.expose());
        let mut authorization = HeaderValue::try_from(bearer).map_err(StripeError::not_sent)?;
        authorization.set_sensitive(true);
        let base = config.api_url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http, base, authorization })
    }

    /// Sends a request that may be repeated: a read, or a change without an idempotency key.
    pub async fn send(&self, request: &RequestBuilder) -> Result<Snapshot, StripeError> {
        self.with_retries(request, None).await
    }

    /// Sends a change that Stripe makes once per idempotency key.
    pub async fn send_idempotent(
        &self,
        request: &RequestBuilder,
        key: &str,
    ) -> Result<Snapshot, StripeError> {
        self.with_retries(request, Some(key)).await
    }

    async fn with_retries(
        &self,
        request: &RequestBuilder,
        key: Option<&str>,
    ) -> Result<Snapshot, StripeError> {
        let started = Instant::now();
        let mut pause = PAUSE;
        let mut attempts = 1;
        loop {
            let error = match self.attempt(request, key, started).await {
                Err(error) if error.is_retryable() => error,
                answer => return answer,
            };
            if attempts == ATTEMPTS || started.elapsed() + pause >= CALL_TIME {
                return Err(error);
            }
            let problem = crate::domain::error::error_chain(&error);
            tracing::warn!(path = request.path, problem, "retrying a request to Stripe");
            sleep(pause).await;
            pause *= 2;
            attempts += 1;
        }
    }

    async fn attempt(
        &self,
        request: &RequestBuilder,
        key: Option<&str>,
        started: Instant,
    ) -> Result<Snapshot, StripeError> {
        let left = CALL_TIME.saturating_sub(started.elapsed());
        let budget = Budget { connect: CONNECT_TIME.min(left), answer: left, max_bytes: MAX_BYTES };
        let sent = Instant::now();
        let answer = self.http.call(self.request(request, key)?, budget).await;
        let answer = answer.map_err(|error| match error {
            CallError::NotSent(cause) => StripeError::NotSent(cause),
            CallError::MayHaveRun(cause) => StripeError::MayHaveRun(cause),
        })?;
        tracing::info!(
            stripe_request = header(&answer.headers, "request-id"),
            path = request.path,
            status = answer.status.as_u16(),
            ms = started.elapsed().as_millis() as u64,
            "called Stripe"
        );
        read(&answer, sent.elapsed())
    }

    fn request(
        &self,
        request: &RequestBuilder,
        key: Option<&str>,
    ) -> Result<Request<Full<Bytes>>, StripeError> {
        let query = request.query.as_deref().filter(|query| !query.is_empty());
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        let uri = format!("{}/v1{}{query}", self.base, request.path);
        let mut builder = match request.method {
            StripeMethod::Get => Request::get(uri),
            StripeMethod::Post => Request::post(uri),
            StripeMethod::Delete => Request::delete(uri),
        };
        builder = builder
            .header(AUTHORIZATION, &self.authorization)
            .header("stripe-version", VERSION.as_str());
        if let Some(key) = key {
            builder = builder.header("idempotency-key", key);
        }
        let body = request.body.clone().unwrap_or_default();
        if !matches!(request.method, StripeMethod::Get) {
            builder = builder.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        builder.body(Full::new(Bytes::from(body))).map_err(StripeError::not_sent)
    }
}

fn read(answer: &HttpResponse, took: Duration) -> Result<Snapshot, StripeError> {
    if !answer.status.is_success() {
        return Err(error::refusal(answer));
    }
    let at = rfc2822::parse(header(&answer.headers, DATE.as_str()))
        .map(|at| at.timestamp())
        .map_err(|error| StripeError::InvalidResponse(error.into()))?;
    let object = serde_json::from_slice(&answer.body)
        .map_err(|error| StripeError::InvalidResponse(error.into()))?;
    let since = at.checked_sub(took).unwrap_or(at);
    let replayed = header(&answer.headers, "idempotent-replayed") == "true";
    Ok(Snapshot { object, since, at, replayed })
}

pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
