use serde_json::json;

use super::{Customer, rows};
use crate::support::TestApp;

/// DM-1 to DM-5, DM-11: five free letters, Pro with two mail credits a month, the portal, and the
/// end of the subscription.
#[tokio::test]
async fn the_letters_app_from_the_first_letter_to_the_deleted_account() {
    let app = TestApp::selling("dearme").await;
    let user = Customer::new(&app, "user_test");
    writes_five_letters(&user).await;
    buys_pro(&user).await;
    two_mail_credits_come_each_month(&user).await;
    visits_the_portal(&user).await;
    leaves(&user).await;
    user.deletes_their_account().await;
}

async fn writes_five_letters(user: &Customer<'_>) {
    user.uses("letters", 5).await.expect_status(200);
    let refused = user.uses("letters", 1).await.expect_problem(402, "quota_exceeded").body;
    let named = (&refused["quota"], &refused["limit"], &refused["current"]);
    assert_eq!(named, (&json!("letters"), &json!(5), &json!(5)), "DM-5");
    let may = user.get("/api/entitlements").await;
    for feature in ["email_delivery", "physical_mail", "scheduling"] {
        assert_eq!(may["features"][feature]["enabled"], false, "{feature}");
    }
}

async fn buys_pro(user: &Customer<'_>) {
    let plans = rows(user.app, "select * from pricing_plans order by amount_minor").await;
    let prices: Vec<_> = plans.iter().map(|plan| plan["amount_minor"].clone()).collect();
    assert_eq!(prices, [900, 9_000], "DM-1");
    user.app.buy(user.id, json!({ "tier": "pro", "interval": "monthly" })).await;
    let may = user.get("/api/entitlements").await;
    for feature in ["email_delivery", "physical_mail", "scheduling"] {
        assert_eq!(may["features"][feature]["enabled"], true, "{feature}");
    }
    user.uses("letters", 100).await.expect_status(200);
    let usage =
        rows(user.app, "select * from subscription_usage where user_id = 'user_test'").await;
    assert_eq!(usage.len(), 1, "DM-1: one row per user and period");
}

async fn two_mail_credits_come_each_month(user: &Customer<'_>) {
    for _ in 0..3 {
        let balance =
            user.get("/api/entitlements").await["credits"]["mail_credit"]["balance"].clone();
        assert_eq!(balance, 2);
        user.spends("mail_credit", 2).await.expect_status(200);
        user.spends("mail_credit", 1).await.expect_problem(402, "insufficient_credits");
        user.app.advance("1mo").await;
    }
}

async fn visits_the_portal(user: &Customer<'_>) {
    let body = json!({ "returnUrl": "https://app.example/account" });
    let portal = user.post("/api/stripe/create-portal-session", body).await;
    assert!(portal.expect_status(200).body["url"].is_string());
}

async fn leaves(user: &Customer<'_>) {
    user.change(json!({ "action": "cancel" })).await;
    user.change(json!({ "action": "resume" })).await;
    assert_eq!(user.subscription().await["subscription"]["cancelAtPeriodEnd"], false);
    user.change(json!({ "action": "cancel", "when": "now" })).await;
    let over = user.subscription().await;
    assert_eq!((&over["plan"], &over["status"]), (&json!("free"), &json!("canceled")));
    user.uses("letters", 6).await.expect_problem(402, "quota_exceeded");
}
