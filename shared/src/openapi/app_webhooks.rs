//! The webhooks that Farebox sends to the app's server.

use serde_json::{Value, json};

use super::schemas::Schemas;
use crate::domain::app_event::AppEvent;

pub(super) fn webhooks(schemas: &mut Schemas) -> Value {
    let header = |name: &str, description: &str| -> Value {
        json!({
            "name": name, "in": "header", "required": true, "description": description,
            "schema": { "type": "string" },
        })
    };
    json!({
        "appEvent": { "post": {
            "tags": ["Webhooks"],
            "operationId": "receiveAppEvent",
            "summary": "Receive an event in the app's server",
            "description": "Farebox sends it to `APP_WEBHOOK_URL`, in the form of Standard Webhooks \
                (https://www.standardwebhooks.com). A user's events arrive in order, and each at least \
                once. Failed attempts are retried for three days. 410 ends the attempts.",
            "security": [],
            "parameters": [
                header("webhook-id", "The event's id. Every attempt has the same."),
                header("webhook-timestamp", "The time of the attempt, in seconds since 1970."),
                header(
                    "webhook-signature",
                    "`v1,` and the HMAC-SHA256, in base64, of `{webhook-id}.{webhook-timestamp}.{body}`. \
                     During a rotation one for each secret, separated by spaces.",
                ),
            ],
            "requestBody": {
                "required": true,
                "content": { "application/json": {
                    "schema": schemas.response::<AppEvent>(),
                    "example": {
                        "type": "limit.reached",
                        "timestamp": "2026-03-03T12:00:00Z",
                        "data": {
                            "userId": "user_1", "feature": "reports", "used": 5, "limit": 5,
                            "resetsAt": "2026-04-01T00:00:00Z",
                        },
                    },
                } },
            },
            "responses": { "2XX": { "description": "The app has the event." } },
        } },
    })
}
