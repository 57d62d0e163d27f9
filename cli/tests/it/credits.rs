//! Paid credits: granted once, clawed back with a refund, and recorded in the ledger.

mod by_time;
mod grants;
mod lockstep;
mod manual_grants;
mod nothing_more;
mod outages;
mod plan;
mod races;
mod rollover;
mod rows;
mod verify;
mod wallets;

use serde_json::{Value, json};

use crate::support::events::Customer;
use crate::support::{Call, Process, Setup, TestApp, execute};

impl TestApp {
    /// Buys a pack; returns its payment intent at Stripe.
    pub async fn buy_pack(&self, user: &str, pack: &str) -> String {
        let session = self.buy(user, json!({ "pack": pack })).await;
        let sessions = self.at_stripe("checkout.session");
        let session = sessions.iter().find(|found| found["id"] == session["sessionId"]).unwrap();
        session["payment_intent"].as_str().unwrap().to_owned()
    }

    async fn balance(&self, user: &str) -> i64 {
        self.count(&format!("select credits_balance from users where id = '{user}'")).await
    }

    /// The user's ledger: kind, amount and balance after each entry, in order.
    async fn ledger(&self, user: &str) -> Value {
        let sql = format!(
            "select coalesce(jsonb_agg(jsonb_build_array(kind, delta, balance_after) order by unit, seq), '[]')
             from credit_transactions where user_id = '{user}'"
        );
        self.owner().await.query_typed_one(&sql, &[]).await.unwrap().get(0)
    }

    pub async fn refund(&self, payment: &str, amount: &str) {
        let form = [("payment_intent", payment), ("amount", amount)];
        self.ask_stripe("POST", "/v1/refunds", &form).await;
        self.simulator.delivered().await;
    }

    pub async fn books_are_right(&self) {
        let off = "select count(*) from validate_credits_consistency()";
        assert_eq!(self.count(off).await, 0);
    }

    /// The user's balance of one unit, with the grants behind it.
    pub async fn held(&self, user: &str, unit: &str) -> Value {
        let call = self.get("/api/credits").query("unit", unit).bearer(&self.token(user));
        call.send().await.expect_status(200).body["credits"][0].clone()
    }

    /// The remaining credits of each grant, in the order in which they are spent.
    async fn grants(&self, user: &str, unit: &str) -> Value {
        let held = self.held(user, unit).await;
        let grants = held["grants"].as_array().unwrap().iter();
        grants.map(|grant| json!([grant["kind"], grant["remaining"]])).collect()
    }

    /// A spend by the user.
    pub fn spend(&self, user: &str, unit: &str, amount: i64) -> Call {
        let spend = json!({ "action": "spend", "unit": unit, "amount": amount });
        self.post("/api/credits").bearer(&self.token(user)).json(spend)
    }

    /// A call by a trusted server for the user.
    fn for_user(&self, user: &str, action: Value) -> Call {
        let call = self.post("/api/credits").bearer(&self.service_key);
        call.header("x-user-id", user).json(action)
    }

    /// A grant by a trusted server.
    async fn grant(&self, user: &str, unit: &str, amount: i64, terms: Value) {
        let mut grant =
            json!({ "action": "grant", "unit": unit, "amount": amount, "reason": "a courtesy" });
        for (name, value) in terms.as_object().unwrap() {
            grant[name] = value.clone();
        }
        self.for_user(user, grant).send().await.expect_status(200);
    }

    /// Runs the minute job twice, concurrently.
    async fn two_jobs(&self) {
        let job = || self.get("/api/cron/minute").cron().send();
        let (one, other) = tokio::join!(job(), job());
        one.expect_status(200);
        other.expect_status(200);
    }
}

