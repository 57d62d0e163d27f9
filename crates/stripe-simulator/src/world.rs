//! The simulator's data: objects by id, in Stripe's shape, and their events.
//!
//! Plain functions change the world under one lock, so that a request is atomic. Nothing here
//! waits, does I/O or reads a clock: the caller sets the time before it changes the world.

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

/// All of Stripe's objects. A snapshot stores it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct World {
    /// The current time, in seconds since 1970.
    now: i64,
    /// The simulator's public URL, for links in objects.
    #[serde(skip)]
    base: String,
    objects: BTreeMap<String, Value>,
    /// Ids in order of creation, by kind (`object`).
    order: BTreeMap<String, Vec<String>>,
    /// Ids of events whose webhooks are not queued yet.
    #[serde(alias = "untold")]
    pending_events: Vec<String>,
    /// The number of changes so far.
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

    /// The public URL of the simulator, without a trailing slash.
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
        // An error leaves zeros. The system's random source does not fail in practice.
        let _ = SystemRandom::new().fill(&mut random);
        let letters =
            random.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
        format!("{prefix}_{}", letters.collect::<String>())
    }

    /// A number that differs after any change of an object.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Adds an object, with its id in `id` and its kind in `object`.
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

    /// Returns the object of this kind, or Stripe's error about the parameter that names it.
    pub fn find(&self, kind: &str, id: &str, param: &str) -> Result<&Value, StripeError> {
        self.get(id)
            .filter(|object| object["object"] == kind)
            .ok_or_else(|| StripeError::missing(kind, id, param))
    }

    /// All objects of a kind, newest first.
    pub fn all<'a>(&'a self, kind: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        let ids = self.order.get(kind).map(Vec::as_slice).unwrap_or_default();
        ids.iter().rev().filter_map(|id| self.objects.get(id))
    }

    /// All objects of a kind, oldest first.
    pub fn oldest<'a>(&'a self, kind: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        let ids = self.order.get(kind).map(Vec::as_slice).unwrap_or_default();
        ids.iter().filter_map(|id| self.objects.get(id))
    }

    /// Changes an object and returns the previous values of its changed fields, as in
    /// `previous_attributes`.
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

    /// Creates an event with the object's current state.
    pub fn emit(&mut self, event: &str, object_id: &str) {
        self.emit_change(event, object_id, Map::new());
    }

    /// Creates an event with `previous_attributes`.
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

    /// Takes the ids of the events since the last call, in order.
    pub fn take_pending_events(&mut self) -> Vec<String> {
        std::mem::take(&mut self.pending_events)
    }
}

/// Returns a text field, or an empty string.
pub fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

/// The fields that differ, with their values before the change.
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
