use serde_json::{Value, json};

use super::{Customer, contract_curl, contract_sql, rows, run_curl};
use crate::support::{Button, TestApp};

/// PT-1 to PT-8, PT-11, FX-9: a visitor reaches the free limit, buys Basic with a trial, upgrades to
/// Pro at the previewed price, misses a payment, pays, cancels, and deletes the account.
#[tokio::test]
async fn the_symptom_tracker_from_the_first_visit_to_the_deleted_account() {
    let app = TestApp::selling("paintracker").await;
    let user = Customer::new(&app, "user_test");
    reaches_the_free_limit(&user).await;
    buys_basic(&user).await;
    the_tables_show_the_purchase(&app).await;
    the_trial_becomes_a_paid_month(&user).await;
    upgrades_to_pro(&user).await;
    misses_a_payment_and_pays(&user).await;
    cancels_and_leaves(&user).await;
    user.deletes_their_account().await;
}

async fn reaches_the_free_limit(user: &Customer<'_>) {
    let plans = user.app.get("/api/plans").send().await.expect_status(200).body;
    let keys: Vec<&Value> =
        plans["plans"].as_array().unwrap().iter().map(|plan| &plan["key"]).collect();
    assert_eq!(keys, ["free", "basic", "pro"], "enterprise is not listed");
    assert_eq!(user.get("/api/entitlements").await["plan"], "free");
    for usage_type in ["pain_entry", "mood_entry", "activity_log", "export", "storage"] {
        user.uses(usage_type, 1).await.expect_status(200);
    }
    user.uses("pain_entry", 49).await.expect_status(200);
    let refused = user.uses("pain_entry", 1).await.expect_problem(402, "quota_exceeded").body;
    assert_eq!((&refused["limit"], &refused["current"]), (&json!(50), &json!(50)));
}

async fn buys_basic(user: &Customer<'_>) {
    let command = contract_curl("/api/stripe/create-checkout-session");
    let session = run_curl(user.app, &command, &user.token()).await;
    assert!(session["sessionId"].as_str().unwrap().starts_with("cs_"), "{session}");
    user.app.press(&session, Button::Pay).await;
    user.app.simulator.delivered().await;
    let bought = user.subscription().await;
    assert_eq!((&bought["plan"], &bought["status"]), (&json!("basic"), &json!("trialing")));
    assert_eq!(user.uses("pain_entry", 1).await.expect_status(200).body["limit"], 500);
}

async fn the_tables_show_the_purchase(app: &TestApp) {
    let [subscriptions, events] = contract_sql("PT-8")[..] else { panic!("PT-8 has two queries") };
    let [subscription] = &rows(app, subscriptions).await[..] else { panic!("one subscription") };
    assert_eq!(
        (&subscription["plan"], &subscription["status"]),
        (&json!("basic"), &json!("trialing"))
    );
    for table in ["usage_tracking", "current_usage"] {
        let usage = rows(app, &subscriptions.replace("subscriptions", table)).await;
        let pain = usage.iter().find(|row| row["usage_type"] == "pain_entry");
        assert!(pain.is_some(), "{table}: {usage:?}");
    }
    let events = rows(app, events).await;
    assert!(events.iter().all(|event| event["user_id"] == "user_test"), "{events:?}");
    assert!(!events.is_empty());
    let summary = rows(app, "select * from get_user_subscription('user_test')").await;
    assert_eq!(summary[0]["tier"], "basic", "{summary:?}");
    let used = rows(app, "select track_usage('user_test', 'mood_entry', 1) as used").await;
    assert_eq!(used[0]["used"], 2);
}

async fn the_trial_becomes_a_paid_month(user: &Customer<'_>) {
    user.app.advance("12d").await;
    let ending = user.app.mail_about("Your trial ends soon").await;
    assert_eq!(ending.to, ["test@example.com"]);
    user.app.advance("3d").await;
    assert_eq!(user.subscription().await["status"], "active");
    let receipt = user.app.mail_about("Your receipt").await;
    assert!(receipt.text.contains("Total: $9.99"), "{}", receipt.text);
}

async fn upgrades_to_pro(user: &Customer<'_>) {
    let change = json!({ "tier": "pro" });
    let preview = user.post("/api/subscription/preview", change).await.expect_status(200).body;
    let changed = user.change(json!({ "previewId": preview["previewId"] })).await;
    assert_eq!(changed["plan"], "pro");
    let invoices = user.get("/api/invoices").await;
    let last = &invoices["data"][0];
    assert_eq!(last["amountPaidMinor"], preview["dueNow"]["amountDueMinor"], "{invoices}");
    assert!(last["hostedUrl"].is_string() && last["number"].is_string(), "{invoices}");
    let may = user.get("/api/entitlements").await;
    assert_eq!(may["features"]["pain_entry"]["limit"], Value::Null, "{may}");
}

async fn misses_a_payment_and_pays(user: &Customer<'_>) {
    user.app.give_card(user.id, "pm_card_chargeCustomerFail").await;
    user.app.advance("1mo").await;
    assert_eq!(user.subscription().await["status"], "past_due");
    user.app.mail_about("Your payment did not go through").await;
    user.app.give_card(user.id, "pm_card_visa").await;
    user.app.advance("7d").await;
    assert_eq!(user.subscription().await["status"], "active");
}

async fn cancels_and_leaves(user: &Customer<'_>) {
    let canceled = user.change(json!({ "action": "cancel", "reason": "feeling better" })).await;
    assert_eq!(canceled["subscription"]["cancellationReason"], "feeling better");
    user.change(json!({ "action": "resume" })).await;
    user.change(json!({ "action": "cancel" })).await;
    assert_eq!(user.subscription().await["plan"], "pro", "the paid month stays");
    user.app.advance("1mo").await;
    let over = user.subscription().await;
    assert_eq!((&over["plan"], &over["status"]), (&json!("free"), &json!("canceled")));
    user.app.mail_about("Your subscription has ended").await;
}
