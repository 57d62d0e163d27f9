//! Delivers outbox messages: e-mails to users, plans to the identity provider, cache repairs,
//! refetches from Stripe, alerts, and erasures of users outside Postgres.
//!
//! A message is written in the transaction of the change that it reports. A worker leases it,
//! delivers it, and marks it done. A failed delivery is retried with growing pauses, and finally
//! given up. If a worker stops, its messages are leased again when their lease ends.
//!
//! Every message is therefore delivered at least once. A retried e-mail keeps its Message-ID, the
//! identity provider gets an idempotency key, and the other kinds are safe to repeat.

mod cache_repair;
mod email;
mod erasure;
mod refetch;

use std::slice;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use ring::rand::{SecureRandom, SystemRandom};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::adapters::clerk::{self, ClerkError};
use crate::adapters::postgres::{DeliveryResult, Kind, OutboxMessage, PostgresError};
use crate::adapters::smtp::{Mailer, SmtpError};
use crate::app::App;
use crate::background::BackgroundTasks;
use crate::billing::alert;
use crate::clock::Clock;
use crate::domain::error::error_chain;
use crate::domain::object::text;

/// The number of messages that are leased together and delivered concurrently.
const BATCH: u32 = 10;
/// Far longer than a batch takes. Only a worker that stopped or was frozen loses its lease.
pub(super) const LEASE_SECONDS: i32 = 30;
/// The time limit of one delivery, including the connection.
const DELIVERY_TIME: Duration = Duration::from_secs(6);

/// The base of the pause between attempts. It doubles with each attempt.
const PAUSE_SECONDS: u64 = 10;
const LONGEST_PAUSE_SECONDS: u64 = 3_600;
/// The maximum number of attempts. With these pauses it takes three days, as Stripe's retries of
/// events.
pub const ATTEMPTS: i32 = 80;
/// The maximum number of attempts after a permanent rejection, in case the rejection is wrong.
const REJECTED_ATTEMPTS: i32 = 4;
/// The number of attempts to wait for an unknown e-mail address: about five minutes.
const ATTEMPTS_FOR_AN_ADDRESS: i32 = 5;

/// The result of delivering outbox messages: e-mails, alerts and updates of other systems.
#[derive(Clone, Copy, Debug, Default, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryReport {
    /// Messages that were delivered, or had no recipient.
    pub delivered: u64,
    /// Messages that will be retried.
    pub retried: u64,
    /// Messages that failed permanently.
    pub given_up: u64,
}

impl DeliveryReport {
    pub(super) fn add(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.retried += other.retried;
        self.given_up += other.given_up;
    }
}

/// The outcome of one delivery attempt.
enum Outcome {
    Delivered,
    /// The message has no recipient, for this reason.
    NoRecipient(&'static str),
    /// The attempt failed, and a retry may succeed. The problem contains no personal data.
    Failed {
        problem: String,
        retry_after: Option<Duration>,
    },
    /// The receiver rejected the message permanently.
    Rejected(String),
}

impl Outcome {
    fn failed(problem: impl Into<String>) -> Self {
        Self::Failed { problem: problem.into(), retry_after: None }
    }
}

/// The channels of one run.
struct Run<'a> {
    app: &'a App,
    background: &'a BackgroundTasks,
    /// Created for the first e-mail, since most runs have none.
    mailer: OnceLock<Option<Mailer>>,
}

/// Returns whether e-mail, the identity provider or the app's endpoint is configured.
pub fn has_channels(app: &App) -> bool {
    let config = &app.config;
    config.email.is_some() || config.clerk.is_some() || config.app_webhooks.is_some()
}

/// Delivers at most about `limit` due messages, until none is due or `time` is up. No batch begins
/// later. If Postgres fails, the run ends.
pub async fn drain(
    app: &App,
    background: &BackgroundTasks,
    limit: usize,
    time: Duration,
) -> DeliveryReport {
    let run = Run { app, background, mailer: OnceLock::new() };
    let started = Instant::now();
    let mut all = DeliveryReport::default();
    let mut left = limit;
    while left > 0 && started.elapsed() < time {
        match run.batch(left.min(BATCH as usize), &mut all).await {
            Ok(0) => break,
            Ok(count) => left -= count.min(left),
            Err(error) => {
                tracing::warn!(
                    problem = error_chain(&error),
                    "delivering outbox messages stopped: the next run continues"
                );
                break;
            }
        }
    }
    all
}

