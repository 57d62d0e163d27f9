//! The claims of a token that name an organisation and a role.

use serde_json::{Value, json};
use shared::domain::Permission;

use super::start;
use crate::support::{Setup, TestApp};

/// The owner for whom a token acts.
async fn owner(app: &TestApp, token: &str) -> Value {
    let call = app.get("/api/subscription").bearer(token);
    call.send().await.expect_status(200).body["userId"].clone()
}

/// The permission that a token has: the greatest whose call is not refused for the role.
async fn permission(app: &TestApp, token: &str) -> Permission {
    let resume = app.patch("/api/subscription").bearer(token).json(json!({ "action": "resume" }));
    let answers = [resume.send().await, app.spend_as(token).await];
    let may = answers.map(|answer| answer.body["code"] != "insufficient_role");
    match may {
        [true, true] => Permission::Buy,
        [false, true] => Permission::Spend,
        [false, false] => Permission::Read,
        [true, false] => panic!("it may buy but not spend"),
    }
}

/// FX-10: as Clerk's tokens have them in `o`, and Auth0's in claims whose names are URLs.
#[tokio::test]
async fn a_claim_is_found_by_its_path_or_its_whole_name() {
    for (claim, role_claim, claims, expected) in [
        ("o.id", "o.rol", json!({ "o": { "id": "org_1", "rol": "admin" } }), "org_1"),
        ("org_id", "role", json!({ "org_id": "org_1", "role": "admin" }), "org_1"),
        (
            "app_metadata.team.id",
            "app_metadata.team.role",
            json!({ "app_metadata": { "team": { "id": "acme", "role": "admin" } } }),
            "org:acme",
        ),
        (
            "https://app.example/org",
            "https://app.example/roles",
            json!({
                "https://app.example/org": "org_1",
                "https://app.example/roles": ["auditor", "admin", "member"],
            }),
            "org_1",
        ),
    ] {
        let app = Setup::default()
            .set("AUTH_ORG_CLAIM", claim)
            .set("AUTH_ORG_ROLE_CLAIM", role_claim)
            .set("AUTH_ORG_ROLES", "admin=buy,member=spend")
            .sells("demo")
            .start()
            .await;
        let mut claims = claims;
        claims["sub"] = "ann".into();
        let token = app.token_with(claims);
        assert_eq!(owner(&app, &token).await, expected, "{claim}");
        assert_eq!(permission(&app, &token).await, Permission::Buy, "{claim}");
        assert_eq!(owner(&app, &app.token("ann")).await, "ann", "{claim}");
    }
}

/// FX-10: a role that is missing or not listed may read; of several roles, the greatest counts.
#[tokio::test]
async fn a_role_decides_what_a_member_may_do() {
    let app = start().await;
    for (role, expected) in [
        (json!("org:admin"), Permission::Buy),
        (json!("org:member"), Permission::Spend),
        (json!(["org:member", "org:admin", "other"]), Permission::Buy),
        (json!("org:Admin"), Permission::Read),
        (json!("admin"), Permission::Read),
        (json!(""), Permission::Read),
        (json!([]), Permission::Read),
        (Value::Null, Permission::Read),
    ] {
        let token = app.token_with(json!({ "sub": "ann", "org_id": "org_1", "org_role": role }));
        assert_eq!(owner(&app, &token).await, "org_1", "{role}");
        assert_eq!(permission(&app, &token).await, expected, "{role}");
    }
}

/// FX-10: a role that the member lost is gone with the next token, and so is the organisation.
#[tokio::test]
async fn a_lost_role_ends_with_its_token() {
    let app = start().await;
    app.grant_to("org_1", 5).await;
    app.spend_as(&app.member("ann", "org_1", "org:admin")).await.expect_status(200);
    let demoted = app.member("ann", "org_1", "org:guest");
    app.spend_as(&demoted).await.expect_problem(403, "insufficient_role");
    assert_eq!(app.credits_as(&demoted).await["credits"][0]["balance"], 4);
    let removed = app.token("ann");
    app.spend_as(&removed).await.expect_problem(402, "insufficient_credits");
    let named = app.get("/api/credits?ownerId=org_1").bearer(&removed).send().await;
    named.expect_problem(403, "other_user");
}

