use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{StripeError, refusal};
use crate::adapters::http_client::Answer;
use crate::domain::error::ApiError;

fn refused(status: u16, error: Value, headers: &[(&'static str, &'static str)]) -> StripeError {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
    let status = StatusCode::from_u16(status).unwrap();
    refusal(&Answer { status, headers, body: json!({ "error": error }).to_string().into() })
}

/// Whose fault it is decides what the caller is told.
#[test]
fn stripes_errors_are_told_apart() {
    let card = json!({ "type": "card_error", "code": "card_declined", "message": "Declined." });
    let address = json!({ "type": "invalid_request_error", "code": "email_invalid" });
    let ours = json!({ "type": "invalid_request_error", "code": "parameter_unknown" });
    let key = json!({ "type": "invalid_request_error", "message": "Invalid API Key" });
    let crowd = json!({ "type": "invalid_request_error", "code": "rate_limit" });
    let locked = json!({ "type": "invalid_request_error", "code": "lock_timeout" });
    let reused = json!({ "type": "idempotency_error" });
    let theirs = json!({ "type": "api_error" });
    for (status, error, expected, code) in [
        (402, card, 402, "payment_failed"),
        (400, address, 400, "invalid_input"),
        (400, ours, 500, "internal"),
        (401, key, 500, "internal"),
        (429, crowd, 503, "stripe_unavailable"),
        (429, locked, 503, "stripe_unavailable"),
        (400, reused, 500, "internal"),
        (500, theirs, 503, "stripe_unavailable"),
    ] {
        let said = format!("{status} {error}");
        let answer = ApiError::from(refused(status, error, &[]));
        assert_eq!((answer.status.as_u16(), answer.code), (expected, code), "{said}");
        assert_eq!(answer.retry_after_seconds.is_some(), expected == 503, "{said}");
    }
}

/// A stored answer never changes, so the same key is not tried again; Stripe's own advice counts.
#[test]
fn what_is_worth_another_try_is_tried_again() {
    let failed = || json!({ "type": "api_error" });
    let bad = || json!({ "type": "invalid_request_error" });
    for (status, error, headers, again, is_final) in [
        (500, failed(), &[][..], true, false),
        (500, failed(), &[("idempotent-replayed", "true")], false, true),
        (500, failed(), &[("stripe-should-retry", "false")], false, false),
        (409, bad(), &[], true, false),
        (400, bad(), &[], false, true),
        (400, bad(), &[("stripe-should-retry", "true")], true, true),
    ] {
        let error = refused(status, error, headers);
        assert_eq!(error.is_worth_another_try(), again, "{error}");
        assert_eq!(error.is_final(), is_final, "{error}");
    }
    let garbage = Answer {
        status: StatusCode::BAD_GATEWAY,
        headers: HeaderMap::new(),
        body: "<html>".into(),
    };
    assert!(matches!(refusal(&garbage), StripeError::MayHaveRun(_)));
}
