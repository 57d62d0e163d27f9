//! Organisations: the owner of a plan, usage and credits, for whom several users act.

mod claims;
mod erasure;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{ApiResponse, Button, Call, Setup, TestApp};

impl Setup {
    pub fn with_organisations(self) -> Self {
        self.set("AUTH_ORG_CLAIM", "org_id")
            .set("AUTH_ORG_ROLE_CLAIM", "org_role")
            .set("AUTH_ORG_ROLES", "org:admin=buy,org:member=spend")
    }
}

impl TestApp {
    /// A token of a user who acts for an organisation.
    pub fn member(&self, user: &str, organisation: &str, role: &str) -> String {
        self.token_with(json!({ "sub": user, "org_id": organisation, "org_role": role }))
    }

    async fn grant_to(&self, owner: &str, amount: i64) {
        let grant = json!({ "action": "grant", "unit": "ai_credit", "amount": amount, "reason": "a start" });
        let call = self.post("/api/credits").query("ownerId", owner).bearer(&self.service_key);
        call.json(grant).send().await.expect_status(200);
    }

    fn spending_as(&self, token: &str) -> Call {
        let spend = json!({ "action": "spend", "unit": "ai_credit", "amount": 1 });
        self.post("/api/credits").bearer(token).json(spend)
    }

    async fn spend_as(&self, token: &str) -> ApiResponse {
        self.spending_as(token).send().await
    }

    async fn credits_as(&self, token: &str) -> Value {
        let call = self.get("/api/credits?unit=ai_credit&limit=100").bearer(token);
        call.send().await.expect_status(200).body
    }
}

async fn start() -> TestApp {
    Setup::default().with_organisations().sells("demo").start().await
}

/// FX-10: members spend the organisation's credits, never more than there are, and each ledger entry
/// names its member.
#[tokio::test]
async fn members_share_a_balance() {
    let app = start().await;
    app.grant_to("org_1", 3).await;
    let members = ["ann", "bob"].map(|user| app.member(user, "org_1", "org:member"));
    let spends = (0..64).map(|n| app.spend_as(&members[n % 2]));
    let answers = join_all(spends).await;
    let spent: Vec<&ApiResponse> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(spent.len(), 3);
    let refused = answers.iter().filter(|answer| answer.body["code"] == "insufficient_credits");
    assert_eq!(refused.count(), 61);

    let ledger = app.credits_as(&members[0]).await;
    assert_eq!(ledger["credits"][0]["balance"], 0);
    let entries = ledger["data"].as_array().unwrap();
    assert_eq!(entries.len(), 4, "{ledger}");
    for answer in &spent {
        assert!(entries.contains(&answer.body), "{answer:?}");
        assert!(["ann", "bob"].contains(&answer.body["actorId"].as_str().unwrap()));
    }
    assert_eq!(entries[3]["actorId"], Value::Null, "a server granted them");
    assert_eq!(app.credits_as(&app.token("ann")).await["data"], json!([]), "nothing is ann's own");
    let wrong = "select count(*) from validate_credits_consistency()";
    assert_eq!(app.count(wrong).await, 0);
}

/// FX-10: members use the organisation's quota, and each of their entries is kept with its actor.
#[tokio::test]
async fn members_share_a_quota() {
    let app = start().await;
    let members = ["ann", "bob"].map(|user| app.member(user, "org_1", "org:member"));
    let used = |n: usize| {
        let call = app.post("/api/usage").bearer(&members[n % 2]);
        call.json(json!({ "feature": "reports" })).send()
    };
    used(0).await.expect_status(200);
    let answers = join_all((1..32).map(used)).await;
    let counted = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(counted, 4, "the free plan has five reports");
    let several = json!({ "entries": [{ "feature": "api_calls" }, {
        "feature": "api_calls", "quantity": 2, "metadata": { "job": 7 },
    }] });
    let call = app.post("/api/usage").bearer(&members[1]).json(several);
    call.send().await.expect_status(200);
    let kept =
        "select count(*) from usage_events where user_id = 'org_1' and usage_type = 'reports'
                  and actor_id in ('ann', 'bob') and metadata is null";
    assert_eq!(app.count(kept).await, 5, "refused entries are not kept");
    let kept = "select sum(quantity)::bigint from usage_events where usage_type = 'api_calls'
                  and actor_id = 'bob'";
    assert_eq!(app.count(kept).await, 3);
    assert_eq!(app.count("select count(*) from usage_events where actor_id is null").await, 0);

    let own = app.post("/api/usage").bearer(&app.token("ann"));
    let own = own.json(json!({ "feature": "reports" })).send().await.expect_status(200);
    assert_eq!(own.body["used"], 1, "ann's own quota");
    assert_eq!(app.count("select count(*) from usage_events where user_id = 'ann'").await, 0);
}

