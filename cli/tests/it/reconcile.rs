//! Reconciliation applies missed webhooks, and repairs subscriptions that differ from Stripe.

mod command;
mod trouble;

use serde_json::{Value, json};
use shared::background::BackgroundTasks;
use shared::billing::reconcile::{self, Options, ReconciliationReport};
use stripe_simulator::Switches;
use stripe_simulator::World;

use crate::support::{Button, TestApp};

impl TestApp {
    /// The daily job's report.
    async fn reconciled(&self) -> Value {
        let answer = self.get("/api/cron/daily").cron().send().await;
        answer.expect_status(200).body["reconciled"].clone()
    }

    /// Only the comparison of subscriptions.
    async fn compare_subscriptions(&self) -> ReconciliationReport {
        reconcile::subscriptions(&self.inside(), false).await.unwrap()
    }

    /// Delivers webhooks again from here on; earlier events stay lost.
    fn resume_webhooks(&self) {
        self.simulator.set_switches(Switches::default());
    }

    async fn id_of_subscription(&self, user: &str) -> String {
        let subscription = self.subscription(user).await["subscription"].clone();
        subscription["id"].as_str().unwrap().to_owned()
    }

    /// A purchase, a change, a scheduled cancellation and an ended subscription, all without
    /// webhooks.
    async fn lose_a_day(&self) {
        let plus = json!({ "tier": "plus", "interval": "monthly" });
        for user in ["changes", "cancels", "ends"] {
            self.buy(user, plus.clone()).await;
        }
        self.lose_webhooks();
        let session = self.session("buys", plus).await;
        self.press(&session, Button::Pay).await;
        let premium = self.plan_sold("premium").await.price;
        let changes = self.id_of_subscription("changes").await;
        let items = self.ask_stripe("GET", &format!("/v1/subscriptions/{changes}"), &[]).await;
        let item = items["items"]["data"][0]["id"].as_str().unwrap().to_owned();
        let change = [("items[0][id]", item.as_str()), ("items[0][price]", premium.as_str())];
        self.ask_stripe("POST", &format!("/v1/subscriptions/{changes}"), &change).await;
        let cancels = self.id_of_subscription("cancels").await;
        let later = [("cancel_at_period_end", "true")];
        self.ask_stripe("POST", &format!("/v1/subscriptions/{cancels}"), &later).await;
        let ends = self.id_of_subscription("ends").await;
        self.ask_stripe("DELETE", &format!("/v1/subscriptions/{ends}"), &[]).await;
        self.resume_webhooks();
    }

    /// Checks the state that `lose_a_day` leads to.
    async fn assert_nothing_is_lost(&self) {
        assert_eq!(self.subscription("buys").await["plan"], "plus");
        assert_eq!(self.stats("buys").await["plan"], "Plus");
        assert_eq!(self.subscription("changes").await["plan"], "premium");
        assert_eq!(self.stats("changes").await["plan"], "Premium");
        let cancels = self.subscription("cancels").await["subscription"].clone();
        assert_eq!(cancels["cancelAtPeriodEnd"], true, "{cancels}");
        assert_eq!(self.subscription("ends").await["status"], "canceled");
        assert_eq!(self.stats("ends").await["plan"], "Free");
    }

    /// A subscription created directly at Stripe, outside Farebox.
    async fn subscribe_at_stripe(&self, user: Option<&str>, price: &str) -> String {
        let email = [("email", "someone@example.com"), ("payment_method", "pm_card_visa")];
        let customer = self.ask_stripe("POST", "/v1/customers", &email).await["id"].clone();
        let mut form = vec![
            ("customer", customer.as_str().unwrap()),
            ("items[0][price]", price),
            ("trial_period_days", "30"),
        ];
        form.extend(user.map(|user| ("metadata[userId]", user)));
        let made = self.ask_stripe("POST", "/v1/subscriptions", &form).await;
        made["id"].as_str().unwrap().to_owned()
    }

