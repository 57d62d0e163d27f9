//! The running simulator: one world under one lock, a clock, and a worker.
//!
//! Each access to the world first applies everything that is due, and at its end queues the new
//! events. The worker sends the events, and enters the world when the next thing is due.

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
use crate::simulator::tally::Tally;
use crate::switches::Switches;
use crate::webhooks::deliveries::Attempt;
use crate::webhooks::sender::Target;
use crate::webhooks::signature::hex;
use crate::world::{World, notes};

pub mod snapshot;
pub mod state;
pub mod tally;
pub mod worker;

/// The longest time that one call can advance the clock: ten years.
const MAX_ADVANCE_SECONDS: i64 = 10 * 366 * 24 * 3_600;

/// More steps than this at the same moment mean an endless loop.
const MAX_STEPS_AT_ONCE: usize = 10_000;

pub struct Options {
    /// The public URL of this server, for links to pages, without a trailing slash.
    pub base: String,
    pub secret_key: String,
    /// A target for every event, in addition to the endpoints created through the API.
    pub webhook: Option<Target>,
    pub clock: Clock,
    /// The file that keeps the world between runs.
    pub snapshot: Option<PathBuf>,
    /// Called before the clock moves, with its next shift ahead of the machine's clock.
    pub before_moving: Option<BeforeMoving>,
}

/// A callback that moves other clocks first, so that they are never behind the simulator's.
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

/// The result of advancing the clock.
#[derive(Clone, Copy, Debug)]
pub struct Advanced {
    /// The new time, in seconds.
    pub now: i64,
    pub tally: Tally,
}

/// A handle to the simulator, cheap to clone. The worker ends with the last clone.
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
        // The clock never goes back: it continues at least from the snapshot's shift.
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

    /// Returns the number of deliveries that are due now or later.
    pub fn pending_deliveries(&self) -> usize {
        self.enter(&Value::Null, |state| state.deliveries.pending())
    }

    pub fn clock(&self) -> &Clock {
        &self.0.inner.options.clock
    }

    /// Reads the world as of now.
    pub fn read<T>(&self, read: impl FnOnce(&World) -> T) -> T {
        self.enter(&Value::Null, |state| read(&state.world))
    }

    /// Changes the world. Events are queued even if the change is refused: a declined card is both
    /// an error and an event.
    pub fn change<T>(
        &self,
        change: impl FnOnce(&mut World) -> Result<T, StripeError>,
    ) -> Result<T, StripeError> {
        self.enter(&Value::Null, |state| {
            state.changed = true;
            change(&mut state.world)
        })
    }

    /// Enters the world for an API request, which the resulting events name.
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

    /// Sends an event again, now.
    pub fn resend(&self, event: &str) -> Result<(), StripeError> {
        let own_target = self.0.inner.options.webhook.is_some();
        self.enter(&Value::Null, |state| {
            state.world.find("event", event, "id")?;
            state.deliveries.queue_again(&state.world, event, own_target);
            state.changed = true;
            Ok(())
        })
    }

    /// Advances the clock moment by moment, and applies and delivers everything due on the way.
    pub async fn advance(&self, by: Span) -> anyhow::Result<Advanced> {
        let _alone = self.0.advancing.lock().await;
        let now = self.clock().now();
        let until = now
            .to_zoned(TimeZone::UTC)
            .checked_add(by)
            .context("the clock cannot pass the year 9999")?;
        let until = until.timestamp().as_second();
        let seconds = until - now.as_second();
        ensure!(seconds >= 0, "the clock cannot go back");
        ensure!(seconds <= MAX_ADVANCE_SECONDS, "the clock can advance by at most 10 years");
        let (mut last, mut repeated) = (i64::MIN, 0);
        self.delivered().await;
        self.enter(&Value::Null, |state| state.tally = Tally::default());
        loop {
            self.delivered().await;
            let due = self.0.inner.next_due().filter(|due| *due <= until);
            let Some(due) = due else { break };
            repeated = if due == last { repeated + 1 } else { 0 };
            ensure!(repeated < MAX_STEPS_AT_ONCE, "too many steps are due at {due}");
            last = due;
            self.move_to(due).await?;
        }
        self.move_to(until).await?;
        self.delivered().await;
        let tally = self.enter(&Value::Null, |state| state.tally);
        Ok(Advanced { now: until, tally })
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

    /// Resolves when no delivery is due.
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

    /// Writes the snapshot, if a snapshot file is configured.
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
        .map_err(|_| anyhow!("the operating system provides no random bytes"))?;
    Ok(hex(&random))
}
