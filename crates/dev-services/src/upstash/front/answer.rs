//! Redis replies as Upstash writes them in JSON.
//!
//! Deliberately absent: the RESP2 response format, which no client of Farebox requests.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::upstash::resp::Reply;

/// How strings are written: as text, in which bytes that are not UTF-8 are lost, or as base64.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Encoding {
    Text,
    Base64,
}

/// A request that fails as a whole, with a status and a message.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Refusal {
        Refusal { status, message: message.into() }
    }

    pub fn bad_request(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, message)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.message }))).into_response()
    }
}

/// The response to a single command. If the command fails, the request fails too.
pub fn single(reply: Reply, encoding: Encoding) -> Response {
    match reply {
        Reply::Error(message) => Refusal::bad_request(message).into_response(),
        reply => Json(outcome(reply, encoding)).into_response(),
    }
}

/// The response to a list of commands, some of which may have failed.
pub fn list(replies: Vec<Reply>, encoding: Encoding) -> Response {
    let outcomes = replies.into_iter().map(|reply| outcome(reply, encoding)).collect();
    Json(Value::Array(outcomes)).into_response()
}

fn outcome(reply: Reply, encoding: Encoding) -> Value {
    match reply {
        Reply::Error(message) => json!({ "error": message }),
        Reply::Status(status) if status == "OK" => json!({ "result": status }),
        reply => json!({ "result": result(reply, encoding) }),
    }
}

/// Encodes every string, even "OK", because clients decode each string inside an array. [`outcome`]
/// leaves a bare "OK" as text.
fn result(reply: Reply, encoding: Encoding) -> Value {
    match reply {
        Reply::Status(text) | Reply::Error(text) => string(text.as_bytes(), encoding),
        Reply::String(bytes) => string(&bytes, encoding),
        Reply::Integer(number) => number.into(),
        Reply::Nil => Value::Null,
        Reply::Array(items) => items.into_iter().map(|item| result(item, encoding)).collect(),
    }
}

fn string(bytes: &[u8], encoding: Encoding) -> Value {
    match encoding {
        Encoding::Text => String::from_utf8_lossy(bytes).into(),
        Encoding::Base64 => STANDARD.encode(bytes).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_loses_bytes_that_are_not_utf8_and_base64_does_not() {
        let reply = Reply::string(b"a\xff".to_vec());
        assert_eq!(outcome(reply.clone(), Encoding::Text), json!({ "result": "a\u{fffd}" }));
        assert_eq!(outcome(reply, Encoding::Base64), json!({ "result": "Yf8=" }));
    }

    #[test]
    fn base64_reaches_into_arrays_and_leaves_a_bare_ok() {
        let reply = Reply::Array(vec![
            Reply::Array(vec![Reply::string("a")]),
            Reply::ok(),
            Reply::Integer(1),
            Reply::Nil,
        ]);
        let encoded = outcome(reply, Encoding::Base64);
        assert_eq!(encoded, json!({ "result": [["YQ=="], "T0s=", 1, null] }));
        assert_eq!(outcome(Reply::ok(), Encoding::Base64), json!({ "result": "OK" }));
        assert_eq!(outcome(Reply::string("OK"), Encoding::Base64), json!({ "result": "T0s=" }));
    }
}