/// Delivers a message that was just leased to this process. Returns whether it was delivered. If
/// not, the minute job retries it.
pub async fn deliver_now(app: &App, background: &BackgroundTasks, message: OutboxMessage) -> bool {
    let run = Run { app, background, mailer: OnceLock::new() };
    let Some(result) = run.deliver(message, Clock::wall()).await else { return false };
    let finished = app.postgres.finish_outbox(slice::from_ref(&result), app.clock.now()).await;
    if let Err(error) = finished {
        tracing::warn!(
            problem = error_chain(&error),
            "the result of a delivery was not stored: the minute job delivers it again"
        );
    }
    result.done
}

impl Run<'_> {
    /// Delivers one batch. Returns the number of messages leased for it.
    async fn batch(&self, limit: usize, all: &mut DeliveryReport) -> Result<usize, PostgresError> {
        let postgres = &self.app.postgres;
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let claimed_at = Clock::wall();
        let leased = postgres.claim_outbox(self.app.clock.now(), limit, LEASE_SECONDS).await?;
        let count = leased.len();
        let deliveries = leased.into_iter().map(|message| self.deliver(message, claimed_at));
        let results = join_all(deliveries.collect::<Vec<_>>()).await;
        let results: Vec<DeliveryResult> = results.into_iter().flatten().collect();
        if results.is_empty() {
            return Ok(count);
        }
        let failures = postgres.finish_outbox(&results, self.app.clock.now()).await?;
        if let Some(in_all) = failures.failed_in_all {
            self.alert_of_failures(in_all).await?;
        }
        all.delivered += results.iter().filter(|result| result.done).count() as u64;
        all.retried += results.iter().filter(|result| result.retry_at.is_some()).count() as u64;
        all.given_up += failures.failed;
        Ok(count)
    }

    /// Alerts operators of permanently failed messages, if the number has reached a new level.
    async fn alert_of_failures(&self, open: i64) -> Result<(), PostgresError> {
        let now = self.app.clock.now();
        if self.app.postgres.raise_alert("outbox", open, now).await? {
            let message =
                format!("{open} outbox messages failed permanently; see outbox.failed_at.");
            alert::raise(self.app, self.background, "outbox", message);
        }
        Ok(())
    }

    /// Delivers a message. Returns none if the lease could end before the delivery, since the
    /// process may have been frozen. The lease began after `claimed_at`.
    async fn deliver(
        &self,
        message: OutboxMessage,
        claimed_at: Timestamp,
    ) -> Option<DeliveryResult> {
        if !lease_lasts(claimed_at, DELIVERY_TIME) {
            return None;
        }
        let outcome = timeout(DELIVERY_TIME, self.attempt(&message)).await;
        let outcome = outcome.unwrap_or_else(|_| Outcome::failed("no answer in time"));
        if message.kind == Kind::Erasure && !matches!(outcome, Outcome::Delivered) {
            erasure::report_if_overdue(self.app, self.background, &message).await;
        }
        Some(self.result(message, outcome))
    }

    async fn attempt(&self, message: &OutboxMessage) -> Outcome {
        match message.kind {
            Kind::Email => self.send_email(message).await,
            Kind::Identity => self.sync_identity(message).await,
            Kind::Cache => cache_repair::repair(self.app, message.entitlement.as_ref()).await,
            Kind::Refetch => refetch::refetch(self.app, &message.payload).await,
            Kind::Alert => self.raise(&message.payload),
            Kind::Erasure => erasure::erase(self.app, message).await,
        }
    }

    async fn send_email(&self, message: &OutboxMessage) -> Outcome {
        let Some(config) = &self.app.config.email else {
            return Outcome::NoRecipient("not configured");
        };
        let mailer = self.mailer.get_or_init(|| {
            self.app.config.email.as_ref().map(|it| Mailer::new(it, BATCH, DELIVERY_TIME))
        });
        let Some(mailer) = mailer else { return Outcome::NoRecipient("not configured") };
        let Some(address) = &message.email else {
            // The event with the address may still arrive: Stripe does not guarantee an order.
            return match message.attempts {
                ..ATTEMPTS_FOR_AN_ADDRESS => Outcome::failed("no address yet"),
                _ => Outcome::NoRecipient("no address"),
            };
        };
        let now = self.app.clock.now();
        let user = message.user_id.as_deref();
        let Some(email) = email::render(&message.payload, config, user, now) else {
            return Outcome::failed("unknown template");
        };
        match mailer.send(&message.id, address, email).await {
            Ok(()) => Outcome::Delivered,
            Err(SmtpError::NotAnAddress) => Outcome::NoRecipient("not an address"),
            Err(SmtpError::Rejected(problem)) => Outcome::Rejected(problem),
            Err(SmtpError::Failed(problem)) => Outcome::failed(problem),
        }
    }

    /// Writes the plan into the user's public metadata at Clerk.
    ///
    /// It writes the plan at the time of the lease, not at the time of the message. Each user has
    /// one such message, and it is leased, so that an older plan cannot overwrite a newer one.
    async fn sync_identity(&self, message: &OutboxMessage) -> Outcome {
        let Some(config) = &self.app.config.clerk else {
            return Outcome::NoRecipient("not configured");
        };
        let (Some(user_id), Some(entitlement)) = (&message.user_id, &message.entitlement) else {
            return Outcome::NoRecipient("no entitlement");
        };
        let terms = &entitlement.terms.value;
        let metadata =
            json!({ "plan": terms.plan, "planName": terms.plan_name, "status": terms.status });
        let key = format!("{}-{}", message.id, message.generation);
        let http = &self.app.http;
        match clerk::set_public_metadata(http, config, user_id, &key, &metadata, DELIVERY_TIME)
            .await
        {
            Ok(()) => Outcome::Delivered,
            Err(ClerkError::UnknownUser) => Outcome::NoRecipient("unknown user"),
            Err(ClerkError::Failed { problem, retry_after }) => {
                Outcome::Failed { problem, retry_after }
            }
        }
    }

    /// Alerts operators of a problem that a transaction found.
    fn raise(&self, payload: &Value) -> Outcome {
        let name = match text(payload, "name") {
            Some("paid_twice") => "paid_twice",
            Some("webhooks") => "webhooks",
            _ => "other",
        };
        let message = text(payload, "message").unwrap_or("the alert has no message");
        alert::raise(self.app, self.background, name, message.to_owned());
        Outcome::Delivered
    }

    fn result(&self, message: OutboxMessage, outcome: Outcome) -> DeliveryResult {
        let (done, problem, retry_after, max_attempts) = match outcome {
            Outcome::Delivered => (true, None, None, 0),
            Outcome::NoRecipient(why) => (true, Some(why.to_owned()), None, 0),
            Outcome::Rejected(problem) => (false, Some(problem), None, REJECTED_ATTEMPTS),
            Outcome::Failed { problem, retry_after } => {
                (false, Some(problem), retry_after, message.kind.max_attempts())
            }
        };
        let OutboxMessage { id, kind, generation, attempts, leased_until, .. } = message;
        if !done {
            tracing::warn!(
                outbox_message = id,
                ?kind,
                attempts,
                problem,
                "an outbox message failed"
            );
        }
        let retry_at = (!done && attempts < max_attempts)
            .then(|| self.app.clock.now() + pause(attempts, retry_after, random()));
        DeliveryResult { id, generation, leased_until, done, problem, retry_at }
    }
}

