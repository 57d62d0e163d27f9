//! The operations of the tag "Usage".

use serde_json::json;

use super::operation::Operation;
use super::schemas::Schemas;
use crate::domain::CatalogKey;
use crate::domain::error::ErrorCode::{AccountErased, DatabaseUnavailable, QuotaExceeded};
use crate::endpoints::{USAGE, usage};
use crate::http::Method::{Get, Post};

pub(super) fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    vec![
        Operation::new(
            &USAGE,
            Get,
            "getUsage",
            "Get usage",
            "Returns the usage of every metered feature in the current period, and a page of usage \
             by period, newest first. Users may read their own usage; with a service key, name the \
             user.",
        )
        .query("feature", schemas.request::<CatalogKey>(), "Return only this metered feature.")
        .paged()
        .response::<usage::UsagePage>(
            schemas,
            "The user's usage.",
            json!({
                "current": [{
                    "feature": "letters", "used": 3, "limit": 5, "overage": 0,
                    "periodStart": "2026-03-01T00:00:00Z", "resetsAt": "2026-04-01T00:00:00Z",
                }],
                "data": [{
                    "feature": "letters", "used": 3, "overage": 0,
                    "periodStart": "2026-03-01T00:00:00Z", "periodEnd": "2026-04-01T00:00:00Z",
                }],
                "nextCursor": null,
            }),
        )
        .codes(&[AccountErased, DatabaseUnavailable]),
        Operation::new(
            &USAGE,
            Post,
            "trackUsage",
            "Report usage",
            "Counts usage of one or more metered features, if the user's plan allows it. The check \
             and the count are one step, so two requests never use the same unit. Usage beyond a \
             hard limit is refused with `quota_exceeded`; usage beyond a soft limit is counted as \
             overage. With `entries`, `mode` decides whether one refused entry refuses all. Users \
             may report their own usage; with a service key, name the user. Without an \
             Idempotency-Key, a retry counts the usage again.",
        )
        .request::<usage::TrackUsageRequest>(
            schemas,
            json!({ "feature": "letters", "quantity": 1 }),
        )
        .response::<usage::UsageResponse>(
            schemas,
            "The result of each entry: counted or, in mode `each`, possibly refused.",
            json!({
                "feature": "letters", "allowed": true, "used": 4, "limit": 5, "overage": 0,
                "resetsAt": "2026-04-01T00:00:00Z",
            }),
        )
        .idempotent("For a day")
        .codes(&[QuotaExceeded, AccountErased, DatabaseUnavailable]),
    ]
}
