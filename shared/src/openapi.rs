//! The OpenAPI document, derived from the endpoint table and the types that the handlers take and
//! return. Each tag has a file here that describes its operations.
//!
//! No deployed function links this module: the table and the handlers do not refer to it.

mod catalog;
mod checkout;
mod companion;
mod credits;
mod entitlements;
mod errors;
mod operation;
mod schemas;
mod subscriptions;
mod system;
mod usage;
mod webhooks;

use serde_json::{Map, Value, json};

use self::operation::Operation;
use self::schemas::Schemas;
use crate::domain::error::ErrorCode;
use crate::http::problem::{self, Problem};

/// A group of operations, in the order of the document.
struct Tag {
    name: &'static str,
    description: &'static str,
    operations: fn(&mut Schemas) -> Vec<Operation>,
}

const TAGS: [Tag; 9] = [
    Tag {
        name: "Entitlements",
        description: "What a user may use, and why.",
        operations: entitlements::operations,
    },
    Tag {
        name: "Usage",
        description: "Counting what users use of metered features, within their plan's limits.",
        operations: usage::operations,
    },
    Tag {
        name: "Credits",
        description: "Balances of credits, and the ledger of everything that moved them.",
        operations: credits::operations,
    },
    Tag {
        name: "Catalog",
        description: "The plans and credit packs on sale.",
        operations: catalog::operations,
    },
    Tag {
        name: "Checkout",
        description: "Buying through Stripe Checkout, and Stripe's customer portal.",
        operations: checkout::operations,
    },
    Tag {
        name: "Subscriptions",
        description: "A user's subscription, and changes of it.",
        operations: subscriptions::operations,
    },
    Tag {
        name: "Webhooks",
        description: "Events from Stripe, and those that could not be applied.",
        operations: webhooks::operations,
    },
    Tag {
        name: "Companion app",
        description: "Live stats of a companion app's users, their sign-ins, and their accounts.",
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

**Authentication.** Requests carry `Authorization: Bearer` with a token of the app's identity provider, which acts \
for its user alone, or with a service key of a trusted server, which names the user of each request.

**Errors.** Every response that is not a success is a problem (RFC 9457) with a stable `code`.

**Retries.** A request that changes something accepts an `Idempotency-Key`. The same key with the same request \
returns the first response again; with another request it is refused with `idempotency_key_reused`.

**Rate limits.** `RateLimit` and `RateLimit-Policy` tell what is left, and a 429 has `Retry-After`.

**Amounts and times.** Amounts of money are integers in minor units, such as cents. Times are RFC 3339 in UTC.

**Pages.** Lists return `nextCursor`; send it as `cursor` for the next page.";

/// The whole document.
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
            if operation.names_user() {
                users_bodies.extend(operation.request.map(|content| content.schema));
            }
        }
    }
    let mut components = schemas.into_components();
    for body in &users_bodies {
        add_user_id(&mut components, body);
    }
    describe_codes(&mut components["ErrorCode"]);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Farebox",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "http://127.0.0.1:3000", "description": "The local stack" }],
        "tags": TAGS.each_ref().map(|tag| json!({ "name": tag.name, "description": tag.description })),
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "user": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "A token of the app's identity provider. It acts for its user alone, \
                        unless it is an admin's." },
                "service": { "type": "http", "scheme": "bearer",
                    "description": "A service key, `fbx_...`, of a trusted server or an admin." },
                "cron": { "type": "http", "scheme": "bearer",
                    "description": "The cron secret of the platform's scheduler." },
            },
        },
    })
}

/// The guard takes a body's `userId` before the handler's type sees it.
fn add_user_id(components: &mut Map<String, Value>, body: &Value) {
    let name = body["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
    if let Some(schema) = name.and_then(|name| components.get_mut(name)) {
        schema["properties"]["userId"] = json!({
            "type": "string", "minLength": 1, "maxLength": 255,
            "description": "The user whom the request is about, as in the query.",
        });
    }
}

/// Lists every error code with its status and its meaning.
fn describe_codes(schema: &mut Value) {
    let mut description =
        "What kind of problem it is. Stable, for programs to match on.\n".to_owned();
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