/// CP-2, CP-7: a paid pack grants its credits in Postgres and in Redis. Repeated events, and the
/// same session under another event id, change nothing.
#[tokio::test]
async fn a_paid_pack_gives_its_credits_once() {
    let app = TestApp::selling("credits").await;
    let session = app.buy("ann", json!({ "pack": "growth" })).await;
    assert_eq!(app.balance("ann").await, 500);
    let mut event = app.event("checkout.session.completed");
    for id in ["evt_other", "evt_another"] {
        event["id"] = id.into();
        app.deliver(&event).await.expect_status(200);
    }
    assert_eq!(app.ledger("ann").await, json!([["purchase", 500, 500]]));
    let kept = format!("processed:{}", session["sessionId"].as_str().unwrap());
    let seconds = app.redis_command(&["TTL", &kept]).await.as_i64().unwrap();
    assert!((86_000..=86_400).contains(&seconds), "{seconds}");
    assert_eq!(app.redis_command(&["HGET", "user:ann:credits", "credit"]).await, "500");
    assert_eq!(app.redis_command(&["TTL", "user:ann:credits"]).await, -1, "the key has no expiry");
    app.buy_pack("ann", "starter").await;
    assert_eq!(app.redis_command(&["HGET", "user:ann:credits", "credit"]).await, "600");
    assert_eq!(app.balance("ann").await, 600);
    app.books_are_right().await;
}

/// CP-7: the log says whether a session was processed now or was processed before.
#[tokio::test]
async fn the_log_records_the_outcome_of_a_session() {
    let app = Setup::default().set("LOG_LEVEL", "info").sells("credits").start().await;
    app.lose_webhooks();
    app.buy("ann", json!({ "pack": "starter" })).await;
    let event = app.event("checkout.session.completed").to_string();
    let server = Process::serve(&app).await;
    for _ in 0..2 {
        server.deliver(&app, &event).await;
    }
    let log = server.end().await;
    let session = serde_json::from_str::<Value>(&event).unwrap();
    let session = session["data"]["object"]["id"].as_str().unwrap();
    for line in [
        format!("Successfully processed session {session} for user ann"),
        format!("Session {session} already processed, skipping"),
    ] {
        assert_eq!(log.matches(&format!("\"message\":\"{line}\"")).count(), 1, "{line}: {log}");
    }
}

#[tokio::test]
async fn a_refund_takes_back_credits_in_proportion() {
    let app = TestApp::selling("credits").await;
    let payment = app.buy_pack("ann", "starter").await;
    app.refund(&payment, "333").await;
    assert_eq!(app.balance("ann").await, 100 - 33);
    app.refund(&payment, "666").await;
    assert_eq!(app.balance("ann").await, 0);
    let ledger = json!([["purchase", 100, 100], ["refund", -33, 67], ["refund", -67, 0]]);
    assert_eq!(app.ledger("ann").await, ledger);
    assert_eq!(app.redis_command(&["HGET", "user:ann:credits", "credit"]).await, "0");
    app.books_are_right().await;
}

/// A dispute takes the credits, and winning it returns them; losing it does not.
#[tokio::test]
async fn a_dispute_takes_credits_until_it_is_won() {
    let app = TestApp::selling("credits").await;
    let payment = app.buy_pack("ann", "starter").await;
    let about = |name: &str, at, status: &str| {
        let mut event = Customer::of("ann", app.now().as_second()).disputed(at, name, 999, status);
        event["data"]["object"]["payment_intent"] = payment.as_str().into();
        event
    };
    for (at, name, status, balance) in [
        (1, "one", "needs_response", 0),
        (2, "one", "under_review", 0),
        (3, "one", "won", 100),
        (4, "two", "warning_needs_response", 100),
        (5, "two", "needs_response", 0),
        (6, "two", "lost", 0),
    ] {
        app.deliver(&about(name, at, status)).await.expect_status(200);
        assert_eq!(app.balance("ann").await, balance, "{status}");
    }
    // An event from before the decision does not undo the decision.
    app.deliver(&about("two", 5, "under_review")).await.expect_status(200);
    assert_eq!(app.balance("ann").await, 0);
    app.books_are_right().await;
}

