//! The simulator as it runs: one world under one lock, a clock, and what both lead to.
//!
//! Every visit finds the world up to date: the effects of time are applied first, and the events of
//! a visit are queued when it ends. A worker sends them, and enters by itself when something is due.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, anyhow, ensure};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use crate::clock::Clock;
use crate::error::StripeError;
use crate::simulator::snapshot::SnapshotFile;
use crate::simulator::state::{Inner, State};
use crate::switches::Switches;
use crate::webhooks::deliveries::Attempt;
use crate::webhooks::sender::Target;
use crate::webhooks::signature::hex;
use crate::world::{World, notes};

pub mod snapshot;
pub mod state;
pub mod worker;

/// Time goes on by at most so much at once, in seconds: ten years.
const MAX_ADVANCE_SECONDS: i64 = 10 * 366 * 24 * 3_600;

/// If so many things in a row are due at the same moment, something goes round in circles.
const MAX_STEPS_AT_ONCE: usize = 10_000;

pub struct Options {
    /// The public URL of this server, for links to pages; no slash at its end.
    pub base: String,
    pub secret_key: String,
    /// Where events are sent, beside the endpoints that the API is told of.
    pub webhook: Option<Target>,
    pub clock: Clock,
    /// The file in which the world outlives this process.
    pub snapshot: Option<PathBuf>,
    /// Is told how far the clock will be ahead of the machine's, before it moves there.
    pub before_moving: Option<BeforeMoving>,
}

/// A callback for clocks that must not be behind the simulator's.
pub type BeforeMoving = Arc<
    dyn Fn(SignedDuration) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>
        + Send
        + Sync,
>;

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("base", &self.base).finish_non_exhaustive()
    }
}

/// Cheap to clone. Its worker ends with the last clone.
#[derive(Clone, Debug)]
pub struct Simulator(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    inner: Arc<Inner>,
    advancing: tokio::sync::Mutex<()>,
    worker: AbortHandle,
}

impl Simulator {
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let snapshot = options.snapshot.clone().map(SnapshotFile::new);
        let kept: Option<State> = match &snapshot {
            Some(file) => file.load()?,
            None => None,
        };
        // A clock of the last run goes on where it was, and never goes back.
        if let Some(kept) = &kept {
            let kept_shift = SignedDuration::from_millis(kept.shift_ms);
            let lag = kept_shift.saturating_sub(options.clock.shift());
            if lag.is_positive() {
                options.clock.advance(lag);
            }
        }
        let mut state = kept.unwrap_or_default();
        state.world.set_base(&options.base);
        let inner = Arc::new(Inner {
            options,
            state: Mutex::new(state),
            snapshot,
            page_token: random_token()?,
            wake: Notify::new(),
            dirty: Notify::new(),
            progress: watch::Sender::default(),
        });
        let worker = tokio::spawn(worker::run(Arc::clone(&inner))).abort_handle();
        Ok(Self(Arc::new(Handle { inner, advancing: tokio::sync::Mutex::default(), worker })))
    }

    pub fn base(&self) -> &str {
        &self.0.inner.options.base
    }

    pub fn secret_key(&self) -> &str {
        &self.0.inner.options.secret_key
    }

    pub fn page_token(&self) -> &str {
        &self.0.inner.page_token
    }

    /// How many deliveries are still to be made, now or later.
    pub fn pending_deliveries(&self) -> usize {
        self.enter(&Value::Null, |state| state.deliveries.pending())
    }

    pub fn clock(&self) -> &Clock {
        &self.0.inner.options.clock
    }

    /// Looks at the world as it is now.
    pub fn read<T>(&self, read: impl FnOnce(&World) -> T) -> T {
        self.enter(&Value::Null, |state| read(&state.world))
    }

    /// Changes the world; events are queued even if the change is refused, as a card that was
    /// declined is a refusal and an event.
    pub fn change<T>(
        &self,
        change: impl FnOnce(&mut World) -> Result<T, StripeError>,
    ) -> Result<T, StripeError> {
        self.enter(&Value::Null, |state| {
            state.changed = true;
            change(&mut state.world)
        })
    }

    /// Enters on behalf of a request to the API, which its events then name.
    pub fn enter<T>(&self, request: &Value, visit: impl FnOnce(&mut State) -> T) -> T {
        let result = self.0.inner.enter(request, visit);
        self.0.inner.wake.notify_one();
        result
    }

    pub fn switches(&self) -> Switches {
        self.enter(&Value::Null, |state| state.switches.clone())
    }

    pub fn set_switches(&self, switches: Switches) {
        self.enter(&Value::Null, |state| {
            let after = if switches.unpaid { "unpaid" } else { "canceled" };
            notes::write(&mut state.world, "billing", "after_retries", json!(after));
            state.switches = switches;
            state.changed = true;
        });
    }

    /// The delivery attempts of an event so far.
    pub fn attempts(&self, event: &str) -> Vec<Attempt> {
        self.enter(&Value::Null, |state| state.deliveries.attempts(event).to_vec())
    }

    /// Sends an event once more, at once.
    pub fn resend(&self, event: &str) -> Result<(), StripeError> {
        let own_target = self.0.inner.options.webhook.is_some();
        self.enter(&Value::Null, |state| {
            state.world.find("event", event, "id")?;
            state.deliveries.queue_again(&state.world, event, own_target);
            state.changed = true;
            Ok(())
        })
    }

    /// Lets time pass, and everything that it brings happen and be delivered, one moment after the
    /// other. Answers what time it is then.
    pub async fn advance(&self, by: Span) -> anyhow::Result<i64> {
        let _alone = self.0.advancing.lock().await;
        let now = self.clock().now();
        let until = now.to_zoned(TimeZone::UTC).checked_add(by).context("time ends before that")?;
        let until = until.timestamp().as_second();
        let seconds = until - now.as_second();
        ensure!(seconds >= 0, "time does not go back");
        ensure!(seconds <= MAX_ADVANCE_SECONDS, "that is too long: ten years at most");
        let (mut last, mut repeated) = (i64::MIN, 0);
        loop {
            self.delivered().await;
            let due = self.0.inner.next_due().filter(|due| *due <= until);
            let Some(due) = due else { break };
            repeated = if due == last { repeated + 1 } else { 0 };
            ensure!(repeated < MAX_STEPS_AT_ONCE, "the simulator does not get past {due}");
            last = due;
            self.move_to(due).await?;
        }
        self.move_to(until).await?;
        self.delivered().await;
        Ok(until)
    }

    async fn move_to(&self, second: i64) -> anyhow::Result<()> {
        let ahead = SignedDuration::from_secs(second)
            .saturating_sub(SignedDuration::from_millis(self.clock().now().as_millisecond()))
            .max(SignedDuration::ZERO);
        if let Some(before_moving) = &self.0.inner.options.before_moving {
            before_moving(self.clock().shift() + ahead).await?;
        }
        self.clock().advance(ahead);
        self.enter(&Value::Null, |state| state.changed = true);
        Ok(())
    }

    /// Resolves when no delivery is due any more.
    pub async fn delivered(&self) {
        let mut progress = self.0.inner.progress.subscribe();
        loop {
            let busy =
                self.enter(&Value::Null, |state| state.deliveries.is_busy(state.world.now()));
            if !busy || progress.changed().await.is_err() {
                return;
            }
        }
    }

    /// Writes the snapshot, if there is one to write.
    pub async fn flush(&self) -> anyhow::Result<()> {
        self.0.inner.save()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

fn random_token() -> anyhow::Result<String> {
    let mut random = [0; 16];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| anyhow!("the system has no random numbers"))?;
    Ok(hex(&random))
}