/// FX-10: a member's call costs as many round trips as a user's.
#[tokio::test]
async fn a_members_call_costs_no_round_trip_more() {
    let app = start().await;
    app.grant_to("org_1", 100).await;
    let token = app.member("ann", "org_1", "org:admin");
    let usage = || {
        let call = app.post("/api/usage").bearer(&token);
        call.json(json!({ "feature": "reports" })).send()
    };
    usage().await.expect_status(200);
    let flights = || (app.redis.flights(), app.postgres.flights(), app.stripe.flights());
    flights();
    app.spend_as(&token).await.expect_status(200);
    assert_eq!(flights(), (2, 1, 0));
    usage().await.expect_status(200);
    assert_eq!(flights(), (2, 1, 0));
    let read = || app.get("/api/entitlements").bearer(&token).send();
    read().await.expect_status(200);
    flights();
    read().await.expect_status(200);
    assert_eq!(flights(), (1, 0, 0));
}

/// FX-10: links to invoices open without a login, so only members who may buy get them.
#[tokio::test]
async fn only_buyers_get_the_links_of_invoices() {
    let app = start().await;
    let order = json!({
        "tier": "team", "interval": "monthly", "email": "ann@example.com",
        "successUrl": "https://app.example/done", "cancelUrl": "https://app.example/cancel",
    });
    let buyer = app.member("ann", "org_1", "org:admin");
    let call = app.post("/api/stripe/create-checkout-session").bearer(&buyer).json(order);
    let session = call.send().await.expect_status(200).body;
    app.press(&session, Button::Pay).await;
    app.simulator.delivered().await;
    for (role, has_links) in [("org:admin", true), ("org:member", false), ("org:guest", false)] {
        let call = app.get("/api/invoices").bearer(&app.member("bob", "org_1", role));
        let invoice = call.send().await.expect_status(200).body["data"][0].clone();
        assert_eq!(invoice["plan"], "team", "{role}");
        for link in ["hostedUrl", "pdfUrl"] {
            assert_eq!(invoice[link].is_string(), has_links, "{role}: {invoice}");
        }
    }
}

/// FX-10: a member who may buy deletes the organisation's history, and the audit log names them.
#[tokio::test]
async fn the_deletion_of_an_organisations_history_is_audited() {
    let app = start().await;
    let review = json!({ "kind": "review", "title": "good" });
    let buyer = app.member("ann", "org_1", "org:admin");
    app.post("/api/history").bearer(&buyer).json(review).send().await.expect_status(200);
    let clear = |token: String| {
        app.delete("/api/history").query("all", "delete-all-history").bearer(&token).send()
    };
    let spender = app.member("bob", "org_1", "org:member");
    clear(spender).await.expect_problem(403, "insufficient_role");
    for deleted in [1, 0] {
        assert_eq!(clear(buyer.clone()).await.expect_status(200).body["deleted"], deleted);
    }
    let audited = "select count(*) from audit_log
                   where action = 'history.clear' and actor = 'user ann' and user_id = 'org_1'";
    assert_eq!(app.count(audited).await, 1);
}

/// FX-10: the purchase of a member with the role for it is the organisation's, and gives the
/// member's own account nothing.
#[tokio::test]
async fn a_member_buys_for_the_organisation() {
    let app = start().await;
    let order = json!({
        "tier": "team", "interval": "monthly", "quantity": 3, "email": "ann@example.com",
        "successUrl": "https://app.example/done", "cancelUrl": "https://app.example/cancel",
    });
    let path = "/api/stripe/create-checkout-session";
    for role in ["org:member", "org:guest"] {
        let call = app.post(path).bearer(&app.member("ann", "org_1", role)).json(order.clone());
        call.send().await.expect_problem(403, "insufficient_role");
    }
    assert!(app.at_stripe("customer").is_empty());
    let buyer = app.member("ann", "org_1", "org:admin");
    let session = app.post(path).bearer(&buyer).json(order).send().await.expect_status(200).body;
    app.press(&session, Button::Pay).await;
    app.simulator.delivered().await;

    let plan_of = async |token: &str| {
        let call = app.get("/api/entitlements").bearer(token);
        call.send().await.expect_status(200).body["plan"].clone()
    };
    assert_eq!(plan_of(&app.member("bob", "org_1", "org:guest")).await, "team");
    assert_eq!(plan_of(&app.token("ann")).await, "free");
    assert_eq!(plan_of(&app.member("ann", "org_2", "org:admin")).await, "free");
    let [customer] = &app.at_stripe("customer")[..] else { panic!("one customer") };
    assert_eq!(customer["metadata"]["userId"], "org_1");

    let id = session["sessionId"].as_str().unwrap();
    let state = |token: String| {
        let call = app.get("/api/stripe/checkout-session").query("sessionId", id);
        async move { call.bearer(&token).send().await }
    };
    state(app.member("bob", "org_1", "org:guest")).await.expect_status(200);
    state(app.token("ann")).await.expect_problem(404, "session_not_found");
    state(app.member("ann", "org_2", "org:admin")).await.expect_problem(404, "session_not_found");
    let cancel = json!({ "action": "cancel" });
    let call = app.patch("/api/subscription").bearer(&app.token("ann")).json(cancel.clone());
    call.send().await.expect_problem(409, "no_subscription");
    let call = app.patch("/api/subscription").bearer(&buyer).json(cancel);
    assert_eq!(call.send().await.expect_status(200).body["userId"], "org_1");
}

