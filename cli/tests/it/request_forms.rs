//! The forms of a request in docs/openapi.json, such as a plan or a pack, are those that the
//! handlers accept.

use serde_json::{Map, Value, json};
use shared::openapi;

use crate::support::{ApiResponse, TestApp};

/// A valid value of each field that belongs to some form only.
fn value(field: &str) -> Value {
    match field {
        "feature" => json!("reports"),
        "checks" | "entries" => json!([{ "feature": "reports" }]),
        "mode" => json!("each"),
        "quantity" | "amount" => json!(1),
        "metadata" => json!({}),
        "action" => json!("change"),
        "previewId" => json!("0b6c2f3e-9c1d-4f5a-8b7e-1234567890ab"),
        "tier" => json!("pro"),
        "interval" => json!("monthly"),
        "pack" => json!("ai_100"),
        "reason" | "note" => json!("a reason"),
        "expiresAt" => json!("2099-01-01T00:00:00Z"),
        "priority" => json!(1),
        "when" => json!("now"),
        "unit" => json!("ai_credit"),
        "id" => json!("evt_1"),
        "successUrl" | "cancelUrl" => json!("https://app.example/"),
        other => panic!("no value of {other}"),
    }
}

struct Form<'a> {
    method: &'a str,
    path: &'a str,
    form: &'a Value,
    /// The fields that every form requires.
    required: &'a Value,
}

fn names(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// The fields of several schemas: of a list under `anyOf`, or of one.
fn fields_of(schemas: &Value) -> Vec<&str> {
    let one = std::slice::from_ref(schemas);
    let all = schemas.as_array().or(schemas["anyOf"].as_array()).map_or(one, Vec::as_slice);
    all.iter().flat_map(|schema| names(&schema["required"])).collect()
}

impl Form<'_> {
    /// The smallest request of this form.
    fn request(&self) -> Map<String, Value> {
        let action = &self.form["properties"]["action"]["const"];
        let required = names(self.required).chain(names(&self.form["required"]));
        let any = fields_of(&self.form["anyOf"]);
        required
            .chain(any.first().copied())
            .map(|name| {
                let value = if name == "action" { action.clone() } else { value(name) };
                (name.to_owned(), value)
            })
            .collect()
    }

    async fn send(&self, app: &TestApp, request: Map<String, Value>) -> ApiResponse {
        let call = app.call(self.method, self.path).bearer(&app.admin_key);
        let call =
            if self.path.contains("/admin/") { call } else { call.header("x-user-id", "ann") };
        call.json(Value::Object(request)).send().await
    }

    async fn expect_refused(&self, app: &TestApp, request: Map<String, Value>) {
        let text = Value::Object(request.clone()).to_string();
        let answer = self.send(app, request).await;
        assert_eq!(answer.body["code"], "invalid_input", "{} {text}: {answer:?}", self.path);
    }
}

#[tokio::test]
async fn each_form_of_a_request_is_accepted_and_no_mixture() {
    let app = TestApp::selling("demo").await;
    let document = openapi::document();
    let mut forms = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            let reference = body["$ref"].as_str().unwrap_or_default();
            let schema = document.pointer(reference.trim_start_matches('#')).unwrap();
            let required = &schema["required"];
            // A request without several forms may still require one of some fields.
            let only = schema["anyOf"].is_array().then_some(schema);
            for form in schema["oneOf"].as_array().into_iter().flatten().chain(only) {
                let form = Form { method: &method.to_uppercase(), path, form, required };
                check(&app, &form).await;
                forms += 1;
            }
        }
    }
    assert_eq!(forms, 16);
}

async fn check(app: &TestApp, form: &Form<'_>) {
    let request = form.request();
    let answer = form.send(app, request.clone()).await;
    assert_ne!(answer.body["code"], "invalid_input", "{}: {answer:?}", form.path);
    for name in names(&form.form["required"]).chain(fields_of(&form.form["anyOf"])) {
        let mut without = request.clone();
        if without.remove(name).is_some() {
            form.expect_refused(app, without).await;
        }
    }
    for name in fields_of(&form.form["not"]) {
        let mut mixed = request.clone();
        mixed.insert(name.to_owned(), value(name));
        form.expect_refused(app, mixed).await;
    }
    for (name, field) in form.form["properties"].as_object().unwrap() {
        if field["minimum"] == 1 {
            let mut negative = request.clone();
            negative.insert(name.clone(), json!(-1));
            form.expect_refused(app, negative).await;
        }
    }
}
