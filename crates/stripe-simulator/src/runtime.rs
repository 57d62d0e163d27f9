//! The simulator as it runs: one world under one lock, a clock, and what both lead to.
//!
//! Whoever enters the world finds it up to date: what time has done is done first, and the events of
//! a visit are queued when it ends. A worker sends them, and enters by itself when something is due.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, anyhow, ensure};
use axum::Router;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use super::clock::Clock;
use super::deliveries::{Attempt, Deliveries};
use super::error::StripeError;
use super::idempotency::Keys;
pub use super::sender::Target;
use super::signature::hex;
use super::snapshot::SnapshotFile;
use super::switches::Switches;
use super::world::{World, text};
use super::{api, billing, control, expand, notes, pages, worker};

/// For how long Stripe lists events.
const EVENTS_KEPT_SECONDS: i64 = 30 * 24 * 3_600;
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

/// What has to follow the clock, and must not be behind it.
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

/// What the worker has in common with everybody else.
pub(super) struct Inner {
    pub(super) options: Options,
    state: Mutex<State>,
    pub(super) snapshot: Option<SnapshotFile>,
    /// The worker has something to look at.
    pub(super) wake: Notify,
    /// What the pages' forms carry, so that no other site can send them.
    page_token: String,
    /// There is something for the snapshot.
    pub(super) dirty: Notify,
    /// A delivery has ended.
    pub(super) progress: watch::Sender<()>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Everything that is kept from one run to the next.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct State {
    pub(super) world: World,
    pub(super) keys: Keys,
    pub(super) deliveries: Deliveries,
    pub(super) switches: Switches,
    /// How far the simulator's clock is ahead of the world's.
    shift_ms: i64,
    #[serde(skip)]
    pub(super) changed: bool,
    /// When billing has something to do, as of a revision of the world.
    #[serde(skip)]
    next_bill: Option<(u64, Option<i64>)>,
}

impl State {
    /// When billing has something to do. It looks at everything, so only after a change.
    fn next_bill(&mut self) -> Option<i64> {
        let revision = self.world.revision();
        match self.next_bill {
            Some((known, due)) if known == revision => due,
            _ => {
                let due = billing::next_due(&self.world);
                self.next_bill = Some((revision, due));
                due
            }
        }
    }
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
            let behind = kept_shift.saturating_sub(options.clock.shift());
            if behind.is_positive() {
                options.clock.advance(behind);
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

    /// The API below `/v1`, the pages below `/simulator`, and their control.
    pub fn router(&self) -> Router {
        Router::new()
            .merge(api::router(self.clone()))
            .merge(control::router(self.clone()))
            .merge(pages::router(self.clone()))
    }

    pub fn base(&self) -> &str {
        &self.0.inner.options.base
    }

    pub(super) fn secret_key(&self) -> &str {
        &self.0.inner.options.secret_key
    }

    pub(super) fn page_token(&self) -> &str {
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
    pub fn read<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        self.enter(&Value::Null, |state| look(&state.world))
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
    pub(super) fn enter<T>(&self, request: &Value, visit: impl FnOnce(&mut State) -> T) -> T {
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

    /// What became of an event so far.
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

impl Inner {
    /// What is due happens, then the visit; the events of both are queued.
    pub(super) fn enter<T>(&self, request: &Value, visit: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.options.clock.now().as_second();
        state.world.set_now(now);
        if state.next_bill().is_some_and(|due| due <= now) {
            billing::run_due(&mut state.world);
        }
        self.queue_events(&mut state, &Value::Null);
        let result = visit(&mut state);
        self.queue_events(&mut state, request);
        if state.changed {
            self.dirty.notify_one();
        }
        result
    }

    /// Queues what has just happened, each event with its object as the API would show it.
    fn queue_events(&self, state: &mut State, request: &Value) {
        let events = state.world.take_untold();
        if events.is_empty() {
            return;
        }
        state.changed = true;
        for id in &events {
            let Some(event) = state.world.get(id) else { continue };
            let mut data = event["data"].clone();
            data["object"] = expand::plain(&state.world, &data["object"]);
            let kind = text(&data["object"], "object").to_owned();
            if let Some(previous) = data["previous_attributes"].as_object_mut() {
                previous.retain(|field, _| !expand::is_hidden(&kind, field));
            }
            state.world.edit(id, |event| {
                event["data"] = data;
                if !request.is_null() {
                    event["request"] = request.clone();
                }
            });
        }
        let own_target = self.options.webhook.is_some();
        state.deliveries.queue(&mut state.world, &events, own_target, &state.switches);
        forget_old_events(state);
    }

    /// When something is to happen next, or to be sent.
    pub(super) fn next_due(&self) -> Option<i64> {
        self.enter(&Value::Null, |state| {
            let due = [state.next_bill(), state.deliveries.next_due()];
            due.into_iter().flatten().min()
        })
    }

    pub(super) fn save(&self) -> anyhow::Result<()> {
        let Some(file) = &self.snapshot else { return Ok(()) };
        let text = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.shift_ms = self.options.clock.shift().as_millis().try_into().unwrap_or(0);
            if !std::mem::take(&mut state.changed) {
                return Ok(());
            }
            serde_json::to_vec(&*state)?
        };
        file.save(&text).inspect_err(|_| {
            self.state.lock().unwrap_or_else(PoisonError::into_inner).changed = true;
        })
    }
}

fn random_token() -> anyhow::Result<String> {
    let mut random = [0; 16];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| anyhow!("the system has no random numbers"))?;
    Ok(hex(&random))
}

/// As Stripe does after thirty days, but for what is still to be sent.
fn forget_old_events(state: &mut State) {
    let before = state.world.now() - EVENTS_KEPT_SECONDS;
    let old = |event: &&Value| event["created"].as_i64().is_some_and(|at| at < before);
    let old = state.world.oldest("event").take_while(old).map(|event| text(event, "id").to_owned());
    for id in old.collect::<Vec<_>>() {
        if !state.deliveries.is_pending(&id) {
            state.world.remove(&id);
            state.deliveries.forget(&id);
        }
    }
}
