//! The plan, usage and credits of a user (DM-3): in every state, from the cache and from the
//! database.

mod crowd;
mod flights;
mod interleavings;
mod mix;
mod outage;
mod parts;
mod poison;
mod same;
mod stale;
mod warm;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::billing::entitlement_cache::EntitlementCache;

use crate::support::{ApiResponse, TestApp};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

async fn entitlements_response(app: &TestApp, user: &str) -> ApiResponse {
    app.get("/api/entitlements").bearer(&app.token(user)).send().await.expect_status(200)
}

async fn get_entitlements(app: &TestApp, user: &str) -> Value {
    entitlements_response(app, user).await.body
}

async fn track_usage(app: &TestApp, user: &str, feature: &str, quantity: i64) {
    let call = app.post("/api/usage").bearer(&app.token(user));
    let used = call.json(json!({ "feature": feature, "quantity": quantity })).send().await;
    used.expect_status(200);
}

async fn credits(app: &TestApp, user: &str, action: Value) {
    let call = app.post("/api/credits").query("userId", user).bearer(&app.service_key);
    call.json(action).send().await.expect_status(200);
}

/// Gives a plan as a comp, until `ends_at` or without end.
async fn set_plan(app: &TestApp, user: &str, plan: &str, ends_at: Option<Timestamp>) {
    let gift = match ends_at {
        Some(ends_at) => json!({ "plan": plan, "endsAt": ends_at }),
        None => json!({ "plan": plan }),
    };
    let call = app.patch("/api/plan").query("userId", user).bearer(&app.service_key);
    call.json(gift).send().await.expect_status(200);
}

/// Deletes the user's cached entitlement from Redis.
async fn clear_cache(app: &TestApp, user: &str) {
    app.redis_command(&["DEL", &format!("user:{user}:entitlement")]).await;
}

fn next_month(app: &TestApp) -> Timestamp {
    let day = app.now().to_zoned(jiff::tz::TimeZone::UTC).date().last_of_month();
    day.tomorrow().unwrap().to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp()
}

