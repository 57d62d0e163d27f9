//! The story: its steps in order, and what they know of each other.

use axum::http::Method;
use serde_json::Value;
use shared::config::Secret;

use super::Options;
use super::client::{Answer, Call, Client};
use super::purchase::{Offer, Session};
use crate::terminal::checks::CheckReport;

/// Why a step did not pass.
#[derive(Debug)]
pub(super) enum Unpassed {
    Failed { found: String, fix: String },
    Skipped(String),
}

/// A step's finding.
pub(super) type StepResult = Result<String, Unpassed>;

pub(super) fn failed(found: impl Into<String>, fix: impl Into<String>) -> Unpassed {
    Unpassed::Failed { found: found.into(), fix: fix.into() }
}

pub(super) fn skipped(why: impl Into<String>) -> Unpassed {
    Unpassed::Skipped(why.into())
}

#[derive(Debug)]
pub(super) struct Story<'a> {
    pub(super) options: &'a Options,
    pub(super) client: Client,
    pub(super) user: String,
    /// False once Farebox has refused the service key.
    pub(super) has_key: bool,
    pub(super) offer: Option<Offer>,
    pub(super) session: Option<Session>,
    /// True after the payment, which webhooks then report.
    pub(super) is_paid: bool,
    /// The subscription that this story created through Stripe's API.
    pub(super) subscription: Option<String>,
    /// True once a webhook has brought the plan.
    pub(super) has_plan: bool,
    /// The user's entitlements.
    pub(super) entitlements: Option<Value>,
}

impl<'a> Story<'a> {
    pub(super) fn new(options: &'a Options, base: &str, user: String) -> Self {
        Self {
            options,
            client: Client::new(base, options.bypass.clone()),
            user,
            has_key: true,
            offer: None,
            session: None,
            is_paid: false,
            subscription: None,
            has_plan: false,
            entitlements: None,
        }
    }

    pub(super) async fn play(mut self, report: &mut CheckReport) {
        if !step(report, "health", self.check_health()).await {
            // Every other step would fail for the same reason.
            return;
        }
        step(report, "ready", self.check_ready()).await;
        step(report, "sign-in", self.sign_in()).await;
        step(report, "dashboard", self.read_dashboard()).await;
        step(report, "mood", self.set_mood()).await;
        step(report, "plans", self.choose_plan()).await;
        step(report, "checkout", self.create_session()).await;
        step(report, "payment", self.pay()).await;
        step(report, "webhook", self.wait_for_webhook()).await;
        step(report, "entitlements", self.read_entitlements()).await;
        step(report, "check", self.check_feature()).await;
        step(report, "usage", self.track_usage()).await;
        step(report, "credits", self.spend_credits()).await;
        step(report, "cron", self.run_minute_job()).await;
        step(report, "no token", self.send_no_token()).await;
        step(report, "user token", self.send_user_token()).await;
        step(report, "other user", self.name_another_user()).await;
        step(report, "signature", self.send_false_signature()).await;
        step(report, "clean-up", self.clean_up()).await;
    }

    /// Calls a route for the new user, with the service key.
    pub(super) async fn call_for_user(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        idempotency_key: Option<&str>,
    ) -> Result<Answer, Unpassed> {
        self.call_with(&self.options.service_key, method, path, body, idempotency_key).await
    }

    /// Calls a route for the new user, with any key that may name users.
    pub(super) async fn call_with(
        &self,
        key: &Secret,
        method: Method,
        path: &str,
        body: Option<&Value>,
        idempotency_key: Option<&str>,
    ) -> Result<Answer, Unpassed> {
        if !self.has_key {
            return Err(skipped("Farebox does not accept the service key"));
        }
        let (token, user) = (Some(key), Some(self.user.as_str()));
        self.client
            .call(method, path, Call { token, user, body, idempotency_key, ..Call::default() })
            .await
    }
}

/// Runs a step and reports it. Returns true if it passed.
async fn step(
    report: &mut CheckReport,
    name: &str,
    running: impl Future<Output = StepResult>,
) -> bool {
    let progress = report.progress(name);
    let result = running.await;
    drop(progress);
    let has_passed = result.is_ok();
    match result {
        Ok(found) => report.passed(name, found),
        Err(Unpassed::Failed { found, fix }) => report.failed(name, found, &fix),
        Err(Unpassed::Skipped(why)) => report.skipped(name, why),
    }
    has_passed
}
