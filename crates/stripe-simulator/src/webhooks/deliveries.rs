//! The queue of webhook deliveries, and the record of their attempts.
//!
//! This module does no I/O: the worker sends the events and reports the results. Unlike Stripe, the
//! simulator does not disable an endpoint that fails for days.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::switches::Switches;
use crate::world::{World, text};

/// The delays after failed attempts: three days in total, as in live mode.
const RETRY_SECONDS: [i64; 10] =
    [300, 1_800, 7_200, 18_000, 36_000, 43_200, 43_200, 43_200, 43_200, 23_100];

/// The delivery of one event to one target.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Delivery {
    number: u64,
    pub event: String,
    /// The id of a webhook endpoint; `None` means the simulator's configured target.
    pub endpoint: Option<String>,
    due: i64,
    failures: usize,
    #[serde(skip)]
    in_progress: bool,
}

/// A delivery attempt, as the control API returns it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Attempt {
    /// In seconds since 1970, by the simulator's clock.
    pub at: i64,
    pub url: String,
    pub status: Option<u16>,
    /// The reason if the endpoint did not respond.
    pub error: Option<String>,
    /// The time of the next attempt, if there is one.
    pub next: Option<i64>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Deliveries {
    last_number: u64,
    queue: Vec<Delivery>,
    attempts: BTreeMap<String, Vec<Attempt>>,
}

/// The result of one delivery attempt.
#[derive(Debug)]
pub struct DeliveryOutcome {
    pub at: i64,
    pub url: String,
    pub result: Result<u16, String>,
}

impl Deliveries {
    /// Queues events that were created together, and applies the switches to them.
    pub fn queue(
        &mut self,
        world: &mut World,
        events: &[String],
        own_target: bool,
        switches: &Switches,
    ) {
        let first =
            events.first().and_then(|id| world.get(id)).map(|event| event["created"].clone());
        let mut planned = Vec::new();
        for id in events {
            if let (true, Some(first)) = (switches.same_second, &first) {
                world.edit(id, |event| event["created"] = first.clone());
            }
            let endpoints = endpoints_for(world, id, own_target);
            world.edit(id, |event| event["pending_webhooks"] = json!(endpoints.len()));
            planned.extend(endpoints.into_iter().map(|endpoint| (id, endpoint)));
        }
        if switches.drop {
            return;
        }
        if switches.reorder {
            planned.reverse();
        }
        let due = world.now() + i64::from(switches.delay_seconds);
        let times = if switches.duplicate { 2 } else { 1 };
        for (event, endpoint) in planned {
            for _ in 0..times {
                self.add(event, endpoint.clone(), due);
            }
        }
    }

    /// Queues an event again, without applying the switches.
    pub fn queue_again(&mut self, world: &World, event: &str, own_target: bool) {
        for endpoint in endpoints_for(world, event, own_target) {
            self.add(event, endpoint, world.now());
        }
    }

    fn add(&mut self, event: &str, endpoint: Option<String>, due: i64) {
        self.last_number += 1;
        let (number, event) = (self.last_number, event.to_owned());
        self.queue.push(Delivery { number, event, endpoint, due, failures: 0, in_progress: false });
    }

    /// Starts the next due deliveries. Two deliveries of one event never run concurrently.
    pub fn begin(&mut self, now: i64, at_once: usize) -> Vec<Delivery> {
        let mut busy: Vec<String> = self.on_their_way().map(|one| one.event.clone()).collect();
        let mut begun = Vec::new();
        for delivery in &mut self.queue {
            if busy.len() >= at_once {
                break;
            }
            if !delivery.in_progress && delivery.due <= now && !busy.contains(&delivery.event) {
                delivery.in_progress = true;
                busy.push(delivery.event.clone());
                begun.push(delivery.clone());
            }
        }
        begun
    }

    /// Records the result of an attempt, and schedules the next one if it failed.
    pub fn end(&mut self, world: &mut World, delivery: &Delivery, outcome: DeliveryOutcome) {
        let Some(place) = self.queue.iter().position(|other| other.number == delivery.number)
        else {
            return;
        };
        let arrived = matches!(outcome.result, Ok(200..=299));
        let retry = if arrived { None } else { RETRY_SECONDS.get(delivery.failures) };
        let next = retry.map(|seconds| outcome.at + seconds);
        match next {
            Some(due) => {
                let delivery = &mut self.queue[place];
                (delivery.due, delivery.in_progress) = (due, false);
                delivery.failures += 1;
            }
            None => drop(self.queue.remove(place)),
        }
        let before = self.attempts.entry(delivery.event.clone()).or_default();
        let ok = |attempt: &Attempt| matches!(attempt.status, Some(200..=299));
        let first = !before.iter().any(|attempt| attempt.url == outcome.url && ok(attempt));
        if arrived && first {
            world.edit(&delivery.event, |event| {
                let left = event["pending_webhooks"].as_i64().unwrap_or(0) - 1;
                event["pending_webhooks"] = json!(left.max(0));
            });
        }
        let (status, error) = match outcome.result {
            Ok(status) => (Some(status), None),
            Err(error) => (None, Some(error)),
        };
        before.push(Attempt { at: outcome.at, url: outcome.url, status, error, next });
    }

    /// Removes a delivery whose endpoint was deleted or disabled.
    pub fn abandon(&mut self, delivery: &Delivery) {
        self.queue.retain(|other| other.number != delivery.number);
    }

    /// Returns true if a delivery is due or in progress.
    pub fn is_busy(&self, now: i64) -> bool {
        self.queue.iter().any(|delivery| delivery.in_progress || delivery.due <= now)
    }

