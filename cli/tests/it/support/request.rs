use reqwest::RequestBuilder;
use serde_json::Value;

use super::app::CRON_SECRET;

/// A request under construction.
pub struct Call(RequestBuilder);

/// A received response.
#[derive(Debug)]
pub struct ApiResponse {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    /// The body as JSON, or null.
    pub body: Value,
}

impl Call {
    pub fn new(request: RequestBuilder) -> Self {
        Self(request)
    }

    pub fn bearer(self, token: &str) -> Self {
        Self(self.0.bearer_auth(token))
    }

    pub fn cron(self) -> Self {
        self.bearer(CRON_SECRET)
    }

    pub fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    pub fn query(self, name: &str, value: &str) -> Self {
        Self(self.0.query(&[(name, value)]))
    }

    pub fn json(self, body: Value) -> Self {
        Self(self.0.json(&body))
    }

    /// An unchanged body with the content type of JSON.
    pub fn raw(self, body: impl Into<reqwest::Body>) -> Self {
        Self(self.0.header("content-type", "application/json").body(body))
    }

    pub fn typed(self, content_type: &str, body: &str) -> Self {
        Self(self.0.header("content-type", content_type).body(body.to_owned()))
    }

    pub async fn send(self) -> ApiResponse {
        ApiResponse::of(self.0.send().await.unwrap()).await
    }
}

impl ApiResponse {
    pub async fn of(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Self { status, headers, text, body }
    }

    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Expects a problem with this status and code, in the form of every problem.
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        let answer = self.expect_status(status);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{answer:?}");
        assert_eq!(answer.body["code"], code, "{answer:?}");
        assert_eq!(answer.body["status"], status, "{answer:?}");
        assert_eq!(answer.body["requestId"], answer.header("x-request-id"), "{answer:?}");
        answer
    }

    /// Expects a 400 that names this field.
    pub fn expect_invalid(self, field: &str) -> Self {
        let answer = self.expect_problem(400, "invalid_input");
        assert_eq!(answer.body["errors"][0]["field"], field, "{answer:?}");
        answer
    }

    /// A header's value, or an empty string.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}
