//! Telling others: e-mails to users, plans to the identity provider, repairs to the cache, and
//! questions to Stripe.
//!
//! What is to be told was written down with the change it tells of. Here it is lent out for a while,
//! told, and crossed off; what nobody heard is tried again, later each time, and given up in the end.
//! A worker may end at any moment: its rows are another's once their lease is over. So all is told at
//! least once, and each channel makes of it what it can: an e-mail keeps its Message-ID, the identity
//! provider gets an idempotency key, and the rest may be repeated.

mod cache;
mod email;
mod identity;
mod refetch;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use ring::rand::{SecureRandom, SystemRandom};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;

use crate::adapters::postgres::{Errand, Finished, Kind, StoreError};
use crate::app::App;
use crate::background::AfterAnswer;
use crate::billing::alert;
use crate::clock::Clock;
use crate::domain::error::chain;
use crate::domain::object::text;
use email::Mailer;

/// So many are lent out together, and told at once.
const BATCH: usize = 10;
/// Far longer than a batch takes, so that only a worker that is gone, or was frozen, loses it.
const LEASE_SECONDS: i32 = 30;
/// For one of them, with connecting.
const DELIVERY_TIME: Duration = Duration::from_secs(6);

/// Doubled with each attempt.
const PAUSE_SECONDS: u64 = 10;
const LONGEST_PAUSE_SECONDS: u64 = 3_600;
/// With these pauses: after three days, for as long as Stripe would try.
pub const ATTEMPTS: i32 = 80;
/// Where the other side said that it never will: in case it is mistaken.
const REFUSED_ATTEMPTS: i32 = 4;

/// What became of what was due.
#[derive(Clone, Copy, Debug, Default, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deliveries {
    /// Told, or there was nobody to tell.
    pub delivered: u64,
    /// Will be tried again.
    pub retried: u64,
    /// Will not: somebody has to look.
    pub given_up: u64,
}

/// What came of telling one thing.
enum Outcome {
    Heard,
    /// There is nobody to tell, for that reason.
    Nobody(&'static str),
    /// Not now. The problem names no person.
    Failed {
        problem: String,
        retry_after: Option<Duration>,
    },
    /// Neither now nor, as far as the other side knows, later.
    Refused(String),
}

impl Outcome {
    fn failed(problem: impl Into<String>) -> Self {
        Self::Failed { problem: problem.into(), retry_after: None }
    }
}

/// The channels of one run.
struct Run<'a> {
    app: &'a App,
    after: &'a AfterAnswer,
    /// Made with the first e-mail: most runs have none.
    mailer: OnceLock<Option<Mailer<'a>>>,
}

/// Whether there is anybody to tell but ourselves.
pub fn has_channels(app: &App) -> bool {
    app.config.email.is_some() || app.config.clerk.is_some()
}

/// Tells what is due, at most about `limit`, until nothing is due or `time` is up: nothing is begun
/// later. Without Postgres nothing is due.
pub async fn drain(app: &App, after: &AfterAnswer, limit: usize, time: Duration) -> Deliveries {
    let run = Run { app, after, mailer: OnceLock::new() };
    let started = Instant::now();
    let mut all = Deliveries::default();
    let mut left = limit;
    while left > 0 && started.elapsed() < time {
        match run.batch(BATCH.min(left), &mut all).await {
            Ok(0) => break,
            Ok(count) => left -= count.min(left),
            Err(error) => {
                tracing::warn!(problem = chain(&error), "others are told later");
                break;
            }
        }
    }
    all
}

