//! The operations of the tag "Operations".

use serde_json::{Value, json};

use super::operation::Operation;
use super::schemas::Schemas;
use crate::domain::error::ErrorCode::{DatabaseUnavailable, RedisUnavailable};
use crate::endpoints::{
    CRON_DAILY, CRON_MINUTE, HEALTH, HEALTH_READY, RATE_LIMIT, cron, health, rate_limit,
};
use crate::http::Method::{Get, Post};

pub(super) fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    let mut operations = jobs(schemas);
    operations.push(
        Operation::new(
            &HEALTH,
            Get,
            "getHealth",
            "Check that the process answers",
            "Responds without calling Postgres, Redis or Stripe, so that a platform never restarts \
             a healthy process because a store is down. No authentication is needed.",
        )
        .response::<health::HealthResponse>(
            schemas,
            "The process answers.",
            json!({ "status": "ok" }),
        ),
    );
    let readiness = |status: &str, redis: &str| -> Value {
        json!({ "status": status, "postgres": "up", "redis": redis })
    };
    operations.push(
        Operation::new(
            &HEALTH_READY,
            Get,
            "getReadiness",
            "Check that the stores answer",
            "Checks that Postgres and Redis answer within 700 milliseconds. If one does not, the \
             status is 503 and the response names the store that is down. The header \
             `Server-Timing` has the milliseconds that each store took. No authentication is \
             needed.",
        )
        .response::<health::ready::ReadinessResponse>(
            schemas,
            "Both stores answer.",
            readiness("ready", "up"),
        )
        .response_with::<health::ready::ReadinessResponse>(
            schemas,
            "503",
            "At least one store does not answer.",
            readiness("degraded", "down"),
        ),
    );
    operations.push(
        Operation::new(
            &RATE_LIMIT,
            Post,
            "takeRateLimit",
            "Take from a rate limit",
            "Takes units from one of the app's own rate limits, for one identifier such as a user \
             id. The setting `RATE_LIMITS` defines the limits, and each holds across all instances \
             of Farebox. Only a service key or an admin may call it. A refusal is not an error: \
             the response has `allowed: false`. While Redis does not answer, each process \
             enforces a tenth of the limit.",
        )
        .request::<rate_limit::RateLimitRequest>(
            schemas,
            json!({ "action": "review-code", "identifier": "user_1", "cost": 1 }),
        )
        .response::<rate_limit::RateLimitResponse>(
            schemas,
            "The result: allowed or refused.",
            json!({ "allowed": true, "limit": 5, "remaining": 4, "resetsAt": "2026-03-03T12:00:12Z" }),
        )
        .idempotent("For a day"),
    );
    operations
}

fn jobs(schemas: &mut Schemas) -> Vec<Operation> {
    vec![
        Operation::new(
            &CRON_DAILY,
            Get,
            "runDailyJob",
            "Run the daily job",
            "Stores the rest of the log of API calls, creates and drops partitions, deletes expired \
             records, warms the entitlement cache, and compares events and subscriptions with \
             Stripe. The platform's scheduler calls it with the cron secret. A run that is out of \
             time leaves the rest to the next run. Running the job twice is safe.",
        )
        .response::<cron::daily::DailyReport>(
            schemas,
            "The result of the run.",
            json!({
                "deleted": {
                    "api_log": 0, "audit_log": 0, "failed_webhooks": 0, "history": 3,
                    "history_keys": 40, "outbox": 12,
                    "stripe_requests": 7, "usage_events": 0, "usage_keys": 120, "webhook_events": 45,
                },
                "loggedCalls": 0,
                "partitions": {
                    "made": ["api_log_2026_11_08", "audit_log_2027_01", "usage_events_2027_01"],
                    "dropped": ["api_log_2026_10_01", "audit_log_2024_10", "usage_events_2025_09"],
                    "postponed": [],
                },
                "warmed": { "shown": 311, "isComplete": true, "problem": null },
                "reconciled": {
                    "lookedAt": 402, "missedEvents": 0, "applied": 0, "foreign": 0, "unnamed": 0,
                    "unnamedSubscriptions": [], "drifts": 1,
                    "drifted": [{
                        "id": "sub_1Qa2Bc", "userId": "user_1",
                        "fields": [{ "field": "status", "ours": "active", "stripes": "past_due" }],
                    }],
                    "repaired": 1, "missingAtStripe": [], "failed": [], "isComplete": true, "problem": null,
                },
            }),
        )
        .codes(&[DatabaseUnavailable, RedisUnavailable]),
        Operation::new(
            &CRON_MINUTE,
            Get,
            "runMinuteJob",
            "Run the minute job",
            "Recomputes the entitlements that time has changed, delivers due outbox messages \
             (e-mails, alerts and updates of other systems) and webhooks to the app, retries \
             failed webhooks, and stores the log of API calls. The platform's scheduler calls it \
             with the cron secret. Two runs at once share the work.",
        )
        .response::<cron::minute::MinuteReport>(
            schemas,
            "The result of the run.",
            json!({
                "settled": 2, "replayed": 1, "stillFailing": 0,
                "messages": { "delivered": 4, "retried": 1, "givenUp": 0 },
                "appWebhooks": { "delivered": 2, "retried": 0, "givenUp": 0 },
                "loggedCalls": 0,
            }),
        )
        .codes(&[DatabaseUnavailable]),
    ]
}
