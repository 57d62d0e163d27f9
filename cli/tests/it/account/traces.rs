//! Nothing of an erased user remains: every column of every table and every key and value in Redis
//! is searched.

use serde_json::{Value, json};

use crate::support::events::Customer;
use crate::support::{Button, Clerk, Receiver, Reply, Setup, TestApp, clerk, execute, until};

/// A user's id and address, in which no other test data occurs.
pub const USER: &str = "user_Zq7XwT";
pub const EMAIL: &str = "zq.private@mail.example";

impl TestApp {
    /// The places in Postgres and Redis that contain one of these texts, in any case.
    pub async fn traces(&self, texts: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        let tables = self.tables().await;
        for (table, rows) in tables {
            let rows = rows.to_lowercase();
            for text in texts.iter().filter(|text| rows.contains(&text.to_lowercase())) {
                found.push(format!("{table}: {text}"));
            }
        }
        let keys = self.redis_command(&["KEYS", "*"]).await;
        for key in keys.as_array().unwrap() {
            let key = key.as_str().unwrap();
            let kind = self.redis_command(&["TYPE", key]).await;
            let read: &[&str] = match kind.as_str().unwrap() {
                "string" => &["GET", key],
                "hash" => &["HGETALL", key],
                "zset" => &["ZRANGE", key, "0", "-1"],
                // It has expired.
                "none" => continue,
                other => panic!("{key} is a {other}"),
            };
            let value = format!("{key} {}", self.redis_command(read).await).to_lowercase();
            for text in texts.iter().filter(|text| value.contains(&text.to_lowercase())) {
                found.push(format!("redis {key}: {text}"));
            }
        }
        found
    }

    /// Runs the jobs after every lease and pause has ended.
    pub async fn run_jobs_later(&self) {
        let owner = self.owner().await;
        execute(&owner, "update outbox set leased_until = null").await;
        self.clock.advance(jiff::SignedDuration::from_mins(76));
        self.get("/api/cron/minute").cron().send().await.expect_status(200);
        // It fails while Stripe is down.
        self.get("/api/cron/daily").cron().send().await;
        self.get("/api/cron/minute").cron().send().await.expect_status(200);
    }

    /// Waits until no worker holds a message. A deletion during a delivery to the identity provider
    /// is pending until the worker's lease ends, by the wall clock.
    pub async fn deliveries_are_over(&self) {
        self.get("/api/cron/minute").cron().send().await.expect_status(200);
        let leased = "select count(*) from outbox where leased_until > now()";
        until(async || self.count(leased).await == 0).await;
    }

    pub async fn delete_account(&self, user: &str) -> u16 {
        self.delete("/api/account").bearer(&self.token(user)).send().await.status
    }

    /// The customers at Stripe that were not deleted.
    pub fn customers_at_stripe(&self) -> usize {
        self.at_stripe("customer").iter().filter(|one| one["deleted"] != true).count()
    }

    /// The erasure message that is left to deliver.
    pub async fn pending_erasures(&self) -> i64 {
        self.count("select count(*) from outbox where kind = 'erasure' and done_at is null").await
    }
}

pub async fn with_clerk(catalog: &'static str) -> (TestApp, Clerk) {
    let clerk = Clerk::start().await;
    let setup =
        Setup::default().set("CLERK_API_URL", &clerk.url).set("CLERK_SECRET_KEY", clerk::KEY);
    (setup.sells(catalog).start().await, clerk)
}

