//! Controls the Stripe simulator of a running stack through its control routes.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::http::{Method, Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::Full;
use jiff::Timestamp;
use serde_json::Value;
use shared::adapters::http_client::{Budget, HttpClient};

use super::{Settings, schedule};

/// Advancing the clock by a year takes minutes, because each event is delivered before the next.
const BUDGET: Budget = Budget {
    connect: Duration::from_secs(2),
    answer: Duration::from_secs(900),
    max_bytes: 10_000_000,
};

#[derive(Debug)]
pub struct Control {
    /// The address of the simulator, `http://127.0.0.1:3000`.
    pub base: String,
    pub settings: Settings,
    http: HttpClient,
}

impl Control {
    /// Finds the simulator of the stack that runs in `dir`.
    pub async fn of(dir: &Path) -> anyhow::Result<Self> {
        let settings = super::running(dir).await?;
        let real = "the running stack uses the real Stripe, which has no control routes";
        let base = settings.get("STRIPE_API_URL").context(real)?.clone();
        Ok(Self { base, settings, http: HttpClient::default() })
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, String::new()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, body.to_string()).await
    }

    /// The time of the running stack.
    pub async fn now(&self) -> anyhow::Result<Timestamp> {
        let state = self.get("state").await?;
        let now = state["now"].as_str().context("the simulator's state has no time")?;
        Ok(now.parse()?)
    }

    /// Calls the jobs that became due while the clock advanced from `after` to `until`. Returns the
    /// jobs that failed, and why.
    pub async fn run_jobs(
        &self,
        after: Timestamp,
        until: Timestamp,
    ) -> Vec<(&'static str, String)> {
        let cron_secret = self.settings.get("CRON_SECRET").cloned().unwrap_or_default();
        schedule::run_due(&self.http, &self.base, &cron_secret, after, until).await
    }

    /// The number of e-mails captured so far; `None` if the stack has another mail server.
    pub async fn captured_emails(&self) -> Option<u64> {
        let messages = self.fetch(Method::GET, "/mail/api/messages", String::new()).await.ok()?;
        Some(messages.as_array()?.iter().filter_map(|it| it["number"].as_u64()).max().unwrap_or(0))
    }

    async fn call(&self, method: Method, path: &str, body: String) -> anyhow::Result<Value> {
        self.fetch(method, &format!("/simulator/api/{path}"), body).await
    }

    async fn fetch(&self, method: Method, path: &str, body: String) -> anyhow::Result<Value> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let answer = self.http.call(request, BUDGET).await.context("cannot reach the simulator")?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status != StatusCode::OK {
            let message = body["error"]["message"].as_str().unwrap_or("no reason given");
            bail!("the simulator refused this ({}): {message}", answer.status.as_u16());
        }
        Ok(body)
    }
}