impl Kind {
    /// Messages that carry the current state, and erasures, are retried forever. Others are given up.
    fn max_attempts(self) -> i32 {
        match self {
            Self::Email | Self::Refetch | Self::Alert => ATTEMPTS,
            Self::Identity | Self::Cache | Self::Erasure => i32::MAX,
        }
    }
}

/// Returns whether a lease that began after `claimed_at` lasts for `time` from now.
pub(super) fn lease_lasts(claimed_at: Timestamp, time: Duration) -> bool {
    let left =
        SignedDuration::from_secs(LEASE_SECONDS.into()) - Clock::wall().duration_since(claimed_at);
    left >= SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX)
}

/// Returns the pause after a number of attempts: at least `requested`, with a random deviation of a
/// quarter, so that messages that failed together are not retried together. `random` is uniform.
pub(super) fn pause(attempts: i32, requested: Option<Duration>, random: u8) -> Duration {
    let doubled = 1_u64.checked_shl(attempts.unsigned_abs()).unwrap_or(u64::MAX);
    let usual = PAUSE_SECONDS.saturating_mul(doubled).min(LONGEST_PAUSE_SECONDS);
    let usual_ms = usual * 1_000 * 3 / 4 + usual * 500 * u64::from(random) / 255;
    let requested = requested.unwrap_or_default().min(Duration::from_secs(LONGEST_PAUSE_SECONDS));
    Duration::from_millis(usual_ms).max(requested)
}

pub(super) fn random() -> u8 {
    let mut random = [128];
    // If this fails, every message waits equally long, which is harmless.
    let _ = SystemRandom::new().fill(&mut random);
    random[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour_and_spread_by_a_quarter() {
        let seconds = |attempts, random| pause(attempts, None, random).as_secs();
        assert_eq!((seconds(1, 0), seconds(1, 255)), (15, 25));
        assert_eq!((seconds(3, 0), seconds(3, 255)), (60, 100));
        assert_eq!((seconds(11, 0), seconds(200, 255)), (2_700, 4_500));
    }

    #[test]
    fn a_retry_waits_at_least_as_long_as_requested() {
        let requested = |seconds| pause(1, Some(Duration::from_secs(seconds)), 0).as_secs();
        assert_eq!((requested(5), requested(90), requested(86_400)), (15, 90, 3_600));
    }
}
