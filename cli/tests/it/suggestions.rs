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

const CHECKOUT: &str = "/api/stripe/create-checkout-session";

/// A request, its body (empty for none), the invalid field and the message.
const CASES: &[(&str, &str, &str, &str, &str)] = &[
    ("POST", "/api/check", r#"{"feature": "reprots"}"#, "feature", REPORTS),
    ("POST", "/api/usage", r#"{"feature": "reprots"}"#, "feature", REPORTS),
    (
        "POST",
        "/api/usage",
        r#"{"entries": [{"feature": "reports"}, {"feature": "reprots"}]}"#,
        "entries[1].feature",
        REPORTS,
    ),
    (
        "GET",
        "/api/usage?feature=reprots",
        "",
        "feature",
        "reprots: no such metered feature; did you mean reports?",
    ),
    (
        "POST",
        "/api/usage",
        r#"{"feature": "priority_support"}"#,
        "feature",
        "priority_support: no such metered feature; choose one of api_calls, dashboards, exports, \
         reports",
    ),
    ("GET", "/api/credits?unit=ai_credti", "", "unit", UNIT),
    (
        "POST",
        "/api/credits",
        r#"{"action": "spend", "unit": "ai_credti", "amount": 1}"#,
        "unit",
        UNIT,
    ),
    (
        "POST",
        "/api/credits",
        r#"{"action": "grant", "unit": "ai_credti", "amount": 1, "reason": "x"}"#,
        "unit",
        UNIT,
    ),
    (
        "POST",
        "/api/credits",
        r#"{"action": "spend", "unit": "coins", "amount": 1}"#,
        "unit",
        "coins: no such unit of credits; the only one is ai_credit",
    ),
    (
        "POST",
        CHECKOUT,
        r#"{"tier": "prp", "interval": "monthly"}"#,
        "tier",
        "prp: no such plan on sale; did you mean pro?",
    ),
    (
        "POST",
        CHECKOUT,
        r#"{"tier": "gold", "interval": "monthly"}"#,
        "tier",
        "gold: no such plan on sale; choose one of starter, pro, team",
    ),
    (
        "POST",
        CHECKOUT,
        r#"{"tier": "free", "interval": "monthly"}"#,
        "tier",
        "free: this plan is not sold; users without a subscription have it",
    ),
    (
        "POST",
        CHECKOUT,
        r#"{"tier": "team", "interval": "weekly"}"#,
        "interval",
        "weekly: no such interval of team; choose one of monthly, yearly",
    ),
    (
        "POST",
        CHECKOUT,
        r#"{"tier": "pro", "interval": "montly"}"#,
        "interval",
        "montly: no such value; did you mean monthly?",
    ),
    (
        "POST",
        CHECKOUT,
        r#"{"pack": "ai_1000", "currency": "gbp"}"#,
        "currency",
        "gbp: no such currency of ai_1000; choose one of eur, usd",
    ),
    ("POST", CHECKOUT, r#"{"pack": "ai_10"}"#, "pack", "ai_10: no such pack; did you mean ai_100?"),
    (
        "POST",
        CHECKOUT,
        r#"{"pack": "ai_100", "quantty": 2}"#,
        "quantty",
        "is not a field of this request; did you mean quantity?",
    ),
    (
        "PATCH",
        "/api/plan",
        r#"{"plan": "Strater"}"#,
        "plan",
        "Strater: no such plan; did you mean Starter?",
    ),
    (
        "PATCH",
        "/api/subscription",
        r#"{"action": "cancle"}"#,
        "action",
        "cancle: no such value; did you mean cancel?",
    ),
    (
        "GET",
        "/api/admin/webhooks?status=opne",
        "",
        "status",
        "opne: no such status; did you mean open?",
    ),
];

const REPORTS: &str = "reprots: no such feature; did you mean reports?";
const UNIT: &str = "ai_credti: no such unit of credits; did you mean ai_credit?";

/// A request's body; a checkout has its URLs too.
fn body(path: &str, text: &str) -> Option<Value> {
    let mut body: Value = serde_json::from_str(text).ok()?;
    if path == CHECKOUT {
        for url in ["successUrl", "cancelUrl"] {
            body[url] = "https://app.example/".into();
        }
    }
    Some(body)
}

#[tokio::test]
async fn an_unknown_value_is_named_with_the_one_that_was_meant() {
    let app = TestApp::selling("demo").await;
    for (method, path, text, field, expected) in CASES {
        let found = message(&app, method, path, body(path, text), field).await;
        assert_eq!(found, *expected, "{method} {path} {text}");
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
    let order = body(CHECKOUT, r#"{"tier": "pro", "interval": "monthly"}"#);
    let found = message(&app, "POST", CHECKOUT, order, "tier").await;
    assert_eq!(found, "pro: no such plan on sale");
}
