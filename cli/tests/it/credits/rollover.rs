//! Plan credits that roll over to the next month.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::events::Customer;
use crate::support::{TestApp, execute};

/// The letters app, with its two mail credits a month rolling over.
async fn app() -> TestApp {
    let app = TestApp::new().await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../catalogs/dearme.toml");
    let (lapse, stay) = (
        "mail_credits = { amount = 2, every = \"billing_period\" }",
        "mail_credits = { amount = 2, every = \"billing_period\", rollover = true }",
    );
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(lapse));
    app.sell_text(&app.owner_url, "dearme", &text.replace(lapse, stay)).await;
    app
}

fn given(times: i64) -> Vec<Value> {
    (1..=times).map(|time| json!(["plan", 2, 2 * time])).collect()
}

/// Unused credits stay, and the oldest are spent first.
#[tokio::test]
async fn unused_credits_of_a_month_stay_and_the_oldest_go_first() {
    let app = app().await;
    app.buy("ann", json!({ "tier": "pro", "interval": "monthly" })).await;
    app.advance("1mo").await;
    app.two_jobs().await;
    app.spend("ann", "mail_credit", 3).send().await.expect_status(200);
    let mut ledger = given(2);
    ledger.push(json!(["spend", -3, 1]));
    assert_eq!(app.ledger("ann").await, Value::from(ledger));
    assert_eq!(app.grants("ann", "mail_credit").await, json!([["plan", 1]]));
    assert_eq!(app.held("ann", "mail_credit").await["grants"][0]["expiresAt"], Value::Null);
    app.books_are_right().await;
}

/// DM-4: however late the job is, a user has exactly the credits that a daily job would have
/// granted.
#[tokio::test]
async fn months_without_a_read_grant_their_credits_too() {
    let app = app().await;
    app.buy("ann", json!({ "tier": "pro", "interval": "yearly" })).await;
    app.advance("100d").await;
    let [one, other] = [1, 2].map(|amount| app.spend("ann", "mail_credit", amount).send());
    let (one, other) = tokio::join!(one, other);
    one.expect_status(200);
    other.expect_status(200);
    app.two_jobs().await;
    let ledger = app.ledger("ann").await;
    assert_eq!(ledger.as_array().unwrap()[..4], given(4));
    assert_eq!(app.held("ann", "mail_credit").await["balance"], 5);
    let months = "select count(distinct (period_start, period_end)) from credit_grants";
    assert_eq!(app.count(months).await, 4);
    app.advance("1mo").await;
    app.two_jobs().await;
    assert_eq!(app.held("ann", "mail_credit").await["balance"], 7);
    app.books_are_right().await;
}

/// Months in which another plan applied grant nothing.
#[tokio::test]
async fn months_before_the_plan_give_nothing() {
    let app = app().await;
    app.for_user(
        "ann",
        json!({ "action": "grant", "unit": "mail_credit", "amount": 1, "reason": "hello" }),
    )
    .send()
    .await
    .expect_status(200);
    app.advance("100d").await;
    app.buy("ann", json!({ "tier": "pro", "interval": "yearly" })).await;
    app.two_jobs().await;
    assert_eq!(app.ledger("ann").await, json!([["grant", 1, 1], ["plan", 2, 3]]));
    app.change("ann", json!({ "action": "cancel", "when": "now" })).await.expect_status(200);
    app.simulator.delivered().await;
    app.advance("100d").await;
    app.buy("ann", json!({ "tier": "pro", "interval": "yearly" })).await;
    app.two_jobs().await;
    let ledger = json!([["grant", 1, 1], ["plan", 2, 3], ["plan", -2, 1], ["plan", 2, 3]]);
    assert_eq!(app.ledger("ann").await, ledger);
    app.books_are_right().await;
}

/// The months before a plan change or a comp are granted before the change applies.
#[tokio::test]
async fn a_plan_change_keeps_the_credits_of_earlier_months() {
    let app = app().await;
    let sold = app.plan_sold("pro").await;
    let years = async |user, status| {
        let customer = Customer::of(user, app.now().as_second());
        let mut subscription = customer.subscription("1", status, &sold);
        let ends = app.now().as_second() + 365 * 86_400;
        subscription["items"]["data"][0]["current_period_end"] = ends.into();
        app.deliver(&customer.subscribed("updated", 1, &subscription)).await.expect_status(200);
    };
    years("ann", "active").await;
    years("bob", "active").await;
    app.clock.advance(SignedDuration::from_hours(24 * 70));
    years("ann", "canceled").await;
    let mut ledger = given(3);
    ledger.push(json!(["plan", -2, 4]));
    assert_eq!(app.ledger("ann").await, Value::from(ledger));
    let gift = json!({ "userId": "bob", "plan": "Pro" });
    app.patch("/api/plan").bearer(&app.admin_key).json(gift).send().await.expect_status(200);
    assert_eq!(app.ledger("bob").await, Value::from(given(3)));
    app.books_are_right().await;
}

/// If the start of the plan is unknown, as for rows older than that column, only the current month
/// is granted.
#[tokio::test]
async fn without_a_known_start_only_the_current_month_is_granted() {
    let app = app().await;
    app.buy("ann", json!({ "tier": "pro", "interval": "yearly" })).await;
    let before = "delete from credit_grants;
                  update entitlements set since = null;
                  update accounts set due_at = created_at";
    execute(&app.owner().await, before).await;
    app.two_jobs().await;
    assert_eq!(app.ledger("ann").await, Value::from(given(2)));
}
