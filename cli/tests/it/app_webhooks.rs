//! Webhooks to the app's own server (FX-12): signed as Standard Webhooks, in order, at least once.

mod command;
mod content;
mod delivery;
mod order;
mod queued;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use shared::app::App;
use shared::background::BackgroundTasks;
use shared::billing::app_webhooks;
use shared::billing::outbox::DeliveryReport;

use crate::support::{Receiver, TestApp, execute, until};

/// Longer than the longest delay between attempts.
const PAUSE: SignedDuration = SignedDuration::from_mins(76);

/// An app with the demo catalog that gets webhooks.
async fn with_receiver() -> (TestApp, Receiver) {
    let receiver = Receiver::start().await;
    let app = receiver.setup().sells("demo").start().await;
    // It tells the SQL functions about the setting.
    assert_eq!(app.send_webhooks().await, counts(0, 0, 0));
    (app, receiver)
}

impl TestApp {
    /// Runs the minute job; returns the counts of delivered, retried and failed webhooks.
    async fn send_webhooks(&self) -> Value {
        let answer = self.get("/api/cron/minute").cron().send().await;
        answer.expect_status(200).body["appWebhooks"].clone()
    }

    /// Waits until every webhook that is due was sent.
    async fn send_all_webhooks(&self) {
        let due = "select count(*) from app_webhook_queues where due_at <= farebox_now()";
        until(async || {
            self.send_webhooks().await;
            self.count(due).await == 0
        })
        .await;
    }

    /// Queues a webhook to the app with this number, as a SQL function does.
    async fn queue_webhook(&self, user: &str, number: usize) {
        let sql = format!(
            "insert into accounts (id, created_at) values ('{user}', 'epoch') on conflict do nothing;
             select enqueue_app_webhook('{user}', 'credits.low', null,
               '{{\"unit\": \"u\", \"balance\": {number}, \"percent_used\": 80}}', farebox_now())"
        );
        execute(&self.owner().await, &sql).await;
    }

    /// Ends all leases, as if their holders had been gone for that long.
    async fn end_webhook_leases(&self) {
        let sql =
            "update app_webhook_queues set leased_until = leased_until - interval '31 seconds'";
        execute(&self.owner().await, sql).await;
    }

    /// The rows of `app_webhooks`, in the order in which they are sent.
    async fn webhook_rows(&self) -> Vec<Value> {
        let sql = "select to_jsonb(w) from app_webhooks w order by seq";
        let rows = self.owner().await.query_typed(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    async fn spend_credits(&self, user: &str, amount: i64) {
        let spend = json!({ "action": "spend", "unit": "ai_credit", "amount": amount });
        let call = self.post("/api/credits").bearer(&self.token(user)).json(spend);
        call.send().await.expect_status(200);
    }

    async fn use_feature(&self, user: &str, feature: &str, quantity: i64) {
        let entry = json!({ "feature": feature, "quantity": quantity });
        let call = self.post("/api/usage").bearer(&self.token(user)).json(entry);
        call.send().await.expect_status(200);
    }
}

impl Receiver {
    /// The numbers of the webhooks about a user that were queued with `queue_webhook`, in order.
    fn numbers(&self, user: &str) -> Vec<i64> {
        let webhooks = self.webhooks().into_iter().map(|webhook| webhook.body["data"].clone());
        let about = webhooks.filter(|data| data["userId"] == user);
        about.map(|data| data["balance"].as_i64().unwrap()).collect()
    }
}

/// Delivers at most `limit` due webhooks, as the job does.
async fn drain(app: &Arc<App>, limit: usize) -> DeliveryReport {
    let time = Duration::from_secs(30);
    app_webhooks::drain(app, &BackgroundTasks::default(), limit, time).await
}

fn counts(delivered: u64, retried: u64, given_up: u64) -> Value {
    json!({ "delivered": delivered, "retried": retried, "givenUp": given_up })
}