    /// Copies the subscription this many times, each with its own user and customer.
    fn multiply(&self, subscription: &str, times: usize) {
        let copy = |world: &mut World| {
            let one = world.get(subscription).unwrap().clone();
            for number in 0..times {
                let mut copy = one.clone();
                copy["id"] = format!("sub_{number:04}").into();
                copy["customer"] = format!("cus_{number:04}").into();
                copy["metadata"] = json!({ "userId": format!("user_{number:04}") });
                copy["created"] = (one["created"].as_i64().unwrap() + number as i64 / 3).into();
                world.insert(copy);
            }
            Ok(())
        };
        self.simulator.change(copy).unwrap();
    }
}

/// Only the comparison, as for events too old for Stripe to list.
#[tokio::test]
async fn subscriptions_that_differ_from_stripe_are_repaired() {
    let app = TestApp::selling("aira").await;
    app.lose_a_day().await;
    let report = app.compare_subscriptions().await;
    assert_eq!((report.drifts, report.repaired, report.is_complete), (4, 4, true), "{report:?}");
    let fields = |user: &str| {
        let drift = report.drifted.iter().find(|it| it.user_id.as_deref() == Some(user)).unwrap();
        drift.fields.iter().map(|it| it.field.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(fields("changes"), ["plan", "price"]);
    assert_eq!(fields("cancels"), ["cancelAt", "cancelAtPeriodEnd"]);
    assert_eq!(fields("ends"), ["status"]);
    app.assert_nothing_is_lost().await;
    let again = app.compare_subscriptions().await;
    assert!(again.is_clean() && again.drifts == 0, "{again:?}");
    let books = app.count("select count(*) from validate_credits_consistency()").await;
    assert_eq!(books, 0);
}

/// The daily job applies the missed events, and its second run finds none.
#[tokio::test]
async fn the_daily_job_applies_missed_events() {
    let app = TestApp::selling("aira").await;
    app.lose_a_day().await;
    let report = app.reconciled().await;
    assert!(report["missedEvents"].as_u64().unwrap() > 4, "{report}");
    assert_eq!(report["applied"], report["missedEvents"]);
    assert_eq!((&report["drifts"], &report["isComplete"]), (&json!(0), &json!(true)), "{report}");
    app.assert_nothing_is_lost().await;
    let again = app.reconciled().await;
    assert_eq!((&again["missedEvents"], &again["drifts"]), (&json!(0), &json!(0)), "{again}");
}

/// A webhook that arrives after the reconciliation is a duplicate.
#[tokio::test]
async fn a_missed_purchase_counts_once_when_its_webhooks_come_later() {
    let app = TestApp::selling("credits").await;
    app.lose_webhooks();
    let session = app.session("ann", json!({ "pack": "starter" })).await;
    app.press(&session, Button::Pay).await;
    app.resume_webhooks();
    app.reconciled().await;
    let balance = "select coalesce(sum(balance), 0)::bigint from wallets where user_id = 'ann'";
    assert_eq!(app.count(balance).await, 100);
    for event in app.at_stripe("event") {
        app.simulator.resend(event["id"].as_str().unwrap()).unwrap();
    }
    app.simulator.delivered().await;
    assert_eq!(app.count(balance).await, 100);
    assert_eq!(app.count("select count(*) from credit_transactions").await, 1);
}

/// Over more than one page, and concurrently.
#[tokio::test]
async fn two_runs_at_once_repair_every_page() {
    let app = TestApp::selling("aira").await;
    app.lose_webhooks();
    let plus = app.plan_sold("plus").await.price;
    let one = app.subscribe_at_stripe(Some("ann"), &plus).await;
    app.multiply(&one, 150);
    let (here, there) = (app.inside(), app.inside());
    let after = BackgroundTasks::default();
    let (one, other) = tokio::join!(
        reconcile::run(&here, &after, Options::default()),
        reconcile::run(&there, &after, Options::default())
    );
    for report in [one.unwrap(), other.unwrap()] {
        assert!(report.is_complete && report.failed.is_empty(), "{report:?}");
        assert_eq!(report.drifts, report.repaired);
    }
    let known = "select count(*) from subscriptions where plan = 'plus' and user_id is not null";
    assert_eq!(app.count(known).await, 151);
    assert_eq!(app.count("select count(*) from entitlements where plan = 'plus'").await, 151);
    assert_eq!(app.count("select count(*) from outbox where kind = 'email'").await, 0);
    let again = app.compare_subscriptions().await;
    assert!(again.is_clean() && again.drifts == 0, "{again:?}");
}
