use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{StripeError, refusal};
use crate::adapters::http_client::HttpResponse;
use crate::domain::error::{Error, ErrorCode};

fn refused(status: u16, error: Value, headers: &[(&'static str, &'static str)]) -> StripeError {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
    let status = StatusCode::from_u16(status).unwrap();
    refusal(&HttpResponse { status, headers, body: json!({ "error": error }).to_string().into() })
}

/// The cause of Stripe's error decides the error code.
#[test]
fn stripe_errors_map_to_error_codes() {
    let card = json!({ "type": "card_error", "code": "card_declined", "message": "Declined." });
    let address = json!({ "type": "invalid_request_error", "code": "email_invalid" });
    let ours = json!({ "type": "invalid_request_error", "code": "parameter_unknown" });
    let key = json!({ "type": "invalid_request_error", "message": "Invalid API Key" });
    let rate_limited = json!({ "type": "invalid_request_error", "code": "rate_limit" });
    let locked = json!({ "type": "invalid_request_error", "code": "lock_timeout" });
    let reused = json!({ "type": "idempotency_error" });
    let theirs = json!({ "type": "api_error" });
    for (status, error, code) in [
        (402, card, ErrorCode::PaymentFailed),
        (400, address, ErrorCode::InvalidInput),
        (400, ours, ErrorCode::Internal),
        (401, key, ErrorCode::Internal),
        (429, rate_limited, ErrorCode::StripeUnavailable),
        (429, locked, ErrorCode::StripeUnavailable),
        (400, reused, ErrorCode::Internal),
        (500, theirs, ErrorCode::StripeUnavailable),
    ] {
        let stripe = format!("{status} {error}");
        let error = Error::from(refused(status, error, &[]));
        assert_eq!(error.code, code, "{stripe}");
        assert_eq!(error.retry_after_seconds.is_some(), code.is_retryable(), "{stripe}");
    }
}

/// A replayed answer never changes, so its key is not retried. Of other errors,
/// `stripe-should-retry` decides.
#[test]
fn only_retryable_errors_are_retried() {
    let failed = || json!({ "type": "api_error" });
    let bad = || json!({ "type": "invalid_request_error" });
    for (status, error, headers, is_retried, is_final) in [
        (500, failed(), &[][..], true, false),
        (500, failed(), &[("idempotent-replayed", "true")], false, true),
        (500, failed(), &[("stripe-should-retry", "false")], false, false),
        (409, bad(), &[], true, false),
        (400, bad(), &[], false, true),
        (400, bad(), &[("stripe-should-retry", "true")], true, true),
    ] {
        let error = refused(status, error, headers);
        assert_eq!(error.is_retryable(), is_retried, "{error}");
        assert_eq!(error.is_final(), is_final, "{error}");
    }
    let no_json = HttpResponse {
        status: StatusCode::BAD_GATEWAY,
        headers: HeaderMap::new(),
        body: "<html>".into(),
    };
    assert!(matches!(refusal(&no_json), StripeError::MayHaveRun(_)));
}