fn moment(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// DM-3, DM-4: an unknown user has the free plan, and a read creates no account.
#[tokio::test]
async fn an_unknown_user_has_the_free_plan() {
    let app = TestApp::selling("dearme").await;
    let expected = json!({
        "plan": "free", "planName": "Free", "planVersion": 1, "source": "default", "status": "none",
        "interval": null, "quantity": null, "trialEnd": null, "currentPeriodStart": null,
        "currentPeriodEnd": null, "cancelAtPeriodEnd": false, "cancelAt": null,
        "features": {
            "letters": {
                "type": "metered", "name": "Letters", "unit": "letter", "limit": 5, "used": 0,
                "remaining": 5, "overage": "hard", "resetsAt": next_month(&app).to_string(),
            },
            "email_delivery": { "type": "boolean", "name": "E-mail delivery", "enabled": false },
            "physical_mail": { "type": "boolean", "name": "Letters on paper", "enabled": false },
            "scheduling": { "type": "boolean", "name": "Scheduled delivery", "enabled": false },
            "mail_credits": {
                "type": "credits", "name": "Mail credits", "unit": "mail_credit", "amount": 0,
            },
        },
        "credits": {}, "version": 0,
    });
    assert_eq!(get_entitlements(&app, "ann").await, expected);
    assert_eq!(get_entitlements(&app, "ann").await, expected, "from the cache");
    assert_eq!(app.count("select count(*) from accounts").await, 0);
}

/// DM-4: a subscriber has unlimited letters, and two mail credits until the period ends.
#[tokio::test]
async fn a_subscriber_has_what_was_bought() {
    let app = TestApp::selling("dearme").await;
    track_usage(&app, "ann", "letters", 4).await;
    app.buy("ann", json!({ "tier": "pro", "interval": "yearly" })).await;
    let found = get_entitlements(&app, "ann").await;
    assert_eq!((&found["plan"], &found["source"]), (&json!("pro"), &json!("stripe")));
    assert_eq!((&found["status"], &found["interval"]), (&json!("active"), &json!("yearly")));
    assert_eq!(found["quantity"], 1);
    let letters = &found["features"]["letters"];
    assert_eq!((&letters["limit"], &letters["remaining"]), (&Value::Null, &Value::Null));
    assert_eq!(letters["used"], 4, "earlier usage counts");
    assert_eq!(found["features"]["email_delivery"]["enabled"], true);
    assert_eq!(found["features"]["mail_credits"]["amount"], 2);
    let (start, end) = (&found["currentPeriodStart"], &found["currentPeriodEnd"]);
    let days = moment(end).duration_since(moment(start)).as_hours() / 24;
    assert!((365..=366).contains(&days), "{found}");
    let credits = &found["credits"]["mail_credit"];
    assert_eq!((&credits["balance"], &credits["nextExpiry"]["amount"]), (&json!(2), &json!(2)));
    let month = moment(&credits["nextExpiry"]["at"]).duration_since(moment(start)).as_hours() / 24;
    assert!((28..=31).contains(&month), "a yearly plan's credits are monthly: {found}");
    assert!(found["version"].as_i64().unwrap() >= app.now().as_millisecond() - 60_000);
}

/// PT-1: the entitlement has the end of a trial, and a scheduled cancellation.
#[tokio::test]
async fn entitlements_include_a_trial_and_a_cancellation() {
    let app = TestApp::selling("paintracker").await;
    app.buy("ann", json!({ "tier": "pro", "interval": "monthly" })).await;
    let trial = get_entitlements(&app, "ann").await;
    assert_eq!(trial["status"], "trialing");
    assert_eq!(trial["trialEnd"], trial["currentPeriodEnd"]);
    assert_eq!(trial["features"]["storage"]["overage"], "soft");
    assert_eq!(trial["features"]["storage"]["limit"], 10_000);
    assert_eq!(trial["cancelAtPeriodEnd"], false);
    app.change("ann", json!({ "action": "cancel" })).await.expect_status(200);
    let canceled = get_entitlements(&app, "ann").await;
    assert_eq!(canceled["cancelAtPeriodEnd"], true);
    assert_eq!(canceled["plan"], "pro", "the plan stays until the period ends");
    assert!(canceled["version"].as_i64() > trial["version"].as_i64());
    app.change("ann", json!({ "action": "cancel", "when": "now" })).await.expect_status(200);
    let over = get_entitlements(&app, "ann").await;
    assert_eq!((&over["plan"], &over["status"]), (&json!("free"), &json!("none")));
    assert_eq!((&over["interval"], &over["trialEnd"]), (&Value::Null, &Value::Null));
}

/// An unpaid plan counts until its grace period is over, whether or not a job has run.
#[tokio::test]
async fn a_past_due_user_keeps_the_plan_for_a_grace_period() {
    let app = TestApp::selling("aira").await;
    app.buy("ann", json!({ "tier": "plus", "interval": "monthly" })).await;
    app.give_card("ann", "pm_card_chargeCustomerFail").await;
    app.advance("1mo").await;
    app.advance("2h").await;
    let late = get_entitlements(&app, "ann").await;
    assert_eq!((&late["plan"], &late["status"]), (&json!("plus"), &json!("past_due")));
    assert_eq!(late["features"]["memory"]["enabled"], true);
    app.clock.advance(HOUR * 24 * 30);
    let over = get_entitlements(&app, "ann").await;
    assert_eq!((&over["plan"], &over["status"]), (&json!("free"), &json!("past_due")));
    assert_eq!(over["source"], "default");
    assert_eq!(over["features"]["memory"]["enabled"], false);
}

/// AI-6: a comp applies at once, and is gone when it ends, without a job.
#[tokio::test]
async fn a_comp_applies_at_once_and_until_it_ends() {
    let app = TestApp::selling("aira").await;
    assert_eq!(get_entitlements(&app, "ann").await["plan"], "free");
    set_plan(&app, "ann", "Plus", Some(app.now() + HOUR)).await;
    let given = get_entitlements(&app, "ann").await;
    assert_eq!((&given["plan"], &given["source"]), (&json!("plus"), &json!("grant")));
    assert_eq!(given["features"]["messages"]["limit"], 500);
    set_plan(&app, "ann", "Premium", Some(app.now() + HOUR)).await;
    assert_eq!(get_entitlements(&app, "ann").await["plan"], "premium");
    app.clock.advance(HOUR);
    assert_eq!(get_entitlements(&app, "ann").await["plan"], "free");
    set_plan(&app, "ann", "Plus", None).await;
    set_plan(&app, "ann", "Free", None).await;
    assert_eq!(get_entitlements(&app, "ann").await["plan"], "free");
}

#[tokio::test]
async fn without_a_catalog_there_are_no_entitlements() {
    let app = TestApp::new().await;
    let answer = app.get("/api/entitlements").bearer(&app.token("ann")).send().await;
    answer.expect_problem(404, "nothing_is_sold");
}

/// A user reads only their own entitlements; a trusted server names the user.
#[tokio::test]
async fn a_user_cannot_read_the_entitlements_of_another() {
    let app = TestApp::selling("aira").await;
    set_plan(&app, "ann", "Plus", None).await;
    let named = |token: &str| app.get("/api/entitlements").query("userId", "ann").bearer(token);
    named(&app.token("bob")).send().await.expect_problem(403, "other_user");
    app.get("/api/entitlements").send().await.expect_problem(401, "missing_token");
    let asked = named(&app.service_key).send().await.expect_status(200).body;
    assert_eq!(asked["plan"], "plus");
    assert_eq!(asked, get_entitlements(&app, "ann").await);
}

/// After an erasure Redis has nothing to read, and a slow reader cannot write it back.
#[tokio::test]
async fn an_erased_user_has_no_entitlements_and_gets_none_back() {
    let app = TestApp::selling("aira").await;
    set_plan(&app, "ann", "Plus", None).await;
    track_usage(&app, "ann", "messages", 3).await;
    let inside = app.inside();
    let ann = shared::domain::UserId::try_from("ann".to_owned()).unwrap();
    let late = inside.postgres.get_entitlements(&ann, app.now()).await.unwrap().unwrap();
    app.delete("/api/account").bearer(&app.token("ann")).send().await.expect_status(204);
    let kept = EntitlementCache::of(&inside).fill(&ann, app.now(), &late).await;
    assert_eq!(kept.unwrap(), shared::billing::entitlement_cache::Pushed::Erased);
    assert_eq!(app.redis_command(&["EXISTS", "user:ann:entitlement"]).await, 0);
    for path in ["/api/entitlements", "/api/check"] {
        let call = if path.ends_with("check") {
            app.post(path).json(json!({ "feature": "messages" }))
        } else {
            app.get(path)
        };
        call.bearer(&app.token("ann")).send().await.expect_problem(403, "account_erased");
    }
}
