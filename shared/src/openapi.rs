//! The OpenAPI document, derived from the endpoint table and the types that the handlers take and
//! answer. No function links it: the table does not refer to it.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::adapters::postgres::catalog::Catalog;
use crate::adapters::postgres::{FailedWebhook, LedgerEntry};
use crate::companion::stats::UserStats;
use crate::endpoints as table;
use crate::endpoints::{
    admin, chat, check, credits, cron, entitlements, health, mood, plan, rate_limit, stripe,
    subscription, usage,
};
use crate::http::problem::Problem;
use crate::http::{Access, Endpoint, Method};

/// What the table does not say of one method of one endpoint.
struct Operation {
    endpoint: &'static Endpoint,
    method: Method,
    summary: &'static str,
    body: Option<Value>,
    status: &'static str,
    answer: Option<Value>,
}

/// Refers to the schema of `T`, which it adds to the components.
fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Option<Value> {
    Some(generator.subschema_for::<T>().to_value())
}

#[rustfmt::skip]
fn operations(r: &mut SchemaGenerator, g: &mut SchemaGenerator) -> Vec<Operation> {
    use Method::{Delete, Get, Patch, Post};
    let op = |endpoint, method, summary, body, status, answer| {
        Operation { endpoint, method, summary, body, status, answer }
    };
    vec![
        op(&table::ACCOUNT, Delete, "Delete a user and everything that is theirs", None, "204", None),
        op(&table::ADMIN_LEDGER, Get, "Whether the ledger of credits is right", None, "200", schema::<admin::ledger::LedgerAuditReport>(g)),
        op(&table::ADMIN_WEBHOOKS, Get, "Events of Stripe's that could not be applied", None, "200", schema::<admin::webhooks::FailedWebhooksResponse>(g)),
        op(&table::ADMIN_WEBHOOKS, Post, "Try such an event again, or set it aside", schema::<admin::webhooks::HandleFailedWebhookRequest>(r), "200", schema::<FailedWebhook>(g)),
        op(&table::CHAT_SAVE, Post, "Count a conversation and keep its summary", schema::<chat::save::SaveChatRequest>(r), "200", schema::<UserStats>(g)),
        op(&table::CHECK, Post, "Whether a user may use a feature, or several, now", schema::<check::CheckRequest>(r), "200", schema::<check::CheckResponse>(g)),
        op(&table::CREDITS, Get, "What a user holds, and what moved it", None, "200", schema::<credits::LedgerPage>(g)),
        op(&table::CREDITS, Post, "Spend, grant or adjust credits", schema::<credits::ChangeCreditsRequest>(r), "200", schema::<LedgerEntry>(g)),
        op(&table::CRON_DAILY, Get, "Forget what was only kept for a time, and compare with Stripe", None, "200", schema::<cron::daily::DailyReport>(g)),
        op(&table::CRON_MINUTE, Get, "Do what is due", None, "200", schema::<cron::minute::MinuteReport>(g)),
        op(&table::DASHBOARD, Get, "A user's live stats", None, "200", schema::<UserStats>(g)),
        op(&table::ENTITLEMENTS, Get, "What a user may do, has used and holds", None, "200", schema::<entitlements::Entitlements>(g)),
        op(&table::HEALTH, Get, "Whether this process answers", None, "200", schema::<health::HealthResponse>(g)),
        op(&table::HEALTH_READY, Get, "Whether everything a request may need answers", None, "200", schema::<health::ready::ReadinessResponse>(g)),
        op(&table::MOOD, Patch, "Set how a user feels", schema::<mood::SetMoodRequest>(r), "200", schema::<UserStats>(g)),
        op(&table::PLAN, Patch, "Give a user a plan without Stripe", schema::<plan::PlanComp>(r), "200", schema::<UserStats>(g)),
        op(&table::PLANS, Get, "What is sold, for a pricing page", None, "200", schema::<Catalog>(g)),
        op(&table::RATE_LIMIT, Post, "Take from a named limit of the app", schema::<rate_limit::RateLimitRequest>(r), "200", schema::<rate_limit::RateLimitResponse>(g)),
        op(&table::SESSION, Post, "Sign in: count the day, once", None, "200", schema::<UserStats>(g)),
        op(&table::SESSION, Delete, "Sign out", None, "204", None),
        op(&table::STRIPE_CHECKOUT_SESSION, Get, "How a purchase stands", None, "200", schema::<stripe::checkout_session::CheckoutSession>(g)),
        op(&table::STRIPE_CREATE_CHECKOUT_SESSION, Post, "Begin to buy a plan or a pack of credits", schema::<stripe::create_checkout_session::CheckoutRequest>(r), "200", schema::<stripe::create_checkout_session::CheckoutResponse>(g)),
        op(&table::STRIPE_CREATE_PORTAL_SESSION, Post, "Open the customer portal", schema::<stripe::create_portal_session::PortalRequest>(r), "200", schema::<stripe::create_portal_session::PortalResponse>(g)),
        op(&table::STRIPE_WEBHOOK, Post, "What Stripe tells us", None, "200", schema::<stripe::webhook::WebhookResponse>(g)),
        op(&table::SUBSCRIPTION, Get, "A user's subscription", None, "200", schema::<subscription::SubscriptionResponse>(g)),
        op(&table::SUBSCRIPTION, Patch, "Change, cancel or resume a subscription", schema::<subscription::ChangeSubscriptionRequest>(r), "200", schema::<subscription::SubscriptionResponse>(g)),
        op(&table::USAGE, Get, "What a user uses, and has used", None, "200", schema::<usage::UsagePage>(g)),
        op(&table::USAGE, Post, "Count what a user uses, if their plan allows it", schema::<usage::TrackUsageRequest>(r), "200", schema::<usage::UsageResponse>(g)),
        op(&table::WEBHOOKS_STRIPE, Post, "What Stripe tells us, under another address", None, "200", schema::<stripe::webhook::WebhookResponse>(g)),
    ]
}

