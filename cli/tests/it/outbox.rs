//! The outbox loses no message: e-mails (PT-11), the identity provider (CR-6), the cache, and
//! refetches from Stripe. The tests insert rows as a change does.

mod crowd;
mod email;
mod identity;
mod repair;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use shared::app::{App, PoolSize};
use shared::background::BackgroundTasks;
use shared::billing::outbox::{self, DeliveryReport};
use shared::config::Config;
use tokio_postgres::types::{Json, ToSql, Type};

use crate::support::{Clerk, Setup, TestApp, clerk};

/// Longer than the longest delay between attempts.
const PAUSE: SignedDuration = SignedDuration::from_mins(76);

/// An app with a catalog and an identity provider.
async fn with_clerk() -> (TestApp, Clerk) {
    let clerk = Clerk::start().await;
    let setup =
        Setup::default().set("CLERK_API_URL", &clerk.url).set("CLERK_SECRET_KEY", clerk::KEY);
    (setup.sells("dearme").start().await, clerk)
}

impl TestApp {
    /// Another process with the same settings.
    fn worker(&self) -> Arc<App> {
        let config = Config::from_vars(|name| self.settings.get(name).cloned()).unwrap();
        App::new(config, self.clock.clone(), PoolSize::Function).unwrap()
    }

    /// Runs the job; returns the counts of delivered, retried and failed messages.
    async fn drain(&self) -> Value {
        let answer = self.get("/api/cron/minute").cron().send().await;
        answer.expect_status(200).body["messages"].clone()
    }

    async fn sql(&self, sql: &str) {
        crate::support::execute(&self.owner().await, sql).await;
    }

    /// Ends all leases, as if their holders had been gone for that long.
    async fn end_leases(&self) {
        self.sql("update outbox set leased_until = leased_until - interval '31 seconds'").await;
    }

    /// A user with a customer and an address at Stripe.
    async fn create_user(&self, user: &str) {
        self.sql(&format!(
            "insert into accounts (id, created_at, stripe_customer_id)
             values ('{user}', 'epoch', 'cus_{user}');
             insert into stripe_customers (id, user_id, created_at, email)
             values ('cus_{user}', '{user}', 'epoch', '{user}@mail.example')"
        ))
        .await;
    }

    /// Sets the user's plan.
    async fn entitle(&self, user: &str, plan: &str, version: i64) {
        self.sql(&format!(
            "insert into entitlements (user_id, plan, plan_version, source, status, updated_at)
             select '{user}', plan, version, 'grant', 'active', 'epoch'
             from pricing_plan_versions
             where plan = '{plan}'
             on conflict (user_id) do update
             set plan = excluded.plan, plan_version = excluded.plan_version;
             update accounts set entitlement_version = {version} where id = '{user}'"
        ))
        .await;
    }

    async fn enqueue(&self, kind: &str, key: &str, user: &str, payload: Value) {
        let now = self.now();
        let params: [(&(dyn ToSql + Sync), Type); 5] = [
            (&kind, Type::TEXT),
            (&key, Type::TEXT),
            (&user, Type::TEXT),
            (&Json(payload), Type::JSONB),
            (&now, Type::TIMESTAMPTZ),
        ];
        let sql = "select enqueue($1, $2, $3, $4, $5, $5)";
        self.owner().await.query_typed(sql, &params).await.unwrap();
    }

    async fn enqueue_mail(&self, key: &str, user: &str) {
        let payload = json!({ "template": "receipt", "number": key });
        self.enqueue("email", &format!("receipt:{key}"), user, payload).await;
    }

    async fn enqueue_plan(&self, user: &str) {
        self.enqueue("identity", &format!("identity:{user}"), user, Value::Null).await;
    }

    /// The outbox row of a key.
    async fn row(&self, key: &str) -> Value {
        let sql = "select to_jsonb(o) from outbox o where key = $1";
        let owner = self.owner().await;
        owner.query_typed_one(sql, &[(&key, Type::TEXT)]).await.unwrap().get(0)
    }

    /// The Message-IDs that arrived, in order.
    fn message_ids(&self) -> Vec<String> {
        self.mail.messages().into_iter().map(|message| message.message_id).collect()
    }

    async fn message_id(&self, key: &str) -> String {
        format!("<{}@acme.example>", self.row(key).await["id"].as_str().unwrap())
    }
}

/// Delivers at most `limit` due messages, as the job does.
async fn drain(app: &App, limit: usize) -> DeliveryReport {
    outbox::drain(app, &BackgroundTasks::default(), limit, Duration::from_secs(10)).await
}

fn counts(delivered: u64, retried: u64, given_up: u64) -> Value {
    json!({ "delivered": delivered, "retried": retried, "givenUp": given_up })
}