/// Does everything that stores something about a user.
pub async fn live(app: &TestApp, user: &str, email: &str) {
    let token = app.token(user);
    let call = |method: &str, path: &str, body: Value| {
        app.call(method, path).bearer(&token).json(body).send()
    };
    app.post("/api/session").bearer(&token).send().await.expect_status(200);
    let chat = json!({ "summary": format!("about {email}"), "content": format!("from {email}") });
    call("POST", "/api/chat/save", chat).await.expect_status(200);
    call("PATCH", "/api/mood", json!({ "score": 4 })).await.expect_status(200);
    add_history(app, user, email).await;
    let plan = json!({ "tier": "starter", "interval": "monthly", "email": email });
    app.buy(user, plan).await;
    app.buy(user, json!({ "pack": "ai_100", "email": email })).await;
    let upgrade = json!({ "tier": "pro", "interval": "monthly" });
    call("POST", "/api/subscription/preview", upgrade).await.expect_status(200);
    app.give_card(user, "pm_card_chargeCustomerFail").await;
    app.advance("1mo").await;
    // The month advanced, so earlier tokens have expired.
    let token = app.token(user);
    let call = |method: &str, path: &str, body: Value| {
        app.call(method, path).bearer(&token).header("idempotency-key", "k").json(body).send()
    };
    app.post("/api/session").bearer(&token).header("idempotency-key", "in").send().await;
    let note = json!({ "ticket": email });
    let uses = json!({ "feature": "reports", "metadata": note });
    call("POST", "/api/usage", uses).await.expect_status(200);
    let spend = json!({ "action": "spend", "unit": "ai_credit", "amount": 1, "metadata": note });
    call("POST", "/api/credits", spend).await.expect_status(200);
    let grant = json!({
        "userId": user, "action": "grant", "unit": "ai_credit", "amount": 5, "reason": email,
    });
    app.post("/api/credits").bearer(&app.admin_key).json(grant).send().await.expect_status(200);
    let portal = json!({ "returnUrl": "https://app.example" });
    call("POST", "/api/stripe/create-portal-session", portal).await.expect_status(200);
    app.session(user, json!({ "pack": "ai_100" })).await;
    add_dead_letters(app, user, email).await;
    app.get("/api/entitlements").bearer(&token).send().await.expect_status(200);
}

/// Adds an entry with every field that an app fills, and feedback on it.
async fn add_history(app: &TestApp, user: &str, email: &str) {
    let call = |path: &str, body: Value| {
        let call = app.post(path).bearer(&app.token(user)).header("idempotency-key", "h");
        call.json(body).send()
    };
    let entry = json!({
        "kind": "letter", "title": email, "inputRef": email, "result": email, "tags": [email],
        "data": { "to": email },
    });
    let entry = call("/api/history", entry).await.expect_status(200).body;
    let feedback = json!({ "entryId": entry["id"], "rating": 5, "comment": email });
    call("/api/feedback", feedback).await.expect_status(200);
}

/// Puts the positions of two jobs at a user.
async fn stop_jobs_at(app: &TestApp, user: &str) {
    let sql = format!(
        "insert into job_cursors (job, cursor, updated_at) values ('test', '{user}', farebox_now());
         update catalog_state set marked_until = '{user}'"
    );
    execute(&app.owner().await, &sql).await;
}

/// Events that name the user and cannot be applied. An operator resolves one with a note.
async fn add_dead_letters(app: &TestApp, user: &str, email: &str) {
    // An event has one user. Its id stays after an erasure, so it does not name them.
    let ids = [1, 2].map(|number| format!("evt_broken_{}_{number}", user.len()));
    for id in &ids {
        let object = json!({
            "object": "subscription", "id": "sub_broken", "customer_email": email,
            "metadata": { "userId": user },
        });
        let event = json!({
            "id": id, "object": "event", "type": "customer.subscription.updated", "livemode": false,
            "created": app.now().as_second(), "data": { "object": object },
        });
        app.deliver(&event).await.expect_status(200);
    }
    let note = json!({ "id": ids[1], "action": "resolve", "note": email });
    app.post("/api/admin/webhooks")
        .bearer(&app.admin_key)
        .json(note)
        .send()
        .await
        .expect_status(200);
}

/// An app with everything that stores something about users, and with webhooks that are never
/// accepted.
async fn with_everything() -> (TestApp, Clerk) {
    let (clerk, receiver) = (Clerk::start().await, Receiver::start().await);
    receiver.reply(Reply::Status(500));
    let setup = receiver.setup().set("API_LOG", "full");
    let setup = setup.set("CLERK_API_URL", &clerk.url).set("CLERK_SECRET_KEY", clerk::KEY);
    let app = setup.sells("demo").start().await;
    // It tells the SQL functions that the app gets webhooks.
    app.get("/api/cron/minute").cron().send().await.expect_status(200);
    (app, clerk)
}

/// The places that the story of [`live`] and a few later calls must have reached.
const PLACES: [&str; 9] = [
    "history: ",
    "history_counters: ",
    "history_feedback: ",
    "history_keys: ",
    "subscription_previews: ",
    "api_log_default: ",
    "app_webhooks: ",
    "app_webhook_queues: ",
    "redis api_log: ",
];

