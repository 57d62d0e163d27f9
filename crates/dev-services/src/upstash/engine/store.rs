//! Keys, their values and their expiry.
//!
//! A command that reads an expired key drops it. Commands on all keys and the snapshot drop every
//! expired key first. Deliberately absent: a clock; the time is an argument.

use std::collections::{BTreeMap, HashMap};

use super::failure::Failure;
use super::sorted_set::SortedSet;

/// Redis does not define the order of a hash's fields. Sorting them makes replies and snapshots
/// reproducible.
pub type Hash = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Debug, Default)]
pub struct Store {
    keys: HashMap<Vec<u8>, Entry>,
    /// True if a key changed since the last snapshot.
    pub changed: bool,
}

#[derive(Debug, PartialEq)]
pub struct Entry {
    pub value: Value,
    pub expires_at_ms: Option<i64>,
}

#[derive(Debug, PartialEq)]
pub enum Value {
    String(Vec<u8>),
    Hash(Hash),
    SortedSet(SortedSet),
}

impl Entry {
    fn is_expired(&self, now_ms: i64) -> bool {
        self.expires_at_ms.is_some_and(|expires_at_ms| expires_at_ms <= now_ms)
    }
}

impl Store {
    pub fn get(&mut self, key: &[u8], now_ms: i64) -> Option<&mut Entry> {
        if self.keys.get(key)?.is_expired(now_ms) {
            self.keys.remove(key);
            self.changed = true;
        }
        self.keys.get_mut(key)
    }

    pub fn string(&mut self, key: &[u8], now_ms: i64) -> Result<Option<&mut Vec<u8>>, Failure> {
        match self.get(key, now_ms).map(|entry| &mut entry.value) {
            None => Ok(None),
            Some(Value::String(bytes)) => Ok(Some(bytes)),
            Some(_) => Err(Failure::wrong_type()),
        }
    }

    pub fn hash(&mut self, key: &[u8], now_ms: i64) -> Result<Option<&mut Hash>, Failure> {
        match self.get(key, now_ms).map(|entry| &mut entry.value) {
            None => Ok(None),
            Some(Value::Hash(hash)) => Ok(Some(hash)),
            Some(_) => Err(Failure::wrong_type()),
        }
    }

    /// Returns the hash at `key`, or creates an empty one. The caller must add a field to it.
    pub fn hash_or_new(&mut self, key: &[u8], now_ms: i64) -> Result<&mut Hash, Failure> {
        if self.get(key, now_ms).is_none() {
            self.put(key, Value::Hash(Hash::new()), None);
        }
        self.hash(key, now_ms)?.ok_or_else(Failure::wrong_type)
    }

    pub fn sorted_set(
        &mut self,
        key: &[u8],
        now_ms: i64,
    ) -> Result<Option<&mut SortedSet>, Failure> {
        match self.get(key, now_ms).map(|entry| &mut entry.value) {
            None => Ok(None),
            Some(Value::SortedSet(set)) => Ok(Some(set)),
            Some(_) => Err(Failure::wrong_type()),
        }
    }

    /// Returns the sorted set at `key`, or creates an empty one. The caller must add a member to it.
    pub fn sorted_set_or_new(
        &mut self,
        key: &[u8],
        now_ms: i64,
    ) -> Result<&mut SortedSet, Failure> {
        if self.get(key, now_ms).is_none() {
            self.put(key, Value::SortedSet(SortedSet::default()), None);
        }
        self.sorted_set(key, now_ms)?.ok_or_else(Failure::wrong_type)
    }

    pub fn put(&mut self, key: &[u8], value: Value, expires_at_ms: Option<i64>) {
        self.keys.insert(key.to_vec(), Entry { value, expires_at_ms });
    }

    pub fn remove(&mut self, key: &[u8], now_ms: i64) -> bool {
        self.get(key, now_ms).is_some() && self.keys.remove(key).is_some()
    }

    pub fn clear(&mut self) {
        self.keys.clear();
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn drop_expired(&mut self, now_ms: i64) {
        self.keys.retain(|_, entry| !entry.is_expired(now_ms));
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Vec<u8>, &Entry)> {
        self.keys.iter()
    }
}
