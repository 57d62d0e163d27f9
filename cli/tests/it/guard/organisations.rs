//! Members of organisations, checked over the endpoint table.

use serde_json::{Value, json};
use shared::domain::Permission;
use shared::http::{Access, Endpoint};

use super::{body, call, calls_of, was_let_in};
use crate::support::{Call, Setup, TestApp};

async fn start() -> TestApp {
    Setup::default().with_organisations().sells("paintracker").start().await
}

/// A valid call that names an owner or a user in its body.
fn call_naming(app: &TestApp, method: &str, row: &Endpoint, field: &str, id: &str) -> Call {
    let mut body = body(row, method);
    body[field] = id.into();
    call(app, method, row).json(body)
}

fn permission(row: &Endpoint, method: &str) -> Option<Permission> {
    row.permission(&method.parse().unwrap())
}

async fn accounts(app: &TestApp) -> Value {
    let sql = "select coalesce(jsonb_agg(id order by id), '[]') from accounts";
    app.owner().await.query_typed_one(sql, &[]).await.unwrap().get(0)
}

/// FX-10, AI-10: a member names no other owner, nowhere, and nothing is read or changed.
#[tokio::test]
async fn a_member_acts_for_no_other_owner() {
    let app = start().await;
    let token = app.member("ann", "org_1", "org:admin");
    let before = app.tables().await;
    app.stripe.flights();
    for (row, method) in calls_of(Access::User) {
        let mut attempts = vec![
            call(&app, method, row).query("ownerId", "org_2"),
            call(&app, method, row).query("ownerId", "bob"),
            call(&app, method, row).query("ownerId", "ann").query("ownerId", "org_2"),
            call(&app, method, row).query("ownerId", "org_1").header("x-owner-id", "org_2"),
            call(&app, method, row).header("x-owner-id", "org_2"),
            call(&app, method, row).query("userId", "bob"),
            call(&app, method, row).query("userId", "org_1"),
            call(&app, method, row).query("ownerId", "org_1").query("userId", "bob"),
            call(&app, method, row).query("ownerId", ""),
            call_naming(&app, method, row, "ownerId", "org_2"),
            call_naming(&app, method, row, "userId", "bob"),
        ];
        if row.is_personal {
            attempts.push(call(&app, method, row).query("ownerId", "org_1"));
        }
        for attempt in attempts {
            let answer = attempt.bearer(&token).send().await;
            let answer = answer.expect_problem(403, "other_user");
            assert!(!answer.text.contains("bob") && !answer.text.contains("org_2"), "{answer:?}");
        }
        let number = call(&app, method, row).json(json!({ "ownerId": 7 }));
        number.bearer(&token).send().await.expect_invalid("ownerId");
    }
    assert_eq!(app.tables().await, before);
    assert_eq!(app.stripe.flights(), 0);
}

/// FX-10: a member acts for the organisation of their token, or for themselves where they say so.
#[tokio::test]
async fn a_member_acts_for_the_organisation_or_for_themselves() {
    let app = start().await;
    let token = app.member("ann", "org_1", "org:admin");
    let shared = || calls_of(Access::User).filter(|(row, _)| !row.is_personal);
    for (row, method) in shared() {
        for attempt in [
            call(&app, method, row),
            call(&app, method, row).query("ownerId", "org_1"),
            call(&app, method, row).query("userId", "ann"),
            call(&app, method, row).header("x-owner-id", "org_1").header("x-user-id", "ann"),
            call_naming(&app, method, row, "ownerId", "org_1"),
        ] {
            let answer = attempt.bearer(&token).send().await;
            assert!(was_let_in(&answer), "{method} {}: {answer:?}", row.path);
        }
    }
    assert_eq!(accounts(&app).await, json!(["org_1"]), "nothing is the member's own");

    let of_organisation = "select count(*) from checkout_sessions where user_id = 'org_1'";
    let sessions = app.count(of_organisation).await;
    for (row, method) in shared() {
        for attempt in [
            call(&app, method, row).query("ownerId", "ann"),
            call_naming(&app, method, row, "ownerId", "ann"),
        ] {
            let answer = attempt.bearer(&token).send().await;
            assert!(was_let_in(&answer), "{method} {}: {answer:?}", row.path);
        }
    }
    assert_eq!(accounts(&app).await, json!(["ann", "org_1"]));
    assert_eq!(app.count(of_organisation).await, sessions, "nothing new is the organisation's");
}

