//! `POST /api/check` (DM-3): whether a user may use one or several features. A refusal is an
//! answer, not an error.

use serde_json::{Value, json};

use crate::support::{ApiResponse, Mode, TestApp};

async fn post_check(app: &TestApp, user: &str, question: Value) -> ApiResponse {
    app.post("/api/check").bearer(&app.token(user)).json(question).send().await
}

async fn verdict(app: &TestApp, user: &str, feature: &str, quantity: u64) -> Value {
    let question = json!({ "feature": feature, "quantity": quantity });
    post_check(app, user, question).await.expect_status(200).body
}

async fn set_plan(app: &TestApp, user: &str, plan: &str) {
    let call = app.patch("/api/plan").query("userId", user).bearer(&app.service_key);
    call.json(json!({ "plan": plan })).send().await.expect_status(200);
}

async fn use_up(app: &TestApp, user: &str, feature: &str, quantity: u64) -> ApiResponse {
    let call = app.post("/api/usage").bearer(&app.token(user));
    call.json(json!({ "feature": feature, "quantity": quantity })).send().await
}

/// The answer has the remaining balance, the reset time and the plan that would be enough.
#[tokio::test]
async fn a_check_has_the_balance_and_a_sufficient_plan() {
    let app = TestApp::selling("demo").await;
    use_up(&app, "ann", "reports", 3).await.expect_status(200);
    let allowed = verdict(&app, "ann", "reports", 2).await;
    let resets_at = allowed["resetsAt"].clone();
    assert!(resets_at.as_str().unwrap().ends_with("-01T00:00:00Z"), "{allowed}");
    let answer = |allowed: bool, upgrade_to: Value| {
        let reason = if allowed { Value::Null } else { json!("limit_reached") };
        json!({
            "feature": "reports", "allowed": allowed, "reason": reason, "balance": 2,
            "resetsAt": resets_at, "upgradeTo": upgrade_to,
        })
    };
    assert_eq!(allowed, answer(true, Value::Null));
    assert_eq!(verdict(&app, "ann", "reports", 3).await, answer(false, json!("starter")));
    assert_eq!(verdict(&app, "ann", "reports", 97).await, answer(false, json!("starter")));
    assert_eq!(verdict(&app, "ann", "reports", 98).await, answer(false, json!("pro")));
    assert_eq!(verdict(&app, "ann", "reports", 1 << 52).await, answer(false, json!("pro")));
    let one =
        post_check(&app, "ann", json!({ "feature": "reports" })).await.expect_status(200).body;
    assert_eq!(one, answer(true, Value::Null), "the quantity defaults to one");
}

/// Each refusal has its reason, and names a plan that helps if one is on sale.
#[tokio::test]
async fn every_refusal_has_its_reason() {
    let app = TestApp::selling("demo").await;
    for (feature, quantity, reason, upgrade_to) in [
        ("priority_support", 1, "not_in_plan", json!("pro")),
        ("single_sign_on", 1, "not_in_plan", json!("team")),
        ("exports", 1, "not_in_plan", json!("starter")),
        // The limit of `pro` is soft, so that plan is enough for any quantity.
        ("api_calls", 1_000_000, "limit_reached", json!("pro")),
        ("ai_credits", 1, "not_in_plan", json!("starter")),
        ("ai_credits", 11, "not_in_plan", json!("pro")),
        // The plan that includes this many credits is not on sale.
        ("ai_credits", 501, "not_in_plan", Value::Null),
    ] {
        let refused = verdict(&app, "ann", feature, quantity).await;
        assert_eq!(refused["allowed"], false, "{refused}");
        assert_eq!(refused["reason"], reason, "{refused}");
        assert_eq!(refused["upgradeTo"], upgrade_to, "{refused}");
    }
    let grant = json!({ "action": "grant", "unit": "ai_credit", "amount": 3, "reason": "hello" });
    let grant =
        app.post("/api/credits").bearer(&app.service_key).header("x-user-id", "bob").json(grant);
    grant.send().await.expect_status(200);
    let held = verdict(&app, "bob", "ai_credits", 4).await;
    assert_eq!(held["reason"], "limit_reached", "the user has credits, though not from a plan");
    set_plan(&app, "ann", "pro").await;
    let more = verdict(&app, "ann", "ai_credits", 101).await;
    assert_eq!(more["reason"], "limit_reached", "the plan includes credits");
    for (feature, quantity, balance) in [
        ("priority_support", 1, Value::Null),
        ("reports", 1_000_000, Value::Null),
        ("api_calls", 1_000_000, json!(50_000)),
        ("ai_credits", 100, json!(100)),
    ] {
        let allowed = verdict(&app, "ann", feature, quantity).await;
        assert_eq!((&allowed["allowed"], &allowed["reason"]), (&json!(true), &Value::Null));
        assert_eq!(allowed["balance"], balance, "{allowed}");
    }
}

/// After the grace period the reason is `past_due`, not `not_in_plan`.
#[tokio::test]
async fn a_past_due_user_gets_that_reason() {
    let app = TestApp::selling("aira").await;
    app.buy("ann", json!({ "tier": "plus", "interval": "monthly" })).await;
    app.give_card("ann", "pm_card_chargeCustomerFail").await;
    app.advance("1mo").await;
    app.advance("2h").await;
    assert_eq!(verdict(&app, "ann", "memory", 1).await["allowed"], true, "within the grace period");
    app.clock.advance(jiff::SignedDuration::from_hours(24 * 30));
    let refused = verdict(&app, "ann", "memory", 1).await;
    assert_eq!((&refused["allowed"], &refused["reason"]), (&json!(false), &json!("past_due")));
    assert_eq!(verdict(&app, "ann", "messages", 30).await["allowed"], true, "free features remain");
    assert_eq!(verdict(&app, "ann", "messages", 31).await["reason"], "past_due");
}

