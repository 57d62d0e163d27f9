//! An operation: one method of one endpoint, with its description, and its OpenAPI JSON.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::errors;
use super::schemas::Schemas;
use crate::domain::error::ErrorCode;
use crate::domain::{IdempotencyKey, Permission, UserId};
use crate::http::{Access, Endpoint, Method};

/// The description of the parameter `ownerId`.
const OWNER_ID: &str = "The owner that the request is about: a user or an organisation. With a user's token, it is the \
     token's organisation if the token names one, or else the user; name the user's own id here to \
     act for the user. With a service key, `userId` is the owner if `ownerId` is absent; with \
     both, `userId` is the member who acts for the owner. The header `x-owner-id`, or `ownerId` in \
     a JSON body, has the same meaning.";

/// One method of one endpoint, with the details that the endpoint table does not contain.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) endpoint: &'static Endpoint,
    pub(super) method: Method,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: &'static str,
    pub(super) parameters: Vec<Value>,
    pub(super) request: Option<Content>,
    pub(super) responses: Vec<Response>,
    pub(super) codes: Vec<ErrorCode>,
}

/// A body in JSON with an example.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) schema: Value,
    pub(super) example: Value,
    /// Parses the example as the handler does, for the tests.
    #[cfg_attr(not(test), expect(dead_code, reason = "only a test reads the examples"))]
    pub(super) read: fn(Value) -> Result<(), serde_json::Error>,
}

#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: &'static str,
    description: &'static str,
    pub(super) content: Option<Content>,
}

impl Operation {
    pub(super) fn new(
        endpoint: &'static Endpoint,
        method: Method,
        id: &'static str,
        summary: &'static str,
        description: &'static str,
    ) -> Self {
        let mut parameters = Vec::new();
        if endpoint.access == Access::User || endpoint.name == "plan" {
            let schema = json!({
                "type": "string", "minLength": 1, "maxLength": 255, "pattern": UserId::PATTERN,
            });
            parameters.push(query(
                "userId",
                schema.clone(),
                "The user that the request is about. Optional with a user's token. With a service \
                 key, name the user here, in the header `x-user-id`, or as `userId` in a JSON body.",
            ));
            if !endpoint.is_personal {
                parameters.push(query("ownerId", schema, OWNER_ID));
            }
        }
        let (request, responses, codes) = (None, Vec::new(), Vec::new());
        Self { endpoint, method, id, summary, description, parameters, request, responses, codes }
    }

    /// Returns true if the request accepts this query parameter.
    pub(super) fn accepts(&self, name: &str) -> bool {
        self.parameters.iter().any(|parameter| parameter["name"] == name)
    }

    /// Returns the permission that a member of an organisation needs.
    pub(super) fn permission(&self) -> Option<Permission> {
        let method: Option<axum::http::Method> = self.method.as_str().parse().ok();
        method.and_then(|method| self.endpoint.permission(&method))
    }

    pub(super) fn request<T>(mut self, schemas: &mut Schemas, example: Value) -> Self
    where
        T: JsonSchema + DeserializeOwned,
    {
        let read = |value| serde_json::from_value::<T>(value).map(drop);
        self.request = Some(Content { schema: schemas.request::<T>(), example, read });
        self
    }

    /// Adds a request body that the handler parses without a type.
    pub(super) fn raw_request(mut self, schema: Value, example: Value) -> Self {
        self.request = Some(Content { schema, example, read: |_| Ok(()) });
        self
    }

    pub(super) fn response<T: JsonSchema>(
        self,
        schemas: &mut Schemas,
        description: &'static str,
        example: Value,
    ) -> Self {
        self.response_with::<T>(schemas, "200", description, example)
    }

    pub(super) fn response_with<T: JsonSchema>(
        mut self,
        schemas: &mut Schemas,
        status: &'static str,
        description: &'static str,
        example: Value,
    ) -> Self {
        let schema = schemas.response::<T>();
        let content = Some(Content { schema, example, read: |_| Ok(()) });
        self.responses.push(Response { status, description, content });
        self
    }

