use std::collections::BTreeMap;

use schemars::schema_for;
use serde_json::Value;

use super::status;
use crate::domain::error::{Error, ErrorCode};

/// The statuses that clients rely on.
const STATUSES: [(u16, &[&str]); 13] = [
    (
        400,
        &[
            "broken_body",
            "invalid_host",
            "invalid_input",
            "invalid_signature",
            "invalid_transfer_encoding",
            "malformed_event",
            "malformed_json",
            "missing_body",
        ],
    ),
    (401, &["expired_token", "invalid_token", "missing_token"]),
    (
        402,
        &[
            "insufficient_credits",
            "payment_confirmation_required",
            "payment_failed",
            "quota_exceeded",
        ],
    ),
    (403, &["account_erased", "admin_only", "foreign_host", "other_user", "service_only"]),
    (
        404,
        &[
            "not_found",
            "nothing_is_sold",
            "preview_not_found",
            "session_not_found",
            "subscription_not_found",
            "history_entry_not_found",
            "webhook_not_found",
        ],
    ),
    (405, &["method_not_allowed"]),
    (408, &["slow_body"]),
    (
        409,
        &[
            "already_subscribed",
            "cancellation_pending",
            "change_planned",
            "no_customer",
            "no_subscription",
            "not_in_good_standing",
            "nothing_to_resume",
            "paused_by_operator",
            "payload_forgotten",
            "preview_outdated",
            "request_in_progress",
            "subscription_changed",
            "trial_already_used",
            "webhook_resolved",
        ],
    ),
    (413, &["body_too_large"]),
    (415, &["unsupported_media_type"]),
    (422, &["idempotency_key_reused"]),
    (429, &["rate_limited", "storage_rate_limited"]),
    (500, &["internal"]),
];

const UNAVAILABLE: [&str; 4] =
    ["auth_keys_unavailable", "database_unavailable", "redis_unavailable", "stripe_unavailable"];

#[test]
fn every_code_has_the_status_that_clients_rely_on() {
    let listed =
        STATUSES.iter().flat_map(|(status, codes)| codes.iter().map(|code| (*code, *status)));
    let mut expected: BTreeMap<&str, u16> = listed.collect();
    expected.extend(UNAVAILABLE.map(|code| (code, 503)));
    let schema = serde_json::to_value(schema_for!(ErrorCode)).unwrap();
    let codes = schema["enum"].as_array().unwrap();
    assert_eq!(codes.len(), expected.len());
    for code in codes.iter().map(|code| code.as_str().unwrap()) {
        let parsed: ErrorCode = serde_json::from_value(Value::from(code)).unwrap();
        assert_eq!(status(parsed).as_u16(), expected[code], "{code}");
        assert_eq!(parsed.to_string(), code);
    }
}

#[test]
fn retryable_errors_have_a_retry_after() {
    for code in UNAVAILABLE.into_iter().chain(["request_in_progress"]) {
        let code: ErrorCode = serde_json::from_value(Value::from(code)).unwrap();
        assert_eq!(Error::new(code, "").retry_after_seconds, Some(1), "{code}");
    }
    assert_eq!(Error::new(ErrorCode::AlreadySubscribed, "").retry_after_seconds, None);
}
