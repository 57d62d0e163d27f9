//! Errors name the wrong value and the one that was probably meant, and people's names of things.

use serde_json::{Value, json};

use crate::support::{Setup, TestApp};

/// The message of the only invalid field.
async fn message(
    app: &TestApp,
    method: &str,
    path: &str,
    body: Option<Value>,
    field: &str,
) -> String {
    let user = if path.starts_with("/api/admin") { "" } else { "ann" };
    let call = app.call(method, path).bearer(&app.admin_key);
    let call = if user.is_empty() { call } else { call.header("x-user-id", user) };
    let call = if let Some(body) = body { call.json(body) } else { call };
    let problem = call.send().await.expect_invalid(field).body;
    let message = problem["errors"][0]["message"].as_str().unwrap().to_owned();
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with(&format!("{field} {message}")), "{detail}");
    assert!(!detail.ends_with("?."), "{detail}");
    message
}

fn purchase(changes: Value) -> Value {
    let mut order =
        json!({ "successUrl": "https://app.example/", "cancelUrl": "https://app.example/" });
    order.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    order
}

#[tokio::test]
async fn an_unknown_value_is_named_with_the_one_that_was_meant() {
    let app = TestApp::selling("demo").await;
    let checkout = "/api/stripe/create-checkout-session";
    let spend = |unit: &str| json!({ "action": "spend", "unit": unit, "amount": 1 });
    let grant = json!({ "action": "grant", "unit": "ai_credti", "amount": 1, "reason": "x" });
    let entries = json!({ "entries": [{ "feature": "reports" }, { "feature": "reprots" }] });
    let monthly = |plan: &str| purchase(json!({ "tier": plan, "interval": "monthly" }));
    let reports = "reprots: no such feature; did you mean reports?";
    let unit = "ai_credti: no such unit of credits; did you mean ai_credit?";
    for (method, path, body, field, expected) in [
        ("POST", "/api/check", Some(json!({ "feature": "reprots" })), "feature", reports),
        ("POST", "/api/usage", Some(json!({ "feature": "reprots" })), "feature", reports),
        ("POST", "/api/usage", Some(entries), "entries[1].feature", reports),
        (
            "GET",
            "/api/usage?feature=reprots",
            None,
            "feature",
            "reprots: no such metered feature; did you mean reports?",
        ),
        (
            "POST",
            "/api/usage",
            Some(json!({ "feature": "priority_support" })),
            "feature",
            "priority_support: no such metered feature; choose one of api_calls, dashboards, \
             exports, reports",
        ),
        ("GET", "/api/credits?unit=ai_credti", None, "unit", unit),
        ("POST", "/api/credits", Some(spend("ai_credti")), "unit", unit),
        ("POST", "/api/credits", Some(grant), "unit", unit),
        (
            "POST",
            "/api/credits",
            Some(spend("coins")),
            "unit",
            "coins: no such unit of credits; the only one is ai_credit",
        ),
        (
            "POST",
            checkout,
            Some(monthly("prp")),
            "tier",
            "prp: no such plan on sale; did you mean pro?",
        ),
        (
            "POST",
            checkout,
            Some(monthly("gold")),
            "tier",
            "gold: no such plan on sale; choose one of starter, pro, team",
        ),
        (
            "POST",
            checkout,
            Some(monthly("free")),
            "tier",
            "free: this plan is not sold; users without a subscription have it",
        ),
        (
            "POST",
            checkout,
            Some(purchase(json!({ "tier": "team", "interval": "weekly" }))),
            "interval",
            "weekly: no such interval of team; choose one of monthly, yearly",
        ),
        (
            "POST",
            checkout,
            Some(purchase(json!({ "tier": "pro", "interval": "montly" }))),
            "interval",
            "montly: no such value; did you mean monthly?",
        ),
        (
            "POST",
            checkout,
            Some(purchase(json!({ "pack": "ai_1000", "currency": "gbp" }))),
            "currency",
            "gbp: no such currency of ai_1000; choose one of eur, usd",
        ),
        (
            "POST",
            checkout,
            Some(purchase(json!({ "pack": "ai_10" }))),
            "pack",
            "ai_10: no such pack; did you mean ai_100?",
        ),
        (
            "POST",
            checkout,
            Some(purchase(json!({ "pack": "ai_100", "quantty": 2 }))),
            "quantty",
            "is not a field of this request; did you mean quantity?",
        ),
        (
            "PATCH",
            "/api/plan",
            Some(json!({ "plan": "Strater" })),
            "plan",
            "Strater: no such plan; did you mean Starter?",
        ),
        (
            "PATCH",
            "/api/subscription",
            Some(json!({ "action": "cancle" })),
            "action",
            "cancle: no such value; did you mean cancel?",
        ),
        (
            "GET",
            "/api/admin/webhooks?status=opne",
            None,
            "status",
            "opne: no such status; did you mean open?",
        ),
    ] {
        assert_eq!(message(&app, method, path, body, field).await, expected, "{method} {path}");
    }
    let limit = json!({ "action": "reviewcode", "identifier": "ann" });
    let call = app.post("/api/rate-limit").bearer(&app.service_key).json(limit);
    let problem = call.send().await.expect_invalid("action").body;
    let expected =
        "reviewcode: no such rate limit in the setting RATE_LIMITS; did you mean review-code?";
    assert_eq!(problem["errors"][0]["message"], expected);
}

#[tokio::test]
async fn a_refusal_for_people_has_display_names() {
    let app = TestApp::selling("demo").await;
    let post = |path: &str, body: Value| app.post(path).bearer(&app.token("ann")).json(body).send();
    let many = json!({ "feature": "reports", "quantity": 3 });
    post("/api/usage", many.clone()).await.expect_status(200);
    let refused = post("/api/usage", many).await.expect_problem(402, "quota_exceeded").body;
    assert_eq!(refused["detail"], "3 of 5 Reports are used.");
    let none = json!({ "feature": "exports" });
    let refused = post("/api/usage", none).await.expect_problem(402, "quota_exceeded").body;
    assert_eq!(refused["detail"], "The plan does not include Exports.");
    let spend = json!({ "action": "spend", "unit": "ai_credit", "amount": 5 });
    let refused = post("/api/credits", spend).await.expect_problem(402, "insufficient_credits");
    assert_eq!(refused.body["detail"], "The balance of AI credits is 0, but 5 are needed.");
    assert_eq!(refused.body["unit"], "ai_credit");
}

/// Before a catalog is published there is nothing to suggest.
#[tokio::test]
async fn without_a_catalog_an_error_suggests_nothing() {
    let app = Setup::default().start().await;
    let order = purchase(json!({ "tier": "pro", "interval": "monthly" }));
    let path = "/api/stripe/create-checkout-session";
    let found = message(&app, "POST", path, Some(order), "tier").await;
    assert_eq!(found, "pro: no such plan on sale");
}
