//! Everything the simulator knows: objects by id, in the shape Stripe sends them, and the events
//! that say what happened to them.
//!
//! A world is changed by plain functions under one lock, so that a request either happens or does
//! not. Nothing here waits, listens or reads a clock: the caller sets the time before it changes the world.

use std::collections::BTreeMap;

use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::StripeError;

pub mod amounts;
pub mod calendar;
pub mod notes;
pub mod shapes;

/// The version of Stripe's API whose shapes the objects have.
pub const API_VERSION: &str = "2026-09-30.endive";

/// Stripe's side of the world, whole: what a snapshot keeps.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct World {
    /// The time of whatever is happening, in seconds since 1970.
    now: i64,
    /// Where the simulator's pages are, for the links that objects carry.
    #[serde(skip)]
    base: String,
    objects: BTreeMap<String, Value>,
    /// Ids in the order in which their objects came to be, by kind (`object`).
    order: BTreeMap<String, Vec<String>>,
    /// Ids of events that no webhook is queued for yet.
    #[serde(alias = "untold")]
    pending_events: Vec<String>,
    /// How often anything was changed.
    #[serde(skip)]
    revision: u64,
}

impl World {
    pub fn now(&self) -> i64 {
        self.now
    }

    pub fn set_now(&mut self, seconds: i64) {
        self.now = seconds;
    }

    /// The public URL of the simulator, without a slash at its end.
    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn set_base(&mut self, url: &str) {
        url.clone_into(&mut self.base);
    }

    /// A new id with Stripe's prefix: `cus`, `sub`, `cs_test`, `pi`.
    pub fn new_id(&self, prefix: &str) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let mut random = [0_u8; 24];
        // Without randomness ids would still be unique enough for a simulator's one process.
        let _ = SystemRandom::new().fill(&mut random);
        let letters =
            random.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
        format!("{prefix}_{}", letters.collect::<String>())
    }

    /// A number that is another one after any change of an object.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Adds an object, which carries its `id` and its kind in `object`.
    pub fn insert(&mut self, object: Value) -> String {
        self.revision += 1;
        let id = text(&object, "id").to_owned();
        self.order.entry(text(&object, "object").to_owned()).or_default().push(id.clone());
        self.objects.insert(id.clone(), object);
        id
    }

    pub fn get(&self, id: &str) -> Option<&Value> {
        self.objects.get(id)
    }

    /// The object of that kind, or Stripe's complaint about the parameter that named it.
    pub fn find(&self, kind: &str, id: &str, param: &str) -> Result<&Value, StripeError> {
        self.get(id)
            .filter(|object| object["object"] == kind)
            .ok_or_else(|| StripeError::missing(kind, id, param))
    }

    /// Every object of a kind, the newest first.
    pub fn all<'a>(&'a self, kind: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        let ids = self.order.get(kind).map(Vec::as_slice).unwrap_or_default();
        ids.iter().rev().filter_map(|id| self.objects.get(id))
    }

    /// Every object of a kind, the oldest first.
    pub fn oldest<'a>(&'a self, kind: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        let ids = self.order.get(kind).map(Vec::as_slice).unwrap_or_default();
        ids.iter().filter_map(|id| self.objects.get(id))
    }

    /// Changes an object, and answers what its changed fields were before, as events carry it.
    pub fn edit(&mut self, id: &str, change: impl FnOnce(&mut Value)) -> Map<String, Value> {
        let Some(object) = self.objects.get_mut(id) else { return Map::new() };
        self.revision += 1;
        let before = object.clone();
        change(object);
        changed(&before, object)
    }

    pub fn remove(&mut self, id: &str) {
        self.revision += 1;
        if let Some(object) = self.objects.remove(id)
            && let Some(ids) = self.order.get_mut(text(&object, "object"))
        {
            ids.retain(|other| other != id);
        }
    }

    /// Records that something happened to an object, as it is now.
    pub fn emit(&mut self, event: &str, object_id: &str) {
        self.emit_change(event, object_id, Map::new());
    }

    /// The same, with what its fields were before.
    pub fn emit_change(&mut self, event: &str, object_id: &str, previous: Map<String, Value>) {
        let object = self.get(object_id).cloned().unwrap_or(Value::Null);
        let mut data = json!({ "object": object });
        if !previous.is_empty() {
            data["previous_attributes"] = Value::Object(previous);
        }
        let id = self.insert(json!({
            "id": self.new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now,
            "data": data,
            "livemode": false,
            "pending_webhooks": 1,
            "request": { "id": null, "idempotency_key": null },
            "type": event,
        }));
        self.pending_events.push(id);
    }

    /// Ids of the events since the last call, in their order.
    pub fn take_pending_events(&mut self) -> Vec<String> {
        std::mem::take(&mut self.pending_events)
    }
}

/// A field that is text; empty if it is not.
pub fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

/// The fields that differ, as they were.
fn changed(before: &Value, after: &Value) -> Map<String, Value> {
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else {
        return Map::new();
    };
    before
        .iter()
        .filter(|(name, value)| after.get(*name) != Some(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