/// AI-2, DM-2: after a deletion neither the id nor the address of the user is left anywhere, except
/// the hashes that keep the user erased. The amounts stay.
#[tokio::test]
async fn nothing_of_the_address_or_the_id_remains() {
    let (app, clerk) = with_everything().await;
    live(&app, USER, EMAIL).await;
    app.get("/api/cron/minute").cron().send().await.expect_status(200);
    for _ in 0..2 {
        // The second call brings the first one's line of the log to Redis.
        let mood = app.patch("/api/mood").bearer(&app.token(USER)).json(json!({ "score": 4 }));
        mood.send().await.expect_status(200);
    }
    app.deliveries_are_over().await;
    stop_jobs_at(&app, USER).await;
    let before = app.traces(&[USER, EMAIL]).await;
    assert!(before.len() > 35, "the story leaves traces: {before:#?}");
    for place in PLACES {
        assert!(before.iter().any(|trace| trace.starts_with(place)), "{place}: {before:#?}");
    }
    assert!(!clerk.changes(USER).is_empty());
    let amounts = "select sum(delta)::bigint from credit_transactions";
    let ledger = app.count(amounts).await;

    assert_eq!(app.delete_account(USER).await, 204);
    assert_eq!(app.traces(&[USER, EMAIL]).await, [""; 0]);
    app.simulator.delivered().await;
    app.run_jobs_later().await;
    assert_eq!(app.traces(&[USER, EMAIL]).await, [""; 0]);
    assert_eq!(app.customers_at_stripe(), 0);
    assert_eq!(app.open_sessions(), 0);
    let last = clerk.changes(USER).pop().unwrap();
    assert_eq!(last, json!({ "plan": null, "planName": null, "status": null }));
    assert_eq!(app.count(amounts).await, ledger);
    assert_eq!(app.count("select count(*) from validate_credits_consistency()").await, 0);
    assert_eq!(app.pending_erasures().await, 0);
    let open = "select count(*) from failed_webhooks where resolved_at is null";
    assert_eq!(app.count(open).await, 0);
}

/// An account of which only Redis knows.
#[tokio::test]
async fn nothing_of_an_account_in_redis_remains() {
    let app = TestApp::new().await;
    let token = app.token(USER);
    let sign_in = app.post("/api/session").bearer(&token).header("idempotency-key", "in");
    sign_in.send().await.expect_status(200);
    let chat = json!({ "summary": EMAIL });
    app.post("/api/chat/save").bearer(&token).json(chat).send().await.expect_status(200);
    assert_eq!(app.traces(&[USER, EMAIL]).await.len(), 4);
    assert_eq!(app.delete_account(USER).await, 204);
    assert_eq!(app.traces(&[USER, EMAIL]).await, [""; 0]);
}

/// A customer of whom only Stripe knows is deleted too. One that names another user, or that
/// Farebox knows as another user's, is not.
#[tokio::test]
async fn a_customer_that_only_stripe_knows_is_deleted() {
    let app = TestApp::selling("demo").await;
    app.buy("bob", json!({ "pack": "ai_100" })).await;
    let bobs = app.at_stripe("customer")[0]["id"].as_str().unwrap().to_owned();
    app.lose_webhooks();
    let path = format!("/v1/customers/{bobs}");
    app.ask_stripe("POST", &path, &[("metadata[userId]", USER)]).await;
    for user in [USER, &USER.to_uppercase(), "it's\\me"] {
        let form = [("metadata[userId]", user), ("email", EMAIL)];
        app.ask_stripe("POST", "/v1/customers", &form).await;
    }
    assert_eq!(app.delete_account(USER).await, 204);
    assert_eq!(app.customers_at_stripe(), 3);
    assert_eq!(app.delete_account("it's\\me").await, 204);
    assert_eq!(app.customers_at_stripe(), 2, "bob's, and that of the other user");
    assert_eq!(app.traces(&[USER, EMAIL]).await, [""; 0]);
    // Events of the deleted customer change nothing.
    let customer = Customer::of("someone", app.now().as_second());
    app.deliver(&customer.named(1, USER)).await.expect_status(200);
    assert_eq!(app.traces(&[USER]).await, [""; 0]);
}

/// A purchase whose webhook has not arrived is ended as well.
#[tokio::test]
async fn a_purchase_on_an_open_page_is_ended() {
    let app = TestApp::selling("demo").await;
    let session = app.session(USER, json!({ "tier": "starter", "interval": "monthly" })).await;
    app.lose_webhooks();
    app.press(&session, Button::Pay).await;
    assert_eq!(app.delete_account(USER).await, 204);
    assert_eq!(app.at_stripe("subscription")[0]["status"], "canceled");
    assert_eq!(app.traces(&[USER]).await, [""; 0]);
}