/// FX-10: a malformed claim is never "no organisation": the member would act for themselves.
#[tokio::test]
async fn malformed_claims_are_refused() {
    let flat = start().await;
    let nested = Setup::default()
        .with_organisations()
        .set("AUTH_ORG_CLAIM", "o.id")
        .set("AUTH_ORG_ROLE_CLAIM", "o.rol")
        .start()
        .await;
    let refused = async |app: &TestApp, claims: Value, name: &str| {
        let token = app.token_with(claims.clone());
        for path in ["/api/entitlements", "/api/dashboard"] {
            let answer = app.get(path).bearer(&token).send().await;
            let answer = answer.expect_problem(401, "invalid_token");
            let detail = answer.body["detail"].as_str().unwrap();
            assert!(detail.contains(&format!("Its claim {name} ")), "{claims}: {detail}");
        }
    };
    for id in [
        json!(""),
        json!(7),
        json!(true),
        json!({}),
        json!(["org_1"]),
        json!("two words"),
        json!("org_\u{202e}1"),
        json!("x".repeat(252)),
    ] {
        refused(&flat, json!({ "org_id": id, "org_role": "org:admin" }), "org_id").await;
        refused(&nested, json!({ "o": { "id": id, "rol": "org:admin" } }), "o.id").await;
    }
    for o in [json!("org_1"), json!(["org_1"]), json!(7)] {
        refused(&nested, json!({ "o": o }), "o.id").await;
    }
    for role in [json!(7), json!({}), json!(true), json!(["org:admin", 7])] {
        refused(&flat, json!({ "org_id": "org_1", "org_role": role }), "org_role").await;
    }
    // Absent and null both mean that the user acts for no organisation.
    for claims in
        [json!({}), json!({ "o": null }), json!({ "o": {} }), json!({ "o": { "id": null } })]
    {
        let token = nested.token_with(claims.clone());
        nested.get("/api/dashboard").bearer(&token).send().await.expect_status(200);
        let mut claims = claims;
        claims["sub"] = "ann".into();
        assert_eq!(owner(&nested, &nested.token_with(claims)).await, "ann");
    }
}

/// FX-10: a user's id never equals an organisation's.
#[tokio::test]
async fn a_user_and_an_organisation_never_share_an_id() {
    let app = start().await;
    for id in ["org_1", "org:acme", "org_"] {
        let answer = app.get("/api/entitlements").bearer(&app.token(id)).send().await;
        let answer = answer.expect_problem(401, "invalid_token");
        assert!(answer.body["detail"].as_str().unwrap().contains("organisation"), "{answer:?}");
    }
    app.grant_to("org:acme", 5).await;
    let member = app.member("ann", "acme", "org:admin");
    assert_eq!(app.credits_as(&member).await["credits"][0]["balance"], 5);
    let namesake = app.token("acme");
    assert_eq!(app.credits_as(&namesake).await["credits"][0]["balance"], 0);
    app.spend_as(&namesake).await.expect_problem(402, "insufficient_credits");
    let by_name = app.get("/api/credits?ownerId=acme").bearer(&member).send().await;
    by_name.expect_problem(403, "other_user");

    // Without organisations, an id may begin in any way, and the claim says nothing.
    let plain = TestApp::selling("demo").await;
    assert_eq!(owner(&plain, &plain.token("org_1")).await, "org_1");
    assert_eq!(owner(&plain, &plain.member("ann", "org_1", "org:admin")).await, "ann");
}

/// A developer's token of the local stack has the claims where the settings expect them.
#[tokio::test]
async fn a_local_token_names_an_organisation() {
    use farebox::dev::token::{Member, for_member, for_user};
    for (claim, role_claim) in
        [("org_id", "org_role"), ("o.id", "o.rol"), ("https://a.example/o", "https://a.example/r")]
    {
        let app = Setup::default()
            .at_machine_time()
            .with_organisations()
            .set("AUTH_ORG_CLAIM", claim)
            .set("AUTH_ORG_ROLE_CLAIM", role_claim)
            .sells("demo")
            .start()
            .await;
        let member = Member { organisation: "acme", role: "org:member" };
        let token = for_member(&app.settings, "ann", None, Some(member)).unwrap();
        assert_eq!(owner(&app, &token).await, "org:acme", "{claim}");
        assert_eq!(permission(&app, &token).await, Permission::Spend, "{claim}");
        for user in ["org_1", "org:acme"] {
            assert!(for_user(&app.settings, user, None).is_err(), "{user}");
        }
        let member = Member { organisation: "", role: "org:member" };
        assert!(for_member(&app.settings, "ann", None, Some(member)).is_err());
    }
}