    /// Adds a response without a body.
    pub(super) fn empty(mut self, status: &'static str, description: &'static str) -> Self {
        self.responses.push(Response { status, description, content: None });
        self
    }

    pub(super) fn query(mut self, name: &str, schema: Value, description: &str) -> Self {
        self.parameters.push(query(name, schema, description));
        self
    }

    pub(super) fn required_query(mut self, name: &str, schema: Value, description: &str) -> Self {
        let mut parameter = query(name, schema, description);
        parameter["required"] = true.into();
        self.parameters.push(parameter);
        self
    }

    /// Adds the query parameters of a paginated list.
    pub(super) fn paged(self) -> Self {
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 20 });
        self.query("limit", limit, "The maximum number of entries on the page.").cursor()
    }

    pub(super) fn cursor(self) -> Self {
        let cursor = json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]+$" });
        self.query(
            "cursor",
            cursor,
            "The `nextCursor` of the previous page. Omit it for the first page.",
        )
    }

    pub(super) fn header(mut self, name: &str, schema: Value, description: &str) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "header", "schema": schema, "description": description,
        }));
        self
    }

    pub(super) fn required_header(self, name: &str, schema: Value, description: &str) -> Self {
        let mut operation = self.header(name, schema, description);
        if let Some(parameter) = operation.parameters.last_mut() {
            parameter["required"] = true.into();
        }
        operation
    }

    /// Adds the `Idempotency-Key` header. `period` begins a sentence: how long a key is kept.
    pub(super) fn idempotent(mut self, period: &str) -> Self {
        self.codes.push(ErrorCode::IdempotencyKeyReused);
        let text = format!(
            "A unique key that makes retries safe. {period}, the same key with the same request \
             returns the first response again and changes nothing."
        );
        let schema = json!({
            "type": "string", "minLength": 1, "maxLength": IdempotencyKey::MAX_BYTES,
            "pattern": IdempotencyKey::PATTERN,
        });
        self.header("Idempotency-Key", schema, &text)
    }

    /// Adds error codes that do not follow from the endpoint table.
    pub(super) fn codes(mut self, codes: &[ErrorCode]) -> Self {
        self.codes.extend(codes);
        self
    }

    /// The operation's OpenAPI JSON. `problem` is a reference to the schema of error responses.
    pub(super) fn to_json(&self, tag: &str, problem: &Value) -> Value {
        let Self { endpoint, id, summary, description, parameters, .. } = self;
        let mut responses = Map::new();
        for response in &self.responses {
            responses.insert(response.status.to_owned(), response.to_json());
        }
        for (status, codes) in errors::by_status(self) {
            let content = json!({ "application/problem+json": { "schema": problem } });
            responses.insert(
                status.to_string(),
                json!({
                    "description": errors::describe(&codes), "content": content, "x-codes": codes,
                }),
            );
        }
        let mut operation = json!({
            "operationId": id,
            "tags": [tag],
            "summary": summary,
            "description": description,
            "security": security(endpoint.access),
            "parameters": parameters,
            "responses": responses,
        });
        if let Some(content) = &self.request {
            operation["requestBody"] = json!({ "required": true, "content": content.to_json() });
        }
        if let Some(rate) = endpoint.rate {
            operation["x-rate-limit"] =
                json!({ "limit": rate.limit, "windowSeconds": rate.window_seconds });
        }
        operation
    }
}

impl Content {
    fn to_json(&self) -> Value {
        json!({ "application/json": { "schema": self.schema, "example": self.example } })
    }
}

impl Response {
    fn to_json(&self) -> Value {
        let mut response = json!({ "description": self.description });
        if let Some(content) = &self.content {
            response["content"] = content.to_json();
        }
        response
    }
}

fn query(name: &str, schema: Value, description: &str) -> Value {
    json!({ "name": name, "in": "query", "schema": schema, "description": description })
}

fn security(access: Access) -> Value {
    match access {
        Access::Public | Access::Stripe => json!([]),
        Access::User => json!([{ "user": [] }, { "service": [] }]),
        Access::Service | Access::Admin => json!([{ "service": [] }, { "user": [] }]),
        Access::Cron => json!([{ "cron": [] }]),
    }
}
