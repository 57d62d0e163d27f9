//! The calls of the story, over HTTP like any other client's. Redirects are not followed: no route of
//! Farebox redirects, so one comes from something in front of it.

use std::time::Duration;

use axum::http::{HeaderMap, Method, Request, header};
use bytes::Bytes;
use http_body_util::Full;
use serde_json::Value;
use shared::adapters::http_client::{Budget, HttpClient};
use shared::config::Secret;
use shared::domain::error::error_chain;

use super::diagnosis::explain;
use super::story::{Unpassed, failed};

/// The limits of a call. A checkout may wait 25 seconds for Stripe, and a function may start cold.
const BUDGET: Budget = Budget {
    connect: Duration::from_secs(10),
    answer: Duration::from_secs(60),
    max_bytes: 4 * 1024 * 1024,
};

#[derive(Debug)]
pub(super) struct Client {
    http: HttpClient,
    pub(super) base: String,
    bypass: Option<Secret>,
}

/// A call to one route. The default is anonymous and without a body.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Call<'a> {
    pub(super) token: Option<&'a Secret>,
    /// The user for whom a service key acts.
    pub(super) user: Option<&'a str>,
    pub(super) idempotency_key: Option<&'a str>,
    pub(super) stripe_signature: Option<&'a str>,
    pub(super) body: Option<&'a Value>,
    /// Sends no bypass of the deployment protection, as Stripe does not.
    pub(super) is_from_outside: bool,
}

/// A received response.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    /// The body as JSON, or null.
    pub(super) body: Value,
}

impl Client {
    pub(super) fn new(base: &str, bypass: Option<Secret>) -> Self {
        Self { http: HttpClient::default(), base: base.to_owned(), bypass }
    }

    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        call: Call<'_>,
    ) -> Result<Answer, Unpassed> {
        let bearer = call.token.map(|token| format!("Bearer {}", token.expose()));
        let bypass = self.bypass.as_ref().filter(|_| !call.is_from_outside).map(Secret::expose);
        let headers = [
            ("authorization", bearer.as_deref()),
            ("x-user-id", call.user),
            ("idempotency-key", call.idempotency_key),
            ("stripe-signature", call.stripe_signature),
            ("x-vercel-protection-bypass", bypass),
            ("content-type", call.body.map(|_| "application/json")),
        ];
        let given = headers.iter().filter_map(|(name, value)| Some((*name, (*value)?)));
        let body = call.body.map(Value::to_string).unwrap_or_default();
        self.send(method, &format!("{}{path}", self.base), given, body).await
    }

    /// Sends a request to any URL.
    pub(super) async fn send<'a>(
        &self,
        method: Method,
        url: &str,
        headers: impl Iterator<Item = (&'static str, &'a str)>,
        body: String,
    ) -> Result<Answer, Unpassed> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|error| {
            let fix = "Check the URL, and that no key contains a space or a line break.";
            failed(format!("{url}: {error}"), fix)
        })?;
        let answer = self.http.call(request, BUDGET).await.map_err(|error| {
            let fix = "Check the URL, and that this machine may connect to it.";
            failed(format!("{url}: {}", error_chain(&error)), fix)
        })?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Answer { status: answer.status.as_u16(), headers: answer.headers, text, body })
    }
}

impl Answer {
    /// Returns the body if the status is the expected one and Farebox answered.
    pub(super) fn expect(self, status: u16) -> Result<Value, Unpassed> {
        let is_ours = self.body.is_object() || self.text.is_empty();
        if self.status == status && is_ours { Ok(self.body) } else { Err(explain(&self)) }
    }

    /// Expects a problem with this status and code.
    pub(super) fn expect_problem(self, status: u16, code: &str) -> Result<(), Unpassed> {
        if self.status == status && self.body["code"] == code {
            return Ok(());
        }
        match explain(&self) {
            Unpassed::Failed { found, fix } if self.status >= 400 => {
                Err(failed(format!("expected {status} {code}, but got {found}"), fix))
            }
            _ => Err(failed(
                format!("expected {status} {code}, but got {}", self.status),
                "Check that the URL is a deployment of this version of Farebox.",
            )),
        }
    }

    /// A header's value, or an empty string.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(super) fn is_html(&self) -> bool {
        self.header(header::CONTENT_TYPE.as_str()).starts_with("text/html")
    }
}