impl Run<'_> {
    /// Tells one batch; answers how many were lent out for it.
    async fn batch(&self, limit: usize, all: &mut Deliveries) -> Result<usize, StoreError> {
        let store = &self.app.store;
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let asked_at = Clock::wall();
        let lent = store.claim_outbox(self.app.clock.now(), limit, LEASE_SECONDS).await?;
        let count = lent.len();
        let told = lent.into_iter().map(|errand| self.deliver(errand, asked_at));
        let told = told.collect::<Vec<_>>();
        let finished: Vec<Finished> = join_all(told).await.into_iter().flatten().collect();
        if finished.is_empty() {
            return Ok(count);
        }
        let given_up = store.finish_outbox(&finished, self.app.clock.now()).await?;
        if let Some(open) = given_up.open {
            self.alert(open).await?;
        }
        let delivered = finished.iter().filter(|finished| finished.done).count() as u64;
        all.delivered += delivered;
        all.retried +=
            finished.iter().filter(|finished| finished.retry_at.is_some()).count() as u64;
        all.given_up += given_up.now;
        Ok(count)
    }

    /// Tells operators of what was given up, if it is more than they know of.
    async fn alert(&self, open: i64) -> Result<(), StoreError> {
        let now = self.app.clock.now();
        if self.app.store.raise_alert("outbox", open, now).await? {
            let message = format!(
                "What others should have been told and nobody heard: {open}. The table outbox says \
                 why, where failed_at is set."
            );
            alert::raise(self.app, self.after, "outbox", message);
        }
        Ok(())
    }

    /// Nothing, if the lease could end before it is told: a process may have been frozen in between.
    /// The lease began after `asked_at`.
    async fn deliver(&self, errand: Errand, asked_at: Timestamp) -> Option<Finished> {
        let left = SignedDuration::from_secs(LEASE_SECONDS.into())
            - Clock::wall().duration_since(asked_at);
        if left < SignedDuration::try_from(DELIVERY_TIME).unwrap_or(SignedDuration::MAX) {
            return None;
        }
        let outcome = timeout(DELIVERY_TIME, self.tell(&errand)).await;
        Some(
            self.finished(errand, outcome.unwrap_or_else(|_| Outcome::failed("no answer in time"))),
        )
    }

    async fn tell(&self, errand: &Errand) -> Outcome {
        match errand.kind {
            Kind::Email => {
                let config = self.app.config.email.as_ref();
                match self.mailer.get_or_init(|| config.map(Mailer::new)) {
                    Some(mailer) => mailer.send(errand).await,
                    None => Outcome::Nobody("not configured"),
                }
            }
            Kind::Identity => match &self.app.config.clerk {
                Some(clerk) => identity::tell(self.app, clerk, errand).await,
                None => Outcome::Nobody("not configured"),
            },
            Kind::Cache => cache::repair(self.app, errand.entitlement.as_ref()).await,
            Kind::Refetch => refetch::ask(self.app, &errand.payload).await,
            Kind::Alert => self.raise(&errand.payload),
        }
    }

    /// Tells operators of what was found with the change of a user.
    fn raise(&self, payload: &Value) -> Outcome {
        let name = match text(payload, "name") {
            Some("paid_twice") => "paid_twice",
            Some("webhooks") => "webhooks",
            _ => "other",
        };
        let message = text(payload, "message").unwrap_or("an alert without a message");
        alert::raise(self.app, self.after, name, message.to_owned());
        Outcome::Heard
    }

    fn finished(&self, errand: Errand, outcome: Outcome) -> Finished {
        let (done, problem, retry_after, most) = match outcome {
            Outcome::Heard => (true, None, None, 0),
            Outcome::Nobody(why) => (true, Some(why.to_owned()), None, 0),
            Outcome::Refused(problem) => (false, Some(problem), None, REFUSED_ATTEMPTS),
            Outcome::Failed { problem, retry_after } => {
                (false, Some(problem), retry_after, errand.kind.most_attempts())
            }
        };
        let Errand { id, kind, generation, attempts, leased_until, .. } = errand;
        if !done {
            tracing::warn!(errand = id, ?kind, attempts, problem, "nobody heard it");
        }
        let retry_at = (!done && attempts < most)
            .then(|| self.app.clock.now() + pause(attempts, retry_after, random()));
        Finished { id, generation, leased_until, done, problem, retry_at }
    }
}

impl Kind {
    /// What is current is worth telling for ever; news is not.
    fn most_attempts(self) -> i32 {
        match self {
            Self::Email | Self::Refetch | Self::Alert => ATTEMPTS,
            Self::Identity | Self::Cache => i32::MAX,
        }
    }
}

/// How long to wait after so many attempts: no shorter than asked for, and a quarter more or less, so
/// that what failed together is not tried together. `random` is one of 256 equally likely numbers.
fn pause(attempts: i32, asked: Option<Duration>, random: u8) -> Duration {
    let doubled = 1_u64.checked_shl(attempts.unsigned_abs()).unwrap_or(u64::MAX);
    let usual = PAUSE_SECONDS.saturating_mul(doubled).min(LONGEST_PAUSE_SECONDS);
    let usual_ms = usual * 1_000 * 3 / 4 + usual * 500 * u64::from(random) / 255;
    let asked = asked.unwrap_or_default().min(Duration::from_secs(LONGEST_PAUSE_SECONDS));
    Duration::from_millis(usual_ms).max(asked)
}

fn random() -> u8 {
    let mut random = [128];
    // Without it, all wait for as long, and that is no harm.
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
    fn nobody_is_asked_again_sooner_than_they_said() {
        let asked = |seconds| pause(1, Some(Duration::from_secs(seconds)), 0).as_secs();
        assert_eq!((asked(5), asked(90), asked(86_400)), (15, 90, 3_600));
    }
}
