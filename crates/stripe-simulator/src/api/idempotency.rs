//! Idempotency keys: a key's first response is replayed for 24 hours.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::StripeError;

const REMEMBERED_SECONDS: i64 = 24 * 3_600;

const MAX_KEY_LENGTH: usize = 255;

#[derive(Debug, Default, Deserialize, Serialize)]
pub struct IdempotencyKeys {
    remembered: BTreeMap<String, StoredResponse>,
    /// Keys whose first request is still in progress.
    #[serde(skip)]
    in_flight: BTreeSet<String>,
}

/// The first request of a key, with its response.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct StoredResponse {
    pub path: String,
    /// The encoded parameters.
    pub form: String,
    pub at: i64,
    pub request_id: String,
    pub status: u16,
    pub body: Value,
}

impl IdempotencyKeys {
    /// Returns the stored response of a key. The error says why this request may not reuse the key.
    pub fn recall(
        &self,
        key: &str,
        path: &str,
        form: &str,
        now: i64,
    ) -> Result<Option<StoredResponse>, StripeError> {
        if key.chars().count() > MAX_KEY_LENGTH {
            let message = format!("Idempotency keys can have up to {MAX_KEY_LENGTH} characters.");
            return Err(refused(StatusCode::BAD_REQUEST, message));
        }
        if self.in_flight.contains(key) {
            let message = format!(
                "There is another request in progress that uses the idempotency key {key}."
            );
            let mut error = refused(StatusCode::CONFLICT, message);
            error.body["code"] = json!("idempotency_key_in_use");
            return Err(error);
        }
        let Some(found) = self.remembered.get(key).filter(|one| now - one.at < REMEMBERED_SECONDS)
        else {
            return Ok(None);
        };
        let same = if found.path != path {
            format!("for the same endpoint they were first used for ('{}' vs '{path}')", found.path)
        } else if found.form != form {
            "with the same parameters they were first used with".to_owned()
        } else {
            return Ok(Some(found.clone()));
        };
        let message = format!("Keys for idempotent requests can only be used {same}. Key: {key}");
        Err(refused(StatusCode::BAD_REQUEST, message))
    }

    /// Stores the response to a key. An `invalid_request_error` is not stored, so that the caller
    /// can correct the request and send it again.
    pub fn remember(&mut self, key: &str, answer: StoredResponse) {
        let complaint = answer.body["error"]["type"] == "invalid_request_error";
        if !complaint {
            let now = answer.at;
            self.remembered.retain(|_, one| now - one.at < REMEMBERED_SECONDS);
            self.remembered.insert(key.to_owned(), answer);
        }
    }

    pub fn set_in_flight(&mut self, key: &str, in_flight: bool) {
        if in_flight {
            self.in_flight.insert(key.to_owned());
        } else {
            self.in_flight.remove(key);
        }
    }
}

fn refused(status: StatusCode, message: String) -> StripeError {
    StripeError { status, body: json!({ "type": "idempotency_error", "message": message }) }
}
