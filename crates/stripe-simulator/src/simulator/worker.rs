//! The worker: runs due tasks, sends events and writes the snapshot.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::simulator::state::Inner;
use crate::webhooks::deliveries::{Delivery, DeliveryOutcome};
use crate::webhooks::sender::{Sender, Target};
use crate::world::{World, text};

/// The worker checks the clock at least this often, because others can move it.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The delay before a snapshot is written, so that one write covers many changes.
const SNAPSHOT_DELAY: Duration = Duration::from_millis(50);

/// Runs until it is aborted.
pub async fn run(inner: Arc<Inner>) {
    tokio::join!(send_when_due(&inner), save_when_changed(&inner));
}

async fn send_when_due(inner: &Arc<Inner>) {
    let sender = Arc::new(Sender::default());
    loop {
        let begun = inner.enter(&Value::Null, |state| {
            state.deliveries.begin(state.world.now(), state.switches.at_once())
        });
        for delivery in begun {
            tokio::spawn(deliver(Arc::clone(inner), Arc::clone(&sender), delivery));
        }
        // Either result leads to another round.
        let _ = timeout(until_next(inner), inner.wake.notified()).await;
    }
}

/// The time until the next task or delivery, at most `LONGEST_WAIT`.
fn until_next(inner: &Inner) -> Duration {
    let Some(due) = inner.next_due() else { return LONGEST_WAIT };
    let left_ms = due.saturating_mul(1_000) - inner.options.clock.now().as_millisecond();
    // An overdue delivery waits for another one to end, which wakes the worker.
    let left = u64::try_from(left_ms).ok().filter(|left| *left > 0).map(Duration::from_millis);
    left.map_or(LONGEST_WAIT, |left| left.min(LONGEST_WAIT))
}

async fn save_when_changed(inner: &Inner) {
    loop {
        inner.dirty.notified().await;
        tokio::time::sleep(SNAPSHOT_DELAY).await;
        if let Err(error) = inner.save() {
            let error = format!("{error:#}");
            tracing::warn!(error, "the simulator's snapshot was not written");
        }
    }
}

/// Sends an event once, signed as of now, and records the result.
async fn deliver(inner: Arc<Inner>, sender: Arc<Sender>, delivery: Delivery) {
    let prepared = inner.enter(&Value::Null, |state| {
        let event = state.world.get(&delivery.event)?;
        let target = target(&inner, &state.world, &delivery)?;
        Some((target, serde_json::to_string_pretty(event).ok()?, state.world.now()))
    });
    let sent = match prepared {
        Some((target, payload, now)) => {
            Some((sender.send(&target, payload, now).await, target.url))
        }
        None => None,
    };
    inner.enter(&Value::Null, |state| {
        state.changed = true;
        match sent {
            Some((result, url)) => {
                let outcome = DeliveryOutcome { at: state.world.now(), url, result };
                state.deliveries.end(&mut state.world, &delivery, outcome);
            }
            None => state.deliveries.abandon(&delivery),
        }
    });
    inner.progress.send_replace(());
    inner.wake.notify_one();
}

/// The target of a delivery; `None` if its endpoint was deleted or disabled.
fn target(inner: &Inner, world: &World, delivery: &Delivery) -> Option<Target> {
    let Some(id) = &delivery.endpoint else { return inner.options.webhook.clone() };
    let endpoint = world.get(id).filter(|endpoint| endpoint["status"] == "enabled")?;
    let field = |name| text(endpoint, name).to_owned();
    Some(Target { url: field("url"), secret: field("secret") })
}
