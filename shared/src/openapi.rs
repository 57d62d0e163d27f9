//! The OpenAPI document, derived from the endpoint table and the types that the handlers take and
//! return. Each tag has a file here that describes its operations.
//!
//! No deployed function links this module: the table and the handlers do not refer to it.

mod account;
mod app_webhooks;
mod catalog;
mod checkout;
mod companion;
mod credits;
mod entitlements;
mod errors;
mod history;
mod operation;
mod schemas;
mod subscriptions;
mod system;
mod usage;
mod variants;
mod webhooks;

use serde_json::{Map, Value, json};

use self::operation::Operation;
use self::schemas::Schemas;
use crate::domain::UserId;
use crate::domain::error::ErrorCode;
use crate::http::problem::{self, Problem};

/// A group of operations, in the order of the document.
struct Tag {
    name: &'static str,
    description: &'static str,
    operations: fn(&mut Schemas) -> Vec<Operation>,
}

const TAGS: [Tag; 11] = [
    Tag {
        name: "Entitlements",
        description: "The features and limits of a user's plan, and checks against them.",
        operations: entitlements::operations,
    },
    Tag {
        name: "Usage",
        description: "Usage of metered features, counted against the limits of the user's plan.",
        operations: usage::operations,
    },
    Tag {
        name: "Credits",
        description: "Credit balances, and the ledger of every change to them.",
        operations: credits::operations,
    },
    Tag {
        name: "Catalog",
        description: "The plans and credit packs on sale.",
        operations: catalog::operations,
    },
    Tag {
        name: "Checkout",
        description: "Purchases through Stripe Checkout, and Stripe's customer portal.",
        operations: checkout::operations,
    },
    Tag {
        name: "Subscriptions",
        description: "A user's subscription, changes to it and their price, and the user's invoices.",
        operations: subscriptions::operations,
    },
    Tag {
        name: "Webhooks",
        description: "Events from Stripe, and the failed webhooks: events that could not be applied.",
        operations: webhooks::operations,
    },
    Tag {
        name: "History",
        description: "The results that an app keeps for its users, such as code reviews, and users' \
                      feedback on them.",
        operations: history::operations,
    },
    Tag {
        name: "Account",
        description: "The export and the deletion of everything about a user.",
        operations: account::operations,
    },
    Tag {
        name: "Companion app",
        description: "For a companion chat app: users' live stats and sign-ins.",
        operations: companion::operations,
    },
    Tag {
        name: "Operations",
        description: "Health, scheduled jobs, and rate limits for the app's own server.",
        operations: system::operations,
    },
];

const DESCRIPTION: &str = "Farebox is the billing back end of a SaaS product. It keeps plans, entitlements, usage and \
credits in step with Stripe.

**Authentication.** Requests have the header `Authorization: Bearer` with one of two credentials. A token from the \
app's identity provider acts for its own user, or for the organisation that it names. A service key belongs to a \
trusted server, which names the user or the organisation in each request.

**Organisations.** The owner of a plan, usage, credits or history is a user or an organisation; this document calls \
both the user. A token that names an organisation acts for it, and the user's role decides whether it may only read, \
also spend, or also buy. Live stats and the account itself are always the user's own.

**Errors.** Every error response is a problem document (RFC 9457) with a stable `code`.

**Retries.** Operations that list an `Idempotency-Key` header can be retried safely with it. The same key with the \
same request returns the first response again; the same key with a different request is refused with \
`idempotency_key_reused`.

**Rate limits.** The headers `RateLimit` and `RateLimit-Policy` report the remaining quota. A response with status \
429 has the header `Retry-After`.

**Optional fields.** Leave out an optional field to get its default. A request has no null, except inside \
`metadata`.

**Amounts and times.** Amounts of money are integers in minor units, such as cents. Times are RFC 3339 in UTC.

**Pagination.** Lists return `nextCursor`. Send it as `cursor` to get the next page. It is null on the last page.";

/// Builds the OpenAPI document.
pub fn document() -> Value {
    let mut schemas = Schemas::new();
    let problem = schemas.response::<Problem<'_>>();
    let mut users_bodies = Vec::new();
    let mut paths = Map::new();
    for tag in &TAGS {
        for operation in (tag.operations)(&mut schemas) {
            let methods = paths.entry(operation.endpoint.path).or_insert_with(|| json!({}));
            let method = operation.method.as_str().to_lowercase();
            methods[method] = operation.to_json(tag.name, &problem);
            let names: Vec<_> =
                ["userId", "ownerId"].into_iter().filter(|name| operation.accepts(name)).collect();
            users_bodies.extend(operation.request.map(|content| (content.schema, names)));
        }
    }
    let webhooks = app_webhooks::webhooks(&mut schemas);
    let mut components = schemas.into_components();
    for (body, names) in &users_bodies {
        add_names(&mut components, body, names);
    }
    variants::add(&mut components);
    describe_codes(&mut components["ErrorCode"]);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Farebox",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "http://127.0.0.1:3000", "description": "The local server that `farebox dev` starts" }],
        "tags": TAGS.each_ref().map(|tag| json!({ "name": tag.name, "description": tag.description })),
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "user": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "A token from the app's identity provider. It acts for the organisation \
                        that it names, as far as the user's role permits, or else for its own user. An \
                        admin acts for any owner." },
                "service": { "type": "http", "scheme": "bearer",
                    "description": "A service key (`fbx_...`) of a trusted server or an admin." },
                "cron": { "type": "http", "scheme": "bearer",
                    "description": "The cron secret, which the platform's scheduler sends." },
            },
        },
    })
}

/// Adds `userId` and `ownerId` to a request's schema. The guard removes the fields from the body
/// before the handler parses it, so the handler's type does not list them.
fn add_names(components: &mut Map<String, Value>, body: &Value, names: &[&str]) {
    let name = body["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
    let Some(schema) = name.and_then(|name| components.get_mut(name)) else { return };
    for name in names {
        let description = match *name {
            "userId" => "The user that the request is about",
            _ => "The owner that the request is about",
        };
        schema["properties"][*name] = json!({
            "type": "string", "minLength": 1, "maxLength": 255, "pattern": UserId::PATTERN,
            "description": format!("{description}, in place of the query parameter `{name}`."),
        });
    }
}

/// Describes the schema of error codes by a list of every code, its status and its meaning.
fn describe_codes(schema: &mut Value) {
    let mut description =
        "The kind of problem. Codes are stable, so programs can match on them.\n".to_owned();
    for code in codes(schema) {
        let status = problem::status(code).as_u16();
        description += &format!("\n- `{code}` ({status}): {}", errors::meaning(code));
    }
    schema["description"] = description.into();
}

fn codes(schema: &Value) -> Vec<ErrorCode> {
    let words = schema["enum"].as_array().into_iter().flatten();
    words.filter_map(|word| serde_json::from_value(word.clone()).ok()).collect()
}

#[cfg(test)]
mod tests;
