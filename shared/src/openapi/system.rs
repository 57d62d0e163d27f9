//! Operations of the tag that this file is named after: system.

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
            "Answers without asking Postgres, Redis or Stripe, so that a platform never restarts \
             a healthy process because a store is down. Anyone may call it.",
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
            "Asks Postgres and Redis for an answer within 700 milliseconds. Anyone may call it. \
             Not ready is a response that names what is down, not a problem.",
        )
        .response::<health::ready::ReadinessResponse>(
            schemas,
            "All stores answer.",
            readiness("ready", "up"),
        )
        .response_with::<health::ready::ReadinessResponse>(
            schemas,
            "503",
            "A store does not answer.",
            readiness("degraded", "down"),
        ),
    );
    operations.push(
        Operation::new(
            &RATE_LIMIT,
            Post,
            "takeRateLimit",
            "Take from a rate limit",
            "Takes units from one of the app's own rate limits, which the setting `RATE_LIMITS` \
             defines, for one identifier. The limit holds across all instances. Only a service \
             key or an admin may call it. A refusal is a response with `allowed: false`, never \
             an error. If Redis does not answer, a tenth of the limit is enforced in each \
             process.",
        )
        .request::<rate_limit::RateLimitRequest>(
            schemas,
            json!({ "action": "review-code", "identifier": "user_1", "cost": 1 }),
        )
        .response::<rate_limit::RateLimitResponse>(
            schemas,
            "Whether the action is allowed.",
            json!({ "allowed": true, "limit": 5, "remaining": 4, "resetsAt": "2026-03-03T12:00:12Z" }),
        )
        .idempotent("for a day"),
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
            "Deletes records that are no longer needed, warms the entitlement cache, and compares \
             events and subscriptions with Stripe. The platform's scheduler calls it with the \
             cron secret. A run that is out of time leaves the rest to the next run; running it \
             twice does no harm.",
        )
        .response::<cron::daily::DailyReport>(
            schemas,
            "What the run did.",
            json!({
                "deleted": {
                    "audit_log": 0, "failed_webhooks": 0, "history": 3, "outbox": 12,
                    "stripe_requests": 7, "usage_events": 0, "usage_keys": 120, "webhook_events": 45,
                },
                "partitions": {
                    "made": ["audit_log_2027_01", "usage_events_2027_01"],
                    "dropped": ["audit_log_2024_10", "usage_events_2025_09"],
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
            "Recomputes the entitlements that time has changed, delivers due outbox messages, and \
             retries failed webhooks. The platform's scheduler calls it with the cron secret. \
             Two runs at once share the work.",
        )
        .response::<cron::minute::MinuteReport>(
            schemas,
            "What the run did.",
            json!({
                "settled": 2, "replayed": 1, "stillFailing": 0,
                "messages": { "delivered": 4, "retried": 1, "givenUp": 0 },
            }),
        )
        .codes(&[DatabaseUnavailable]),
    ]
}
