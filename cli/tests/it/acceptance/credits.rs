use serde_json::json;

use super::{Customer, contract_sql, rows};
use crate::support::{Button, TestApp};

/// CP-1 to CP-5: a trusted server starts the purchase of a pack, each payment counts once, credits
/// are spent, refunded and checked, and the account is deleted.
#[tokio::test]
async fn the_credit_pack_app_from_the_first_visit_to_the_deleted_account() {
    let app = TestApp::selling("credits").await;
    let user = Customer::new(&app, "user-id");
    user.spends("credit", 1).await.expect_problem(402, "insufficient_credits");
    a_server_sells_a_pack(&user).await;
    the_payment_counts_once(&user).await;
    credits_are_spent(&user).await;
    a_refund_takes_credits_back(&user).await;
    the_ledger_is_consistent(&app).await;
    user.deletes_their_account().await;
}

async fn a_server_sells_a_pack(user: &Customer<'_>) {
    let order = json!({
        "pack": "starter",
        "successUrl": "https://app.example/success",
        "cancelUrl": "https://app.example/cancel",
    });
    let call = user.app.post("/api/stripe/create-checkout-session");
    let call = call.bearer(&user.app.service_key).json(order);
    let call = call.header("x-user-id", user.id).header("x-user-email", "buyer@mail.example");
    let session = call.send().await.expect_status(200).body;
    let at_stripe = &user.app.at_stripe("checkout.session")[0]["metadata"];
    assert_eq!(at_stripe["userId"], user.id);
    assert_eq!(at_stripe["userEmail"], "buyer@mail.example");
    user.app.press(&session, Button::Pay).await;
    user.app.simulator.delivered().await;
    let receipt = user.app.mail_about("Your receipt").await;
    assert_eq!(receipt.to, ["buyer@mail.example"]);
}

async fn the_payment_counts_once(user: &Customer<'_>) {
    let paid = user.app.event("checkout.session.completed");
    let mut other = paid.clone();
    other["id"] = json!("evt_of_the_same_session");
    for event in [&paid, &other] {
        user.app.deliver(event).await.expect_status(200);
    }
    assert_eq!(balance(user).await, 100);
    let session = paid["data"]["object"]["id"].as_str().unwrap();
    let marker = format!("processed:{session}");
    let seconds = user.app.redis_command(&["TTL", &marker]).await.as_i64().unwrap();
    assert!((86_000..=86_400).contains(&seconds), "{seconds}");
    let written = "select * from credit_transactions where stripe_session_id is not null";
    let [entry] = &rows(user.app, written).await[..] else { panic!("one entry of the session") };
    assert_eq!((&entry["delta"], &entry["balance_after"]), (&json!(100), &json!(100)));
}

async fn balance(user: &Customer<'_>) -> i64 {
    let credits = user.get("/api/credits").await;
    credits["credits"][0]["balance"].as_i64().unwrap()
}

async fn credits_are_spent(user: &Customer<'_>) {
    assert_eq!(user.spends("credit", 30).await.expect_status(200).body["balance"], 70);
    let refused = user.spends("credit", 71).await.expect_problem(402, "insufficient_credits").body;
    assert_eq!((&refused["balance"], &refused["needed"]), (&json!(70), &json!(71)));
}

async fn a_refund_takes_credits_back(user: &Customer<'_>) {
    let charge = user.app.at_stripe("charge")[0]["id"].clone();
    let refund = [("charge", charge.as_str().unwrap())];
    user.app.ask_stripe("POST", "/v1/refunds", &refund).await;
    user.app.simulator.delivered().await;
    assert_eq!(balance(user).await, -30);
    user.spends("credit", 1).await.expect_problem(402, "insufficient_credits");
}

async fn the_ledger_is_consistent(app: &TestApp) {
    for sql in contract_sql("CP-4") {
        assert!(rows(app, sql).await.is_empty(), "{sql}");
    }
    let [sql] = contract_sql("CP-5")[..] else { panic!("CP-5 has one query") };
    let rebuilt = rows(app, sql).await;
    assert_eq!(rebuilt.len(), 1, "{sql}");
    let balance = rows(app, "select credits_balance from users where id = 'user-id'").await;
    assert_eq!(balance[0]["credits_balance"], -30, "CP-3");
}
