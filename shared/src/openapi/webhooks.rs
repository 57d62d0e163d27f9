//! The operations of the tag "Webhooks".

use serde_json::{Value, json};

use super::operation::Operation;
use super::schemas::Schemas;
use crate::adapters::postgres::FailedWebhook;
use crate::domain::error::ErrorCode::{
    DatabaseUnavailable, InvalidSignature, MalformedEvent, PayloadForgotten, StripeUnavailable,
    WebhookNotFound, WebhookResolved,
};
use crate::domain::{EventId, EventType};
use crate::endpoints::{ADMIN_WEBHOOKS, STRIPE_WEBHOOK, WEBHOOKS_STRIPE, admin, stripe};
use crate::http::Endpoint;
use crate::http::Method::{Get, Post};

pub(super) fn operations(schemas: &mut Schemas) -> Vec<Operation> {
    vec![
        list(schemas),
        handle(schemas),
        receive(&STRIPE_WEBHOOK, "receiveStripeWebhook", "Receive a Stripe event", schemas),
        receive(
            &WEBHOOKS_STRIPE,
            "receiveStripeWebhookAlias",
            "Receive a Stripe event at the alternative path",
            schemas,
        ),
    ]
}

fn list(schemas: &mut Schemas) -> Operation {
    Operation::new(
        &ADMIN_WEBHOOKS,
        Get,
        "listFailedWebhooks",
        "List failed webhooks",
        "Returns a page of the Stripe events that Farebox could not apply, newest failure first. \
         With `id`, returns only that event, with its payload. Only an admin may call it.",
    )
    .query("id", schemas.request::<EventId>(), "Return only this event, with its payload.")
    .query(
        "status",
        json!({ "type": "string", "enum": ["open", "resolved", "all"], "default": "open" }),
        "Return only open events, only resolved events, or both.",
    )
    .query("type", schemas.request::<EventType>(), "Return only events of this type.")
    .paged()
    .response::<admin::webhooks::FailedWebhooksResponse>(
        schemas,
        "A page of failed webhooks or, with `id`, one failed webhook.",
        json!({ "data": [failed()], "nextCursor": null }),
    )
    .codes(&[WebhookNotFound, DatabaseUnavailable])
}

fn handle(schemas: &mut Schemas) -> Operation {
    let mut resolved = failed();
    resolved["nextTryAt"] = Value::Null;
    resolved["resolvedAt"] = json!("2026-03-03T12:30:00Z");
    resolved["resolvedBy"] = json!("operator");
    resolved["note"] = json!("A test customer");
    Operation::new(
        &ADMIN_WEBHOOKS,
        Post,
        "handleFailedWebhook",
        "Replay or resolve a failed webhook",
        "`replay` applies the event again now; an event that fails again stays open. `resolve` \
         closes it without applying it, and requires a `note`. Only an admin may call it, and the \
         audit trail records who did. Resolving again with the same note changes nothing.",
    )
    .request::<admin::webhooks::HandleFailedWebhookRequest>(
        schemas,
        json!({ "id": "evt_1Qa2Bc", "action": "resolve", "note": "A test customer" }),
    )
    .response::<FailedWebhook>(schemas, "The event after the action.", resolved)
    .codes(&[
        WebhookNotFound,
        WebhookResolved,
        PayloadForgotten,
        DatabaseUnavailable,
        StripeUnavailable,
    ])
}

fn receive(
    endpoint: &'static Endpoint,
    id: &'static str,
    summary: &'static str,
    schemas: &mut Schemas,
) -> Operation {
    Operation::new(
        endpoint,
        Post,
        id,
        summary,
        "The endpoint to register at Stripe. Farebox checks the signature over the raw body and \
         applies each event exactly once. Events may arrive in any order. An event that cannot be \
         applied is stored as a failed webhook, and the status is 200, because another delivery \
         by Stripe would fail too. If Postgres or Stripe does not answer, the status is 503, and \
         Stripe delivers the event again. Events of types that Farebox does not use are recorded \
         and change nothing else.",
    )
    .required_header(
        "Stripe-Signature",
        json!({ "type": "string" }),
        "Stripe's signature over the raw body.",
    )
    .raw_request(
        json!({
            "type": "object", "required": ["id", "type", "data"], "additionalProperties": true,
            "description": "A Stripe event, as described in Stripe's API reference.",
            "properties": {
                "id": { "type": "string" },
                "type": { "type": "string" },
                "data": { "type": "object", "additionalProperties": true },
            },
        }),
        json!({
            "id": "evt_1Qa2Bc", "object": "event", "type": "invoice.paid", "created": 1_772_539_200,
            "data": { "object": { "id": "in_1Qa2Bc", "object": "invoice" } },
        }),
    )
    .response::<stripe::webhook::WebhookResponse>(
        schemas,
        "The event was applied now or earlier, or was stored as a failed webhook.",
        json!({ "received": true }),
    )
    .codes(&[InvalidSignature, MalformedEvent, DatabaseUnavailable, StripeUnavailable])
}

fn failed() -> Value {
    json!({
        "id": "evt_1Qa2Bc", "type": "checkout.session.completed", "createdAt": "2026-03-03T12:00:00Z",
        "failedAt": "2026-03-03T12:00:01Z", "cause": "the session names no user", "attempts": 2,
        "nextTryAt": "2026-03-03T12:20:00Z", "retriedAt": "2026-03-03T12:10:00Z", "resolvedAt": null,
        "resolvedBy": null, "note": null, "userId": null, "customerId": "cus_1Qa2Bc", "paymentId": null,
    })
}
