//! Messages to users and to the identity provider, from Stripe's event to the mailbox.

mod used;
mod year;

use serde_json::{Value, json};

use crate::support::events::Customer;
use crate::support::{Clerk, Setup, TestApp, clerk};

/// PT-3, PT-11: a trial that ends soon, a failed payment, a receipt, and an ended subscription.
#[tokio::test]
async fn a_subscriber_gets_an_email_for_each_important_event() {
    let app = TestApp::selling("paintracker").await;
    let order = json!({ "tier": "basic", "interval": "monthly", "email": "ann@mail.example" });
    app.buy("ann", order).await;
    app.advance("12d").await;
    let trial = app.mail_about("Your trial ends soon").await;
    assert_eq!(trial.to, ["ann@mail.example"]);
    assert!(trial.text.contains("Price after the trial: $9.99 per month"), "{}", trial.text);

    app.advance("3d").await;
    let receipt = app.mail_about("Your receipt").await;
    assert!(receipt.text.contains("Bought: Basic\nPeriod: "), "{}", receipt.text);
    assert!(receipt.text.contains("Total: $9.99"), "{}", receipt.text);
    let invoice = app.at_stripe("invoice")[0]["hosted_invoice_url"].clone();
    assert!(receipt.text.contains(invoice.as_str().unwrap()), "{}", receipt.text);

    app.give_card("ann", "pm_card_chargeCustomerFail").await;
    app.advance("1mo").await;
    let failed = app.mail_about("Your payment did not go through").await;
    let invoice = app.at_stripe("invoice")[0]["hosted_invoice_url"].clone();
    assert!(
        failed.text.contains(invoice.as_str().unwrap()),
        "the link to pay is missing: {}",
        failed.text
    );
    assert_eq!(app.subscription("ann").await["status"], "past_due");

    app.change("ann", json!({ "action": "cancel", "when": "now" })).await.expect_status(200);
    app.simulator.delivered().await;
    app.mail_about("Your subscription has ended").await;
    app.deliver_outbox().await;
    let messages = app.mail.messages().into_iter();
    let receipts = messages.filter(|message| message.subject == "Your receipt");
    assert_eq!(receipts.count(), 1, "one receipt, although Stripe sends two events");
}

/// The credit-pack app's buyers get a receipt (CP-2).
#[tokio::test]
async fn a_pack_purchase_sends_a_receipt() {
    let app = TestApp::selling("credits").await;
    app.buy("ann", json!({ "pack": "starter", "email": "ann@mail.example" })).await;
    let receipt = app.mail_about("Your receipt").await;
    assert!(receipt.text.contains("Total: $9.99"), "{}", receipt.text);
    assert!(receipt.text.contains("Bought: Starter\nPaid on: "), "{}", receipt.text);
    assert_eq!(receipt.to, ["ann@mail.example"]);
    assert_eq!(receipt.header("x-farebox-plan"), "Starter");
}

/// CR-6: the user's metadata has the subscription's plan and status.
#[tokio::test]
async fn the_identity_provider_follows_stripe() {
    let clerk = Clerk::start().await;
    let app = Setup::default()
        .set("CLERK_API_URL", &clerk.url)
        .set("CLERK_SECRET_KEY", clerk::KEY)
        .sells("coderev")
        .start()
        .await;
    let has_metadata = |plan: &str, status: &str| {
        let changes = clerk.changes("ann");
        let last = changes.last().cloned().unwrap_or_default();
        last["plan"] == plan && last["status"] == status
    };
    clerk.refuse(503);
    app.buy("ann", json!({ "tier": "pro", "interval": "monthly" })).await;
    assert_eq!(
        app.subscription("ann").await["status"],
        "active",
        "the webhook does not wait for it"
    );
    clerk.answer();
    app.clock.advance(jiff::SignedDuration::from_mins(80));
    app.run_job_until(|| has_metadata("pro", "active")).await;
    app.give_card("ann", "pm_card_chargeCustomerFail").await;
    app.advance("32d").await;
    app.run_job_until(|| has_metadata("pro", "past_due")).await;
    app.change("ann", json!({ "action": "cancel", "when": "now" })).await.expect_status(200);
    app.simulator.delivered().await;
    app.run_job_until(|| has_metadata("free", "none")).await;
}

/// DM-7: the next message goes to a customer's new address.
#[tokio::test]
async fn a_customer_moved_to_another_user_is_found() {
    let app = TestApp::selling("credits").await;
    app.buy("ann", json!({ "pack": "starter", "email": "ann@mail.example" })).await;
    let customer = app.at_stripe("customer")[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/customers/{customer}");
    app.clock.advance(jiff::SignedDuration::from_secs(5));
    app.ask_stripe("POST", &path, &[("email", "new@mail.example")]).await;
    app.simulator.delivered().await;
    app.clock.advance(jiff::SignedDuration::from_secs(5));
    app.buy("ann", json!({ "pack": "growth" })).await;
    app.run_job_until(|| app.mail.messages().len() == 2).await;
    assert_eq!(app.mail.messages()[1].to, ["new@mail.example"]);
}

/// DM-7: payments are stored with their status.
#[tokio::test]
async fn payments_are_stored_with_their_status() {
    let app = TestApp::selling("credits").await;
    app.buy("ann", json!({ "pack": "starter" })).await;
    let standing =
        "select jsonb_build_array(status, amount_minor, currency, invoice_id is not null)
                    from payments";
    let owner = app.owner().await;
    let payment: Value = owner.query_typed_one(standing, &[]).await.unwrap().get(0);
    assert_eq!(payment, json!(["succeeded", 999, "usd", true]));
    let trail = "select count(*) from billing_events where kind = 'payment.succeeded'";
    assert_eq!(app.count(trail).await, 1);
}

/// A user who becomes known after paying gets the receipt. A failure event that arrives after its
/// invoice was voided sends no mail.
#[tokio::test]
async fn a_late_failure_event_sends_no_mail() {
    let app = TestApp::selling("demo").await;
    let plan = app.plan_sold("pro").await;
    let ann = Customer::without_user("ann", app.now().as_second());
    app.deliver(&ann.invoiced("paid", 0, "1", &plan)).await.expect_status(200);
    app.deliver(&ann.named(1, "ann")).await.expect_status(200);
    assert_eq!(app.mail_about("Your receipt").await.to, ["ann@example.com"]);

    let mut voided = ann.invoiced("payment_failed", 3, "2", &plan);
    voided["type"] = "invoice.voided".into();
    voided["data"]["object"]["status"] = "void".into();
    app.deliver(&voided).await.expect_status(200);
    app.deliver(&ann.invoiced("payment_failed", 2, "2", &plan)).await.expect_status(200);
    let failures = "select count(*) from outbox where key like 'payment_failed:%'";
    assert_eq!(app.count(failures).await, 0);
}
