//! A cache with entries from a clock far ahead, or from another program.

use serde_json::{Value, json};

use super::{credits, get_entitlements, track_usage};
use crate::support::TestApp;

/// Rewrites all cached data of ann: other values, with this version and freshness.
async fn spoil(app: &TestApp, version: i64, fresh_until: i64) {
    let key = "user:ann:entitlement";
    let shown = app.redis_command(&["HGETALL", key]).await;
    for pair in shown.as_array().unwrap().chunks(2) {
        let (field, value) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        let mut value: Value = serde_json::from_str(value.splitn(3, ' ').nth(2).unwrap()).unwrap();
        match field {
            "terms" => value["plan_name"] = "Spoiled".into(),
            _ if field.starts_with("used:") => value = json!(1_000_000),
            _ => value["balance"] = json!(1_000_000),
        }
        let spoiled = format!("{version} {fresh_until} {value}");
        app.redis_command(&["HSET", key, field, &spoiled]).await;
    }
}

async fn is_served_from_the_cache(app: &TestApp) -> bool {
    app.postgres.flights();
    get_entitlements(app, "ann").await;
    app.postgres.flights() == 0
}

fn five() -> Value {
    json!({ "action": "grant", "unit": "ai_credit", "amount": 5, "reason": "a test" })
}

const FAR: i64 = 4_000_000_000_000;

/// No entry is fresh for more than five minutes. An entry that claims more counts as missing, and
/// the next read repairs it.
#[tokio::test]
async fn an_entry_fresh_for_too_long_is_ignored() {
    let app = TestApp::selling("demo").await;
    credits(&app, "ann", five()).await;
    track_usage(&app, "ann", "reports", 1).await;
    let truth = get_entitlements(&app, "ann").await;
    assert!(is_served_from_the_cache(&app).await);
    let now = app.now().as_millisecond();
    for (version, fresh_until) in [(now, FAR), (FAR, FAR), (9_007_199_254_740_991, FAR)] {
        spoil(&app, version, fresh_until).await;
        let seen = get_entitlements(&app, "ann").await;
        assert_eq!(seen["features"], truth["features"], "{version} {fresh_until}");
        assert_eq!(seen["plan"], truth["plan"]);
        assert!(is_served_from_the_cache(&app).await, "{version} {fresh_until}: it is repaired");
    }
    spoil(&app, now, now + 6 * 60_000).await;
    assert_eq!(
        get_entitlements(&app, "ann").await["features"],
        truth["features"],
        "fresh for a minute too long"
    );
}

/// A change replaces such entries: each count, the balance for other readers, and the plan in the
/// stats.
#[tokio::test]
async fn a_push_replaces_an_entry_fresh_for_too_long() {
    let app = TestApp::selling("demo").await;
    app.post("/api/session").bearer(&app.token("ann")).send().await.expect_status(200);
    credits(&app, "ann", five()).await;
    get_entitlements(&app, "ann").await;
    spoil(&app, FAR, FAR).await;
    let far = FAR.to_string();
    let key = "user:ann:credits";
    app.redis_command(&["HSET", key, "ai_credit", "1000000", "version:ai_credit", &far]).await;
    app.redis_command(&["HSET", "user:ann:stats", "plan", "Spoiled", "plan_version", &far]).await;

    track_usage(&app, "ann", "reports", 2).await;
    let used = app.redis_command(&["HGET", "user:ann:entitlement", "used:reports"]).await;
    assert!(used.as_str().unwrap().ends_with(" 2"), "{used}");
    credits(&app, "ann", five()).await;
    let balance = app.redis_command(&["HGET", "user:ann:credits", "ai_credit"]).await;
    assert_eq!(balance, "10");
    super::set_plan(&app, "ann", "pro", None).await;
    assert_eq!(app.stats("ann").await["plan"], "Pro");
    let seen = get_entitlements(&app, "ann").await;
    assert_eq!((&seen["plan"], &seen["features"]["reports"]["used"]), (&json!("pro"), &json!(2)));
}
