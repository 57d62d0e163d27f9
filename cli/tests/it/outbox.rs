//! What others are told, and that nothing of it is lost: e-mails (PT-11), the identity provider (CR-6),
//! the cache, and questions to Stripe. The rows are written as a change writes them.

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

/// Longer than the longest pause between attempts.
const PAUSE: SignedDuration = SignedDuration::from_mins(76);

/// An app that sells, with an identity provider to tell.
async fn with_clerk() -> (TestApp, Clerk) {
    let clerk = Clerk::start().await;
    let setup =
        Setup::default().set("CLERK_API_URL", &clerk.url).set("CLERK_SECRET_KEY", clerk::KEY);
    (setup.sells("dearme").start().await, clerk)
}

impl TestApp {
    /// Another process beside this one, with the same settings.
    fn worker(&self) -> Arc<App> {
        let config = Config::from_vars(|name| self.settings.get(name).cloned()).unwrap();
        App::new(config, self.clock.clone(), PoolSize::Function).unwrap()
    }

    /// Runs the job; answers what became of what was due.
    async fn drain(&self) -> Value {
        let answer = self.get("/api/cron/minute").cron().send().await;
        answer.expect_status(200).body["messages"].clone()
    }

    async fn sql(&self, sql: &str) {
        crate::support::execute(&self.owner().await, sql).await;
    }

    /// From now on every lease has ended, as if those who had them had been away for that long.
    async fn end_leases(&self) {
        self.sql("update outbox set leased_until = leased_until - interval '31 seconds'").await;
    }

    /// A user whom Stripe knows under an address.
    async fn someone(&self, user: &str) {
        self.sql(&format!(
            "insert into accounts (id, created_at, stripe_customer_id)
             values ('{user}', 'epoch', 'cus_{user}');
             insert into stripe_customers (id, user_id, created_at, email)
             values ('cus_{user}', '{user}', 'epoch', '{user}@mail.example')"
        ))
        .await;
    }

    /// From now on the user has that plan.
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

    /// What stands in the table of a key.
    async fn row(&self, key: &str) -> Value {
        let sql = "select to_jsonb(o) from outbox o where key = $1";
        let owner = self.owner().await;
        owner.query_typed_one(sql, &[(&key, Type::TEXT)]).await.unwrap().get(0)
    }

    /// The Message-IDs that came, in order.
    fn message_ids(&self) -> Vec<String> {
        self.mail.messages().into_iter().map(|message| message.message_id).collect()
    }

    async fn message_id(&self, key: &str) -> String {
        format!("<{}@acme.example>", self.row(key).await["id"].as_str().unwrap())
    }
}

/// Tells at most so much of what is due, as the job does.
async fn drain(app: &App, limit: usize) -> DeliveryReport {
    outbox::drain(app, &BackgroundTasks::default(), limit, Duration::from_secs(10)).await
}

fn counts(delivered: u64, retried: u64, given_up: u64) -> Value {
    json!({ "delivered": delivered, "retried": retried, "givenUp": given_up })
}
