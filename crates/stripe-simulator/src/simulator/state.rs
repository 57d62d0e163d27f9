//! The state of the simulator under its lock, and access to it.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{Notify, watch};

use crate::api::idempotency::IdempotencyKeys;
use crate::lifecycle::billing;
use crate::simulator::Options;
use crate::simulator::snapshot::SnapshotFile;
use crate::simulator::tally::Tally;
use crate::switches::Switches;
use crate::webhooks::deliveries::Deliveries;
use crate::webhooks::events;
use crate::world::World;

/// The part of the simulator that the worker and the callers share.
pub struct Inner {
    pub options: Options,
    pub state: Mutex<State>,
    pub snapshot: Option<SnapshotFile>,
    /// Wakes the worker.
    pub wake: Notify,
    /// A token in the pages' forms, so that no other site can send them.
    pub page_token: String,
    /// Notified when the snapshot is outdated.
    pub dirty: Notify,
    /// Notified when a delivery has ended.
    pub progress: watch::Sender<()>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Everything that the snapshot stores.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct State {
    pub world: World,
    pub keys: IdempotencyKeys,
    pub deliveries: Deliveries,
    pub switches: Switches,
    /// How far the simulator's clock is ahead of the machine's.
    pub shift_ms: i64,
    #[serde(skip)]
    pub changed: bool,
    /// Counts of the events since the clock last began to advance.
    #[serde(skip)]
    pub tally: Tally,
    /// The time of the next billing task, with the revision of the world it was computed for.
    #[serde(skip)]
    next_bill: Option<(u64, Option<i64>)>,
}

impl State {
    /// Returns the time of the next billing task. It is recomputed only after a change, because
    /// that reads all objects.
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

impl Inner {
    /// Applies everything due, then calls `visit`, and queues the events of both.
    pub fn enter<T>(&self, request: &Value, visit: impl FnOnce(&mut State) -> T) -> T {
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

    /// Queues the new events, each with its object as the API returns it.
    fn queue_events(&self, state: &mut State, request: &Value) {
        let events = state.world.take_pending_events();
        if events.is_empty() {
            return;
        }
        state.changed = true;
        events::complete(&mut state.world, &events, request);
        for event in events.iter().filter_map(|id| state.world.get(id)) {
            state.tally.add(event);
        }
        let own_target = self.options.webhook.is_some();
        state.deliveries.queue(&mut state.world, &events, own_target, &state.switches);
        events::remove_old(&mut state.world, &mut state.deliveries);
    }

    /// Returns the time of the next billing task or delivery.
    pub fn next_due(&self) -> Option<i64> {
        self.enter(&Value::Null, |state| {
            let due = [state.next_bill(), state.deliveries.next_due()];
            due.into_iter().flatten().min()
        })
    }

    pub fn save(&self) -> anyhow::Result<()> {
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