/// CP-3: nothing changes the ledger or the audit trail, not even the owner. An erasure removes the
/// user id and keeps the rest.
#[tokio::test]
async fn ledger_entries_cannot_be_changed() {
    let app = TestApp::selling("credits").await;
    app.buy_pack("ann", "starter").await;
    let owner = app.owner().await;
    for table in ["credit_transactions", "billing_events"] {
        for change in [
            format!("update {table} set user_id = 'bob'"),
            format!("update {table} set user_id = 'erased:x'"),
            format!("delete from {table}"),
            format!("truncate {table}"),
        ] {
            let refused = owner.query_typed(&change, &[]).await.unwrap_err();
            assert_eq!(refused.code().unwrap().code(), "23001", "{change}");
        }
    }
    app.delete("/api/account").bearer(&app.token("ann")).send().await.expect_status(204);
    for (what, count) in [
        ("credit_transactions where user_id = 'ann'", 0),
        ("billing_events where user_id = 'ann'", 0),
        ("credit_transactions where user_id like 'erased:%' and delta = 100", 1),
        ("wallets", 0),
        ("invoices", 0),
        ("stripe_customers where user_id is not null", 0),
        ("payments where customer_id is not null or user_id is not null", 0),
        ("outbox where payload <> '{}'", 0),
    ] {
        assert_eq!(app.count(&format!("select count(*) from {what}")).await, count, "{what}");
    }
    assert_eq!(app.redis_command(&["EXISTS", "user:ann:credits"]).await, 0);
}

/// An opening balance includes earlier purchases, so a late event about one of them grants nothing.
#[tokio::test]
async fn credits_in_an_opening_balance_are_not_granted_again() {
    let app = TestApp::selling("credits").await;
    let pack = app.pack_sold("starter").await;
    execute(&app.owner().await, "select post_opening_balance('ann', 'credit', 100, farebox_now())")
        .await;
    let before = Customer::of("ann", app.now().as_second() - 86_400);
    app.deliver(&before.paid(0, "old", "starter", &pack)).await.expect_status(200);
    assert_eq!(app.balance("ann").await, 100);
    app.deliver(&before.refunded(5, "old", &pack, 999)).await.expect_status(200);
    assert_eq!(app.balance("ann").await, 100);
    app.buy_pack("ann", "starter").await;
    assert_eq!(app.balance("ann").await, 200);
    app.books_are_right().await;
}

/// CP-4: one row for each balance that differs from the sum of its ledger.
#[tokio::test]
async fn an_inconsistent_balance_is_found() {
    let app = TestApp::selling("credits").await;
    app.buy_pack("ann", "starter").await;
    app.buy_pack("bob", "starter").await;
    app.books_are_right().await;
    let owner = app.owner().await;
    execute(&owner, "update wallets set balance = 7 where user_id = 'ann'").await;
    execute(&owner, "update wallets set head_left = 7 where user_id = 'bob'").await;
    let sql = "select user_id || ' ' || balance || ' ' || ledger
               from validate_credits_consistency() order by user_id";
    let rows = owner.query_typed(sql, &[]).await.unwrap();
    let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(found, ["ann 7 100", "bob 100 100"]);
}

/// PT-4, PT-8: an operator's queries after a purchase run unchanged.
#[tokio::test]
async fn the_audit_trail_shows_what_happened() {
    let app = TestApp::selling("paintracker").await;
    app.buy("user_test", json!({ "tier": "basic", "interval": "monthly" })).await;
    app.advance("20d").await;
    let owner = app.owner().await;
    let subscriptions = "SELECT * FROM subscriptions WHERE user_id = 'user_test'";
    assert_eq!(owner.query_typed(subscriptions, &[]).await.unwrap().len(), 1);
    let latest = "SELECT * FROM billing_events ORDER BY occurred_at DESC LIMIT 10";
    assert!(!owner.query_typed(latest, &[]).await.unwrap().is_empty());
    let trail = "select jsonb_agg(jsonb_build_array(
                   kind, before ->> 'status', after ->> 'status', after -> 'mrr_minor') order by id)
                 from billing_events where subscription_id is not null and kind like 'sub%'";
    let trail: Value = owner.query_typed_one(trail, &[]).await.unwrap().get(0);
    let expected = json!([
        ["subscription.created", null, "trialing", 0],
        ["subscription.changed", "trialing", "active", 999],
    ]);
    assert_eq!(trail, expected);
    let paid = "select count(*) from billing_events
                where kind = 'invoice.paid' and amount_minor = 999 and user_id = 'user_test'";
    assert_eq!(app.count(paid).await, 1, "although Stripe sends two events");
}
