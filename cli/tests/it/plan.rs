//! Comps: plans given without Stripe (AI-6).

use jiff::SignedDuration;
use serde_json::json;

use crate::support::{TestApp, execute, until};

impl TestApp {
    async fn set_plan(&self, user: &str, comp: serde_json::Value) -> crate::support::ApiResponse {
        let call = self.patch("/api/plan").query("userId", user).bearer(&self.service_key);
        call.json(comp).send().await
    }
}

/// AI-6: the answer is the updated stats; only a trusted server or an admin may set a plan.
#[tokio::test]
async fn only_a_server_or_an_admin_can_set_a_plan() {
    let app = TestApp::selling("aira").await;
    let stats = app.set_plan("test-123", json!({ "plan": "Plus" })).await.expect_status(200).body;
    assert_eq!(stats["plan"], "Plus");
    assert_eq!(stats["conversations"], 0);
    assert_eq!(app.stats("test-123").await, stats);
    let overview = app.subscription("test-123").await;
    assert_eq!(overview["source"], "grant");
    assert_eq!(overview["granted"]["plan"], "plus");

    let own = app.patch("/api/plan").bearer(&app.token("test-123"));
    own.json(json!({ "plan": "Premium" })).send().await.expect_problem(403, "service_only");
    let admin = app.token_with(json!({ "sub": "boss", "role": "admin" }));
    let by_admin = app.patch("/api/plan").query("userId", "test-123").bearer(&admin);
    let by_admin = by_admin.json(json!({ "plan": "Premium", "reason": "a friend" })).send().await;
    assert_eq!(by_admin.expect_status(200).body["plan"], "Premium");
    let trail = app.count("select count(*) from audit_log where user_id = 'test-123'").await;
    assert_eq!(trail, 2);
    let who = "select count(*) from audit_log where actor = 'user boss'
               and details ->> 'reason' = 'a friend'
               and details -> 'before' ->> 'plan' = 'plus'";
    assert_eq!(app.count(who).await, 1);
}

#[tokio::test]
async fn an_invalid_plan_is_refused() {
    let app = TestApp::selling("aira").await;
    app.set_plan("ann", json!({ "plan": "Gold" })).await.expect_invalid("plan");
    app.set_plan("ann", json!({ "plan": "" })).await.expect_invalid("plan");
    app.set_plan("ann", json!({ "plan": 5 })).await.expect_invalid("plan");
    app.set_plan("ann", json!({ "plan": "Plus", "role": "admin" })).await.expect_invalid("role");
    let past = json!({ "plan": "Plus", "endsAt": "2020-01-01T00:00:00Z" });
    app.set_plan("ann", past).await.expect_invalid("endsAt");
    let odd = json!({ "plan": "Plus", "endsAt": "tomorrow" });
    app.set_plan("ann", odd).await.expect_invalid("endsAt");
    let nobody = app.patch("/api/plan").bearer(&app.service_key).json(json!({ "plan": "Plus" }));
    nobody.send().await.expect_invalid("userId");
    assert_eq!(app.count("select count(*) from accounts").await, 0);
    assert_eq!(app.count("select count(*) from audit_log").await, 0);
}

/// A comp outranks a subscription until it ends, and then the paid plan applies again.
#[tokio::test]
async fn a_comp_outranks_a_subscription_until_it_ends() {
    let app = TestApp::selling("aira").await;
    app.buy("ann", json!({ "tier": "plus", "interval": "yearly" })).await;
    let ends_at = app.now() + SignedDuration::from_hours(24 * 7);
    app.set_plan("ann", json!({ "plan": "premium", "endsAt": ends_at })).await.expect_status(200);
    app.simulator.delivered().await;
    let overview = app.subscription("ann").await;
    assert_eq!(overview["plan"], "premium");
    assert_eq!(overview["subscription"]["plan"], "plus");
    let change = json!({ "action": "cancel" });
    app.change("ann", change).await.expect_status(200);
    assert_eq!(app.stats("ann").await["plan"], "Premium", "Stripe's events do not outrank it");

    app.clock.advance(SignedDuration::from_hours(24 * 7 + 1));
    let run = || app.get("/api/cron/minute").cron().send();
    let (one, other) = tokio::join!(run(), run());
    let ended = |answer: crate::support::ApiResponse| {
        answer.expect_status(200).body["settled"].as_i64().unwrap()
    };
    assert_eq!(ended(one) + ended(other), 1, "two runs share the work");
    assert_eq!(app.stats("ann").await["plan"], "Plus");
    assert_eq!(app.subscription("ann").await["plan"], "plus");
    assert_eq!(ended(run().await), 0);
}