/// FX-10: live stats and the account itself are the user's own, whatever organisation the token names.
#[tokio::test]
async fn a_personal_route_is_about_the_user() {
    let app = start().await;
    let token = app.member("ann", "org_1", "org:admin");
    let personal = || calls_of(Access::User).filter(|(row, _)| row.is_personal);
    let names: Vec<&str> = personal().map(|(row, _)| row.name).collect();
    for name in ["account", "chat-save", "dashboard", "mood", "session"] {
        assert!(names.contains(&name), "{names:?}");
    }
    for (row, method) in personal().filter(|(row, _)| row.name != "account") {
        for attempt in [call(&app, method, row), call(&app, method, row).query("ownerId", "ann")] {
            let answer = attempt.bearer(&token).send().await;
            assert!(was_let_in(&answer), "{method} {}: {answer:?}", row.path);
        }
    }
    assert_eq!(accounts(&app).await, json!(["ann"]));
    assert_eq!(app.redis_command(&["EXISTS", "user:org_1:stats"]).await, 0);
    app.delete("/api/account").bearer(&token).send().await.expect_status(204);
    assert_eq!(app.count("select count(*) from erased_users").await, 1);
}

/// FX-10: a role that may read changes nothing and calls no API of Stripe; one that may spend does
/// not buy.
#[tokio::test]
async fn a_role_limits_every_route() {
    let app = start().await;
    let before = app.tables().await;
    app.stripe.flights();
    for (role, has) in [("org:guest", Permission::Read), ("org:member", Permission::Spend)] {
        let token = app.member("ann", "org_1", role);
        for (row, method) in calls_of(Access::User) {
            let Some(needs) = permission(row, method).filter(|needs| *needs > has) else {
                continue;
            };
            for attempt in
                [call(&app, method, row), call(&app, method, row).query("ownerId", "org_1")]
            {
                let refused = attempt.bearer(&token).send().await;
                let refused = refused.expect_problem(403, "insufficient_role");
                let detail = refused.body["detail"].as_str().unwrap();
                assert!(detail.contains(&format!("needs {needs}")), "{detail}");
            }
        }
    }
    assert_eq!(app.tables().await, before);
    assert_eq!(app.stripe.flights(), 0);

    for (role, has) in [("org:guest", Permission::Read), ("org:member", Permission::Spend)] {
        let token = app.member("ann", "org_1", role);
        for (row, method) in calls_of(Access::User) {
            if permission(row, method).is_some_and(|needs| needs <= has) {
                let answer = call(&app, method, row).bearer(&token).send().await;
                assert!(was_let_in(&answer), "{role} {method} {}: {answer:?}", row.path);
            }
        }
    }
}

/// A route that is added must state its permission: without `buys`, it needs only `spend`.
#[tokio::test]
async fn exactly_the_listed_calls_need_the_permission_to_buy() {
    let buying: Vec<_> = calls_of(Access::User)
        .filter(|(row, method)| permission(row, method) == Some(Permission::Buy))
        .map(|(row, method)| (method, row.path))
        .collect();
    let expected = [
        ("DELETE", "/api/history"),
        ("POST", "/api/stripe/create-checkout-session"),
        ("POST", "/api/stripe/create-portal-session"),
        ("PATCH", "/api/subscription"),
        ("POST", "/api/subscription/preview"),
    ];
    assert_eq!(buying, expected);
    let reading = |name: &str| {
        calls_of(Access::User)
            .filter(|(row, _)| row.name == name)
            .all(|(row, method)| permission(row, method) == Some(Permission::Read))
    };
    assert!(reading("check") && reading("entitlements"), "a check changes nothing");
}