/// FX-10: the same key of two members, or of one member for two owners, is two keys.
#[tokio::test]
async fn idempotency_keys_of_members_do_not_collide() {
    let app = start().await;
    app.grant_to("org_1", 10).await;
    app.grant_to("ann", 10).await;
    let [ann, bob] = ["ann", "bob"].map(|user| app.member(user, "org_1", "org:member"));
    let keyed = |call: Call| call.header("idempotency-key", "one").send();
    let first = keyed(app.spending_as(&ann)).await.expect_status(200).body;
    assert_eq!(keyed(app.spending_as(&ann)).await.expect_status(200).body, first);
    assert_eq!(first["actorId"], "ann");
    let others = keyed(app.spending_as(&bob)).await.expect_status(200).body;
    assert_eq!((&others["actorId"], &others["balance"]), (&json!("bob"), &json!(8)));
    let own = keyed(app.spending_as(&ann).query("ownerId", "ann")).await.expect_status(200).body;
    assert_eq!((&own["actorId"], &own["balance"]), (&Value::Null, &json!(9)));

    // A server has one key for each owner, and the actor is part of the request.
    let by = |user: &str| {
        let call =
            app.spending_as(&app.service_key).query("ownerId", "org_1").query("userId", user);
        keyed(call)
    };
    let served = by("ann").await.expect_status(200).body;
    assert_eq!((&served["actorId"], &served["balance"]), (&json!("ann"), &json!(7)));
    assert_eq!(by("ann").await.expect_status(200).body, served);
    by("bob").await.expect_problem(422, "idempotency_key_reused");
}

/// FX-10: a member's calls count against the member's own rate limit.
#[tokio::test]
async fn members_have_their_own_rate_limits() {
    let app = start().await;
    let portal = |token: String| {
        let call = app.post("/api/stripe/create-portal-session").bearer(&token);
        call.json(json!({ "returnUrl": "https://app.example" })).send()
    };
    let ann = app.member("ann", "org_1", "org:admin");
    let answers = join_all((0..40).map(|_| portal(ann.clone()))).await;
    assert!(answers.iter().any(|answer| answer.status == 429));
    portal(app.token("ann")).await.expect_problem(429, "rate_limited");
    portal(app.member("bob", "org_1", "org:admin")).await.expect_problem(409, "no_customer");
}

/// A trusted server names the owner, and beside it the member who acts; without an owner, the user
/// is the owner.
#[tokio::test]
async fn a_server_names_the_owner_and_the_actor() {
    let app = TestApp::selling("demo").await;
    app.grant_to("org_1", 10).await;
    let served = || app.spending_as(&app.service_key);
    let entry = served().header("x-owner-id", "org_1").header("x-user-id", "ann").send().await;
    assert_eq!(entry.expect_status(200).body["actorId"], "ann");
    let entry = served().query("ownerId", "org_1").send().await.expect_status(200).body;
    assert_eq!((&entry["actorId"], &entry["balance"]), (&Value::Null, &json!(8)));
    let entry = served().query("userId", "org_1").send().await.expect_status(200).body;
    assert_eq!((&entry["actorId"], &entry["balance"]), (&Value::Null, &json!(7)));
    let two = served().query("ownerId", "org_1").header("x-owner-id", "org_2").send().await;
    two.expect_invalid("ownerId");
    served().query("ownerId", "two words").send().await.expect_invalid("ownerId");
    served().send().await.expect_invalid("userId");
    let own = app.spending_as(&app.token("ann")).query("ownerId", "org_1").send().await;
    own.expect_problem(403, "other_user");
}