/// Setting the free plan ends a comp, and changes nothing about a paid plan.
#[tokio::test]
async fn setting_the_free_plan_ends_a_comp() {
    let app = TestApp::selling("aira").await;
    app.set_plan("ann", json!({ "plan": "Premium" })).await.expect_status(200);
    let stats = app.set_plan("ann", json!({ "plan": "Free" })).await.expect_status(200).body;
    assert_eq!(stats["plan"], "Free");
    app.buy("bob", json!({ "tier": "plus", "interval": "monthly" })).await;
    let stats = app.set_plan("bob", json!({ "plan": "Free" })).await.expect_status(200).body;
    assert_eq!(stats["plan"], "Plus");
}

/// The same comp twice counts once; of many concurrent comps, one remains.
#[tokio::test]
async fn racing_comps_leave_one() {
    let app = TestApp::selling("aira").await;
    for _ in 0..2 {
        app.set_plan("ann", json!({ "plan": "Plus" })).await.expect_status(200);
    }
    assert_eq!(app.count("select count(*) from audit_log").await, 1);
    let comps = (0..32).map(|n| {
        app.set_plan("bob", json!({ "plan": if n % 2 == 0 { "Plus" } else { "Premium" } }))
    });
    for answer in futures_util::future::join_all(comps).await {
        answer.expect_status(200);
    }
    let running = "select count(*) from plan_comps where user_id = 'bob' and ended_at is null";
    assert_eq!(app.count(running).await, 1);
    let shown = app.stats("bob").await["plan"].as_str().unwrap().to_lowercase();
    assert_eq!(app.subscription("bob").await["plan"], shown, "the stats have the current plan");
}

/// A call with an earlier clock may commit later: no user gets the credits of two plans, or of a
/// month that has not begun.
#[tokio::test]
async fn comps_out_of_order_grant_their_credits_once() {
    let app = TestApp::selling("demo").await;
    let at = |plan: &str, second: u8| {
        format!(
            "select comp_plan('ann', '{plan}', null, null, 'test', '2026-05-01 12:00:0{second}Z')"
        )
    };
    app.clock.let_sql_take_any_time().await;
    let owner = app.owner().await;
    let held = "select sum(balance)::bigint from wallets where user_id = 'ann'";
    for (plan, second, credits) in [("pro", 2, 100), ("starter", 1, 10), ("pro", 0, 100)] {
        execute(&owner, &at(plan, second)).await;
        assert_eq!(app.count(held).await, credits, "{plan}");
    }
    let late = r#"select track_usages(
        'ann', '[{"feature": "exports", "quantity": 1}]', true, null, null, '2026-05-01 12:00:00Z')"#;
    execute(&owner, late).await;
    let used = "select used from usage_tracking where period_start = '2026-05-01 12:00:02Z'";
    assert_eq!(app.count(used).await, 1, "counted in the current period");
    // A new month has begun according to another process's clock.
    execute(&owner, "select recompute_entitlement('ann', '2026-06-01 12:00:02Z')").await;
    let late = "select comp_plan('ann', 'starter', null, null, 'test', '2026-06-01 12:00:01Z')";
    execute(&owner, late).await;
    execute(&owner, "select recompute_entitlement('ann', '2026-06-01 12:00:03Z')").await;
    assert_eq!(app.count(held).await, 10);
    let turned = "select count(*) from plan_comps where ended_at < starts_at";
    assert_eq!(app.count(turned).await, 0);

    let comps = (0..32).map(|n| {
        app.set_plan("bob", json!({ "plan": if n % 2 == 0 { "pro" } else { "starter" } }))
    });
    for answer in futures_util::future::join_all(comps).await {
        answer.expect_status(200);
    }
    for (plan, credits) in [("starter", 10), ("pro", 100), ("free", 0), ("starter", 10)] {
        app.set_plan("bob", json!({ "plan": plan })).await.expect_status(200);
        assert_eq!(app.held("bob", "ai_credit").await["balance"], credits, "{plan}");
    }
    app.books_are_right().await;
}

