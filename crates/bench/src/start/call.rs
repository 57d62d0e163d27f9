//! The requests of the measured functions, each to a route that the function serves.

use serde_json::{Value, json};
use shared::endpoints::{CHAT_SAVE, DASHBOARD, HEALTH, MOOD};
use shared::http::{Endpoint, Method};

use crate::release::APP;

#[derive(Debug)]
pub struct Call {
    pub function: &'static str,
    endpoint: &'static Endpoint,
    method: Method,
    body: Option<fn() -> Value>,
    /// Require TLS to Postgres, as in a deployment. The local Postgres has no TLS, so only a
    /// function that does not connect to it can set this.
    pub encrypted: bool,
}

/// The HTTP request of a call.
#[derive(Debug)]
pub struct Request {
    pub method: &'static str,
    pub path: &'static str,
    pub encrypted: bool,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// Calls without a store (health), with one call to Redis (dashboard), with two in series (mood),
/// and with Redis and Postgres (a chat with its content).
pub static CALLS: [Call; 6] = [
    call(HEALTH.name, &HEALTH, Method::Get, None),
    Call { encrypted: true, ..call(HEALTH.name, &HEALTH, Method::Get, None) },
    call(DASHBOARD.name, &DASHBOARD, Method::Get, None),
    call(MOOD.name, &MOOD, Method::Patch, Some(mood)),
    call(CHAT_SAVE.name, &CHAT_SAVE, Method::Post, Some(chat)),
    call(APP, &MOOD, Method::Patch, Some(mood)),
];

const fn call(
    function: &'static str,
    endpoint: &'static Endpoint,
    method: Method,
    body: Option<fn() -> Value>,
) -> Call {
    Call { function, endpoint, method, body, encrypted: false }
}

impl Call {
    pub fn request(&self, token: String) -> Request {
        let mut headers = vec![
            ("host", "bench.example".to_owned()),
            ("authorization", format!("Bearer {token}")),
        ];
        if self.body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        Request {
            method: self.method.as_str(),
            path: self.endpoint.path,
            encrypted: self.encrypted,
            headers,
            body: self.body.map(|body| body().to_string()).unwrap_or_default(),
        }
    }
}

fn mood() -> Value {
    json!({ "score": 7.5 })
}

fn chat() -> Value {
    json!({ "summary": "How a start is measured", "content": "With a clock, and more than once." })
}