#[tokio::test]
async fn without_a_catalog_no_user_is_a_customer() {
    let app = TestApp::new().await;
    let expected = json!({
        "feature": "reports", "allowed": false, "reason": "no_customer", "balance": null,
        "resetsAt": null, "upgradeTo": null,
    });
    assert_eq!(verdict(&app, "ann", "reports", 1).await, expected);
}

/// Up to fifty questions are answered in their order, from one read.
#[tokio::test]
async fn up_to_fifty_are_answered_in_their_order() {
    let app = TestApp::selling("demo").await;
    let checks = |number: u64| {
        let one = |quantity| json!({ "feature": "reports", "quantity": quantity });
        json!({ "checks": (1..=number).map(one).collect::<Vec<_>>() })
    };
    app.postgres.flights();
    let answer = post_check(&app, "ann", checks(50)).await.expect_status(200).body;
    let allowed = answer["checks"].as_array().unwrap().iter().map(|check| &check["allowed"]);
    let allowed: Vec<bool> = allowed.map(|allowed| allowed.as_bool().unwrap()).collect();
    assert_eq!(allowed, (1..=50).map(|quantity| quantity <= 5).collect::<Vec<_>>());
    assert_eq!(app.postgres.flights(), 1);
    post_check(&app, "ann", checks(51)).await.expect_invalid("checks");
    post_check(&app, "ann", checks(0)).await.expect_invalid("checks");
    let unknown = json!({ "checks": [
        { "feature": "reports" }, { "feature": "exports" }, { "feature": "dashboards" },
        { "feature": "nothing" },
    ] });
    post_check(&app, "ann", unknown).await.expect_invalid("checks[3].feature");
}

/// An invalid question is a 400 that names the field.
#[tokio::test]
async fn an_invalid_check_is_refused_with_its_field() {
    let app = TestApp::selling("demo").await;
    for (question, field) in [
        (json!({}), "feature"),
        (json!({ "feature": "nothing" }), "feature"),
        (json!({ "feature": "" }), "feature"),
        (json!({ "feature": 5 }), "feature"),
        (json!({ "quantity": 5 }), "feature"),
        (json!({ "feature": "reports", "quantity": 0 }), "quantity"),
        (json!({ "feature": "reports", "quantity": -1 }), "quantity"),
        (json!({ "feature": "reports", "quantity": 1.5 }), "quantity"),
        (json!({ "feature": "reports", "quantity": "1" }), "quantity"),
        (json!({ "feature": "reports", "quantity": 1_u64 << 63 }), "quantity"),
        (json!({ "feature": "reports", "quantity": 1e300 }), "quantity"),
        (json!({ "feature": "reports", "amount": 1 }), "amount"),
        (json!({ "feature": "reports", "checks": [{ "feature": "reports" }] }), "checks"),
        (json!({ "checks": "reports" }), "checks"),
        (json!({ "checks": [{ "feature": "reports", "quantity": 0 }] }), "checks[0].quantity"),
        (json!({ "checks": [{ "quantity": 1 }] }), "checks[0].feature"),
    ] {
        let refused = post_check(&app, "ann", question.clone()).await;
        assert_eq!(refused.status, 400, "{question}");
        refused.expect_invalid(field);
    }
    let raw = app.post("/api/check").bearer(&app.token("ann"));
    let raw = raw.raw(r#"{"feature": "reports", "quantity": NaN}"#).send().await;
    assert_eq!(raw.status, 400, "{raw:?}");
    let other = json!({ "feature": "reports", "userId": "bob" });
    post_check(&app, "ann", other).await.expect_problem(403, "other_user");
}

/// A check changes nothing and creates no account. Its answer is the one that a track then gets.
#[tokio::test]
async fn a_check_counts_nothing_and_predicts_the_answer_to_a_track() {
    let app = TestApp::selling("demo").await;
    let before = app.tables().await;
    for feature in ["reports", "exports", "api_calls", "ai_credits", "priority_support"] {
        verdict(&app, "ann", feature, 5).await;
    }
    assert_eq!(app.tables().await, before);
    for (feature, quantity) in [
        ("reports", 3),
        ("reports", 3),
        ("reports", 2),
        ("reports", 1),
        ("exports", 1),
        ("dashboards", 2),
        ("dashboards", 1),
        ("api_calls", 101),
        ("api_calls", 100),
    ] {
        let asked = verdict(&app, "ann", feature, quantity).await["allowed"].clone();
        let used = use_up(&app, "ann", feature, quantity).await;
        assert_eq!(asked, used.status == 200, "{feature} {quantity}: {used:?}");
    }
}

/// One of the two stores is enough.
#[tokio::test]
async fn a_check_is_answered_by_either_store() {
    let app = TestApp::selling("demo").await;
    use_up(&app, "ann", "reports", 4).await.expect_status(200);
    let expected = verdict(&app, "ann", "reports", 2).await;
    app.postgres.set(Mode::Down).await;
    assert_eq!(verdict(&app, "ann", "reports", 2).await, expected);
    app.redis.set(Mode::Down).await;
    let neither = post_check(&app, "ann", json!({ "feature": "reports" })).await;
    neither.expect_problem(503, "database_unavailable");
    app.postgres.set(Mode::Pass).await;
    assert_eq!(verdict(&app, "ann", "reports", 2).await, expected);
}