/// Without Redis a comp counts, and is pushed later; without Postgres it is refused.
#[tokio::test]
async fn a_comp_survives_an_outage() {
    use crate::support::Mode;
    let app = TestApp::selling("aira").await;
    app.redis.set(Mode::Down).await;
    let given = app.set_plan("ann", json!({ "plan": "Plus" })).await;
    let given = given.expect_problem(503, "redis_unavailable");
    assert!(given.text.contains("The plan was set"), "{given:?}");
    assert_eq!(app.subscription("ann").await["plan"], "plus");
    app.redis.set(Mode::Pass).await;
    app.redis_is_back().await;
    app.set_plan("ann", json!({ "plan": "Plus" })).await.expect_status(200);
    assert_eq!(app.stats("ann").await["plan"], "Plus", "a repeated call pushes it");
    app.postgres.set(Mode::Down).await;
    app.set_plan("bob", json!({ "plan": "Plus" }))
        .await
        .expect_problem(503, "database_unavailable");
    app.postgres.set(Mode::Pass).await;
    assert_eq!(app.stats("bob").await["plan"], "Free");
}

/// A read before the job finds an ended comp and has it pushed.
#[tokio::test]
async fn an_ended_comp_found_by_a_read_is_pushed() {
    let app = TestApp::selling("aira").await;
    let ends_at = app.now() + SignedDuration::from_hours(1);
    app.set_plan("ann", json!({ "plan": "plus", "endsAt": ends_at })).await.expect_status(200);
    app.clock.advance(SignedDuration::from_hours(2));
    app.get("/api/usage").bearer(&app.token("ann")).send().await.expect_status(200);
    until(async || {
        app.get("/api/cron/minute").cron().send().await.expect_status(200);
        app.stats("ann").await["plan"] == "Free"
    })
    .await;
}

/// One user's failure does not stop the job for other users.
#[tokio::test]
async fn the_job_recomputes_every_user_but_the_failing_ones() {
    let app = TestApp::selling("aira").await;
    let ends_at = app.now() + SignedDuration::from_hours(1);
    for user in ["ann", "bob"] {
        app.set_plan(user, json!({ "plan": "plus", "endsAt": ends_at })).await.expect_status(200);
    }
    execute(
        &app.owner().await,
        "alter table entitlements add check (user_id <> 'ann' or plan = 'plus')",
    )
    .await;
    app.clock.advance(SignedDuration::from_hours(2));
    let job = app.get("/api/cron/minute").cron().send().await.expect_status(200);
    assert_eq!(job.body["settled"], 1);
    let plans = "select count(*) from entitlements where user_id = 'bob' and plan = 'free'";
    assert_eq!(app.count(plans).await, 1);
}

/// A new version of the free plan applies to all its users, because none of them bought the old
/// one.
#[tokio::test]
async fn a_new_version_of_the_free_plan_applies_to_all_its_users() {
    let app = TestApp::selling("dearme").await;
    let letter = || app.post("/api/usage").bearer(&app.token("ann"));
    let letter = || letter().json(json!({ "feature": "letters", "quantity": 5 })).send();
    letter().await.expect_status(200);
    letter().await.expect_problem(402, "quota_exceeded");
    execute(
        &app.owner().await,
        "insert into pricing_plan_versions
         select plan, version + 1, name, description, rank, trial_days, is_default, is_listed,
                past_due_grace_days, history_keep_days, history_max_entries,
                jsonb_set(features, '{letters, limit}', '10'), 'another', created_at
         from pricing_plan_versions
         where is_default;
         update current_plans set version = version + 1 where plan = 'free';
         insert into plan_terms
         select plan, version, compute_plan_features(plan, version)
         from pricing_plan_versions
         on conflict do nothing;
         update catalog_state set epoch = epoch + 1",
    )
    .await;
    let entitled = app.get("/api/usage").bearer(&app.token("ann")).send().await;
    assert_eq!(entitled.body["current"][0]["limit"], 10);
    letter().await.expect_status(200);
    letter().await.expect_problem(402, "quota_exceeded");
}
