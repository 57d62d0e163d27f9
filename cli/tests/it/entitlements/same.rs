//! The cache and the database give the same answer after every change.

use serde_json::{Value, json};
use shared::billing::entitlement_cache::EntitlementCache;

use super::{
    HOUR, clear_cache, credits, entitlements_response, get_entitlements, set_plan, track_usage,
};
use crate::support::TestApp;

/// The answer right after a change equals the database's answer and then the cache's, byte for
/// byte.
async fn assert_same_answers(app: &TestApp, what: &str) {
    app.simulator.delivered().await;
    let at_once = entitlements_response(app, "ann").await.text;
    clear_cache(app, "ann").await;
    let from_database = entitlements_response(app, "ann").await.text;
    assert_eq!(at_once, from_database, "{what}");
    assert_eq!(
        entitlements_response(app, "ann").await.text,
        from_database,
        "{what}, from the cache"
    );
}

async fn change(app: &TestApp, action: Value) {
    app.change("ann", action).await.expect_status(200);
}

/// DM-3: usage, a trial and its end, credits that are bought, spent and refunded, plan changes, and
/// the end.
#[tokio::test]
async fn the_cache_answers_as_the_database_through_a_whole_subscription() {
    let app = TestApp::selling("demo").await;
    assert_same_answers(&app, "an unknown user").await;
    track_usage(&app, "ann", "reports", 2).await;
    assert_same_answers(&app, "a first use").await;
    app.buy("ann", json!({ "tier": "starter", "interval": "monthly" })).await;
    assert_same_answers(&app, "a trial").await;
    track_usage(&app, "ann", "exports", 3).await;
    assert_same_answers(&app, "a use").await;
    app.buy("ann", json!({ "pack": "ai_1000" })).await;
    assert_same_answers(&app, "a purchase").await;
    let payment = app.at_stripe("charge")[0]["payment_intent"].as_str().unwrap().to_owned();
    credits(&app, "ann", json!({ "action": "spend", "unit": "ai_credit", "amount": 15 })).await;
    assert_same_answers(&app, "a spend").await;
    app.advance("14d").await;
    app.advance("2h").await;
    assert_eq!(get_entitlements(&app, "ann").await["status"], "active");
    assert_same_answers(&app, "the trial is over").await;
    track_usage(&app, "ann", "exports", 1).await;
    change(&app, json!({ "action": "change", "tier": "pro" })).await;
    assert_same_answers(&app, "an upgrade").await;
    let form = [("payment_intent", payment.as_str()), ("amount", "2000")];
    app.ask_stripe("POST", "/v1/refunds", &form).await;
    assert_same_answers(&app, "a refund").await;
    app.advance("1mo").await;
    app.advance("2h").await;
    assert_same_answers(&app, "a renewal").await;
    change(&app, json!({ "action": "cancel" })).await;
    assert_same_answers(&app, "a cancellation").await;
    change(&app, json!({ "action": "resume" })).await;
    assert_same_answers(&app, "a resumption").await;
    app.give_card("ann", "pm_card_chargeCustomerFail").await;
    app.advance("1mo").await;
    app.advance("2h").await;
    assert_eq!(get_entitlements(&app, "ann").await["status"], "past_due");
    assert_same_answers(&app, "a payment that failed").await;
    change(&app, json!({ "action": "cancel", "when": "now" })).await;
    assert_same_answers(&app, "the end").await;
}

/// Periods, plans and credits that end by time alone also end in the cache, without a push.
#[tokio::test]
async fn changes_by_time_alone_reach_the_cache_too() {
    let app = TestApp::selling("demo").await;
    track_usage(&app, "ann", "api_calls", 7).await;
    assert_eq!(get_entitlements(&app, "ann").await["features"]["api_calls"]["used"], 7);
    app.to_next_day(HOUR);
    assert_same_answers(&app, "a new day").await;
    assert_eq!(get_entitlements(&app, "ann").await["features"]["api_calls"]["used"], 0);

    // Credits that expire sooner than the cached entry.
    let soon = app.now() + HOUR / 60;
    let grant = json!({
        "action": "grant", "unit": "ai_credit", "amount": 5, "expiresAt": soon, "reason": "a test",
    });
    credits(&app, "ann", grant).await;
    assert_eq!(get_entitlements(&app, "ann").await["credits"]["ai_credit"]["balance"], 5);
    app.clock.advance(HOUR / 60);
    assert_eq!(get_entitlements(&app, "ann").await["credits"]["ai_credit"]["balance"], 0);
    assert_same_answers(&app, "expired credits").await;

    set_plan(&app, "ann", "pro", Some(app.now() + HOUR)).await;
    track_usage(&app, "ann", "exports", 1).await;
    assert_same_answers(&app, "a courtesy").await;
    app.clock.advance(HOUR);
    assert_same_answers(&app, "the end of a comp").await;
    assert_eq!(get_entitlements(&app, "ann").await["plan"], "free");
    app.get("/api/cron/minute").cron().send().await.expect_status(200);
    assert_same_answers(&app, "the job").await;
}

/// The cached answer was for an unknown user. The first use creates the account, whose months begin
/// then.
#[tokio::test]
async fn a_first_use_refreshes_the_other_features_too() {
    let app = TestApp::selling("demo").await;
    let before = get_entitlements(&app, "ann").await;
    track_usage(&app, "ann", "reports", 1).await;
    let after = get_entitlements(&app, "ann").await;
    assert_eq!(after["features"]["reports"]["used"], 1);
    assert_ne!(after["features"]["exports"]["resetsAt"], before["features"]["exports"]["resetsAt"]);
    assert_same_answers(&app, "a first use").await;
}

/// Yesterday's usage does not count today when its push arrives today.
#[tokio::test]
async fn a_late_push_of_yesterday_does_not_count_today() {
    let app = TestApp::selling("demo").await;
    track_usage(&app, "ann", "api_calls", 1).await;
    let inside = app.inside();
    let ann = shared::domain::UserId::try_from("ann".to_owned()).unwrap();
    let yesterday = app.now();
    app.to_next_day(HOUR / 3_600);
    assert_eq!(get_entitlements(&app, "ann").await["features"]["api_calls"]["used"], 0);
    let call = json!([{ "feature": "api_calls", "quantity": 1 }]);
    let uses: Vec<shared::adapters::postgres::UsageEntry> = super::interleavings::uses(&call);
    // From a process whose clock is a little behind.
    let tracked = inside.postgres.record_usages(&ann, &uses, true, None, yesterday).await.unwrap();
    let pushed = EntitlementCache::of(&inside).push_usage(&ann, yesterday, &tracked.results);
    pushed.await.unwrap();
    assert_eq!(get_entitlements(&app, "ann").await["features"]["api_calls"]["used"], 0);
    assert_same_answers(&app, "a late push").await;
}
