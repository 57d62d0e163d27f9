//! The cache and the database answer alike, whatever has happened.

use serde_json::{Value, json};
use shared::billing::entitlement_cache::EntitlementCache;

use super::{
    HOUR, clear_cache, credits, entitlements_response, get_entitlements, set_plan, track_usage,
};
use crate::support::TestApp;

/// What is answered right after something happened is what the database says, and what the cache says
/// then, byte for byte.
async fn is_the_same(app: &TestApp, what: &str) {
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

/// DM-3: uses, a trial, its end, credits that come and go, changes, a refund, and the end.
#[tokio::test]
async fn the_cache_answers_as_the_database_does_through_a_whole_life() {
    let app = TestApp::selling("demo").await;
    is_the_same(&app, "nobody knows them").await;
    track_usage(&app, "ann", "reports", 2).await;
    is_the_same(&app, "a first use").await;
    app.buy("ann", json!({ "tier": "starter", "interval": "monthly" })).await;
    is_the_same(&app, "a trial").await;
    track_usage(&app, "ann", "exports", 3).await;
    is_the_same(&app, "a use").await;
    app.buy("ann", json!({ "pack": "ai_1000" })).await;
    is_the_same(&app, "a purchase").await;
    let payment = app.at_stripe("charge")[0]["payment_intent"].as_str().unwrap().to_owned();
    credits(&app, "ann", json!({ "action": "spend", "unit": "ai_credit", "amount": 15 })).await;
    is_the_same(&app, "a spend").await;
    app.advance("14d").await;
    app.advance("2h").await;
    assert_eq!(get_entitlements(&app, "ann").await["status"], "active");
    is_the_same(&app, "the trial is over").await;
    track_usage(&app, "ann", "exports", 1).await;
    change(&app, json!({ "action": "change", "tier": "pro" })).await;
    is_the_same(&app, "an upgrade").await;
    let form = [("payment_intent", payment.as_str()), ("amount", "2000")];
    app.ask_stripe("POST", "/v1/refunds", &form).await;
    is_the_same(&app, "a refund").await;
    app.advance("1mo").await;
    app.advance("2h").await;
    is_the_same(&app, "a renewal").await;
    change(&app, json!({ "action": "cancel" })).await;
    is_the_same(&app, "a cancellation").await;
    change(&app, json!({ "action": "resume" })).await;
    is_the_same(&app, "a resumption").await;
    app.give_card("ann", "pm_card_chargeCustomerFail").await;
    app.advance("1mo").await;
    app.advance("2h").await;
    assert_eq!(get_entitlements(&app, "ann").await["status"], "past_due");
    is_the_same(&app, "a payment that failed").await;
    change(&app, json!({ "action": "cancel", "when": "now" })).await;
    is_the_same(&app, "the end").await;
}

/// Time alone ends a period, a plan, and credits: for what is shown as well, without any push.
#[tokio::test]
async fn changes_by_time_alone_reach_the_cache_too() {
    let app = TestApp::selling("demo").await;
    track_usage(&app, "ann", "api_calls", 7).await;
    assert_eq!(get_entitlements(&app, "ann").await["features"]["api_calls"]["used"], 7);
    app.to_next_day(HOUR);
    is_the_same(&app, "a new day").await;
    assert_eq!(get_entitlements(&app, "ann").await["features"]["api_calls"]["used"], 0);

    // Credits that go sooner than what was shown before them says.
    let soon = app.now() + HOUR / 60;
    let grant = json!({
        "action": "grant", "unit": "ai_credit", "amount": 5, "expiresAt": soon, "reason": "a gift",
    });
    credits(&app, "ann", grant).await;
    assert_eq!(get_entitlements(&app, "ann").await["credits"]["ai_credit"]["balance"], 5);
    app.clock.advance(HOUR / 60);
    assert_eq!(get_entitlements(&app, "ann").await["credits"]["ai_credit"]["balance"], 0);
    is_the_same(&app, "expired credits").await;

    set_plan(&app, "ann", "pro", Some(app.now() + HOUR)).await;
    track_usage(&app, "ann", "exports", 1).await;
    is_the_same(&app, "a gift").await;
    app.clock.advance(HOUR);
    is_the_same(&app, "the end of a gift").await;
    assert_eq!(get_entitlements(&app, "ann").await["plan"], "free");
    app.get("/api/cron/minute").cron().send().await.expect_status(200);
    is_the_same(&app, "the job").await;
}

/// Nobody was known when it was shown; since the first use the months are their own.
#[tokio::test]
async fn a_first_use_makes_more_known_than_what_was_used() {
    let app = TestApp::selling("demo").await;
    let before = get_entitlements(&app, "ann").await;
    track_usage(&app, "ann", "reports", 1).await;
    let after = get_entitlements(&app, "ann").await;
    assert_eq!(after["features"]["reports"]["used"], 1);
    assert_ne!(after["features"]["exports"]["resetsAt"], before["features"]["exports"]["resetsAt"]);
    is_the_same(&app, "a first use").await;
}

/// A use of yesterday whose push comes today does not count today.
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
    // Whose clock is a little behind.
    let tracked = inside.postgres.record_usages(&ann, &uses, true, None, yesterday).await.unwrap();
    let pushed = EntitlementCache::of(&inside).push_usage(&ann, yesterday, &tracked.results);
    pushed.await.unwrap();
    assert_eq!(get_entitlements(&app, "ann").await["features"]["api_calls"]["used"], 0);
    is_the_same(&app, "a late push").await;
}