/// The whole document.
pub fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    let mut requests = settings.clone().into_generator();
    let mut generator = settings.for_serialize().into_generator();
    let problem = schema::<Problem<'_>>(&mut generator).unwrap_or_default();
    let readiness = schema::<health::ready::ReadinessResponse>(&mut generator);
    let operations = operations(&mut requests, &mut generator);
    let mut schemas = generator.take_definitions(true);
    schemas.extend(requests.take_definitions(true));
    for operation in operations.iter().filter(|operation| takes_user(operation)) {
        add_user_id(&mut schemas, operation);
    }
    let mut paths = Map::new();
    for operation in &operations {
        let path = paths.entry(operation.endpoint.path).or_insert_with(|| json!({}));
        let method = operation.method.as_str().to_lowercase();
        path[method] = describe(operation, &problem);
    }
    // Not ready is an answer, not a problem: it says what is down.
    paths["/api/health/ready"]["get"]["responses"]["503"] = json!({
        "description": "Something is down",
        "content": { "application/json": { "schema": readiness } },
    });
    paths["/api/plans"]["get"]["responses"]["304"] =
        json!({ "description": "As it was when the ETag in If-None-Match was given" });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Farebox",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The billing back end of a SaaS product.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "http://127.0.0.1:3000", "description": "The local stack" }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "user": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "A token of the app's identity provider." },
                "service": { "type": "http", "scheme": "bearer",
                    "description": "A service key, fbx_..., of a trusted server or an admin." },
                "cron": { "type": "http", "scheme": "bearer", "description": "The cron secret." },
            },
        },
    })
}

/// Whether the request may name the user it is about.
fn takes_user(operation: &Operation) -> bool {
    operation.endpoint.access == Access::User || operation.endpoint.name == "plan"
}

/// The guard takes a body's `userId` before the handler's type sees it.
fn add_user_id(schemas: &mut Map<String, Value>, operation: &Operation) {
    let reference = operation.body.as_ref().and_then(|body| body["$ref"].as_str());
    let name = reference.and_then(|reference| reference.rsplit('/').next());
    if let Some(schema) = name.and_then(|name| schemas.get_mut(name)) {
        schema["properties"]["userId"] = json!({
            "type": "string", "maxLength": 255, "description": "Whom this is about, as in the query.",
        });
    }
}