    /// Returns when the next waiting delivery is due.
    pub fn next_due(&self) -> Option<i64> {
        self.queue.iter().filter(|one| !one.in_progress).map(|one| one.due).min()
    }

    /// The delivery attempts of an event so far.
    pub fn attempts(&self, event: &str) -> &[Attempt] {
        self.attempts.get(event).map(Vec::as_slice).unwrap_or_default()
    }

    /// The number of queued deliveries.
    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    pub fn is_pending(&self, event: &str) -> bool {
        self.queue.iter().any(|delivery| delivery.event == event)
    }

    pub fn forget(&mut self, event: &str) {
        self.attempts.remove(event);
    }

    fn on_their_way(&self) -> impl Iterator<Item = &Delivery> {
        self.queue.iter().filter(|delivery| delivery.in_progress)
    }
}

/// The targets of an event: the configured one, and every endpoint that subscribes to its type.
fn endpoints_for(world: &World, event: &str, own_target: bool) -> Vec<Option<String>> {
    let kind = world.get(event).map(|event| text(event, "type").to_owned()).unwrap_or_default();
    let asks = |endpoint: &&Value| {
        let kinds = endpoint["enabled_events"].as_array().into_iter().flatten();
        endpoint["status"] == "enabled"
            && kinds.filter_map(Value::as_str).any(|asked| asked == "*" || asked == kind)
    };
    let endpoints = world.all("webhook_endpoint").filter(asks);
    let told = endpoints.map(|endpoint| Some(text(endpoint, "id").to_owned()));
    own_target.then_some(None).into_iter().chain(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switches::Switches;
    use crate::world::World;

    const NOW: i64 = 1_800_000_000;

    /// A world with two events, and its deliveries.
    fn two_events(switches: &Switches) -> (World, Deliveries, Vec<String>) {
        let mut world = World::default();
        for created in [NOW - 1, NOW] {
            world.set_now(created);
            world.emit("customer.created", "cus_1");
        }
        let events = world.take_pending_events();
        let mut deliveries = Deliveries::default();
        deliveries.queue(&mut world, &events, true, switches);
        (world, deliveries, events)
    }

    fn answered(at: i64, result: Result<u16, String>) -> DeliveryOutcome {
        DeliveryOutcome { at, url: "http://there".to_owned(), result }
    }

    fn sent(deliveries: &mut Deliveries, world: &mut World, now: i64) -> Vec<String> {
        let mut sent = Vec::new();
        loop {
            let begun = deliveries.begin(now, 1);
            let [delivery] = begun.as_slice() else { return sent };
            deliveries.end(world, delivery, answered(now, Ok(200)));
            sent.push(delivery.event.clone());
        }
    }

    #[test]
    fn the_switches_change_the_deliveries() {
        let off = Switches::default();
        let cases: [(Switches, &[usize]); 5] = [
            (off.clone(), &[0, 1]),
            (Switches { duplicate: true, ..off.clone() }, &[0, 0, 1, 1]),
            (Switches { reorder: true, ..off.clone() }, &[1, 0]),
            (Switches { drop: true, ..off.clone() }, &[]),
            (Switches { delay_seconds: 60, ..off }, &[]),
        ];
        for (switches, expected) in cases {
            let (mut world, mut deliveries, events) = two_events(&switches);
            let expected: Vec<_> = expected.iter().map(|place| events[*place].clone()).collect();
            assert_eq!(sent(&mut deliveries, &mut world, NOW), expected, "{switches:?}");
            let late = if switches.delay_seconds > 0 { 2 } else { 0 };
            assert_eq!(sent(&mut deliveries, &mut world, NOW + 60).len(), late);
            let dropped = i64::from(switches.drop);
            assert_eq!(world.get(&events[0]).unwrap()["pending_webhooks"], dropped);
        }
        let same = Switches { same_second: true, ..Switches::default() };
        let (world, _, events) = two_events(&same);
        assert!(events.iter().all(|id| world.get(id).unwrap()["created"] == NOW - 1));
    }

    #[test]
    fn a_failed_delivery_is_retried_for_three_days() {
        let (mut world, mut deliveries, events) = two_events(&Switches::default());
        let mut at = Vec::new();
        while let Some(due) = deliveries.next_due() {
            for delivery in deliveries.begin(due, 4) {
                if delivery.event == events[0] {
                    at.push(due - NOW);
                }
                let result = if at.len() == 2 { Err("refused".to_owned()) } else { Ok(500) };
                deliveries.end(&mut world, &delivery, answered(due, result));
            }
        }
        assert_eq!(at.len(), RETRY_SECONDS.len() + 1);
        assert_eq!(at.last(), Some(&(3 * 24 * 3_600)));
        assert_eq!(world.get(&events[0]).unwrap()["pending_webhooks"], 1);
        let attempts = deliveries.attempts(&events[0]);
        assert_eq!(attempts[1].error.as_deref(), Some("refused"));
        assert_eq!(attempts.last().unwrap().next, None);
    }

    #[test]
    fn deliveries_of_one_event_do_not_run_concurrently() {
        let switches = Switches { duplicate: true, ..Switches::default() };
        let (mut world, mut deliveries, events) = two_events(&switches);
        let begun = deliveries.begin(NOW, 4);
        assert_eq!(
            begun.iter().map(|one| &one.event).collect::<Vec<_>>(),
            [&events[0], &events[1]]
        );
        assert!(deliveries.begin(NOW, 4).is_empty());
        deliveries.end(&mut world, &begun[0], answered(NOW, Ok(200)));
        assert_eq!(deliveries.begin(NOW, 4)[0].event, events[0]);
        assert!(deliveries.is_busy(NOW));
    }
}