fn describe(operation: &Operation, problem: &Value) -> Value {
    let endpoint = operation.endpoint;
    let problem = json!({ "application/problem+json": { "schema": problem } });
    let mut success = json!({ "description": "Success" });
    if let Some(schema) = &operation.answer {
        success["content"] = json!({ "application/json": { "schema": schema } });
    }
    let name = endpoint.name;
    let method = operation.method.as_str().to_lowercase();
    let mut described = json!({
        "operationId": format!("{name}-{method}"),
        "summary": operation.summary,
        "security": security(endpoint.access),
        "parameters": parameters(operation),
        "responses": {
            (operation.status): success,
            "default": { "description": "Refused or failed", "content": problem },
        },
    });
    if let Some(schema) = &operation.body {
        described["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    if let Some(rate) = endpoint.rate {
        described["x-rate-limit"] =
            json!({ "limit": rate.limit, "windowSeconds": rate.window_seconds });
    }
    described
}

fn security(access: Access) -> Value {
    match access {
        Access::Public | Access::Stripe => json!([]),
        Access::User => json!([{ "user": [] }, { "service": [] }]),
        Access::Service | Access::Admin => json!([{ "service": [] }, { "user": [] }]),
        Access::Cron => json!([{ "cron": [] }]),
    }
}

fn parameters(operation: &Operation) -> Value {
    let text = json!({ "type": "string", "maxLength": 255 });
    let mut parameters = Vec::new();
    if takes_user(operation) {
        parameters.push(json!({
            "name": "userId", "in": "query", "schema": text,
            "description": "Whom this is about. A user may leave it out, or name themselves; a \
                service key names the user here or in x-user-id.",
        }));
    }
    let name = operation.endpoint.name;
    if name == "stripe-checkout-session" {
        parameters.push(json!({
            "name": "sessionId", "in": "query", "required": true, "schema": text,
            "description": "The session, as create-checkout-session answered it.",
        }));
    }
    for (name, about) in query_of(name, operation.method) {
        parameters.push(json!({
            "name": name, "in": "query", "schema": text, "description": about,
        }));
    }
    if name == "stripe-create-checkout-session" {
        parameters.push(json!({
            "name": "x-user-email", "in": "header", "schema": text,
            "description": "The buyer's address, where a server buys for them.",
        }));
    }
    let changes_once = match operation.method {
        Method::Post => {
            !["check", "stripe-webhook", "webhooks-stripe", "admin-webhooks"].contains(&name)
        }
        method => (name, method) == ("subscription", Method::Patch),
    };
    if changes_once {
        let how_long = if name == "credits" { "for good" } else { "for a day" };
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "schema": text,
            "description": format!(
                "Makes a retry safe: {how_long}, the same key with the same request replays its first answer."
            ),
        }));
    }
    Value::Array(parameters)
}

/// What a list may be asked for.
fn query_of(name: &str, method: Method) -> Vec<(&'static str, &'static str)> {
    let page = [
        ("limit", "How many at most, 1 to 100; 20 if left out."),
        ("cursor", "The `nextCursor` of the page before."),
    ];
    let own: &[_] = match (name, method) {
        ("admin-webhooks", Method::Get) => &[
            ("id", "One event alone, with its payload."),
            ("status", "`open` (if left out), `resolved` or `all`."),
            ("type", "Events of this type alone."),
        ],
        ("subscription", Method::Get) => {
            return vec![(
                "subscriptionId",
                "Stripe's id of a subscription, in place of its user.",
            )];
        }
        ("usage", Method::Get) => &[("feature", "This feature alone.")],
        ("credits", Method::Get) => &[("unit", "This unit alone.")],
        ("admin-ledger", Method::Get) => return vec![page[1]],
        _ => return Vec::new(),
    };
    own.iter().copied().chain(page).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_every_endpoint_is_described_once() {
        let mut described: Vec<_> =
            operations(&mut SchemaGenerator::default(), &mut SchemaGenerator::default())
                .iter()
                .map(|operation| (operation.endpoint.name, operation.method.as_str()))
                .collect();
        let mut listed: Vec<_> = table::ALL
            .iter()
            .flat_map(|row| row.methods.iter().map(|method| (row.name, method.as_str())))
            .collect();
        described.sort_unstable();
        listed.sort_unstable();
        assert_eq!(described, listed);
    }
}
