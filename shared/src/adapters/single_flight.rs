//! Callers in this process who want the same value at once share one load of it.
//!
//! A caller never gets a value whose load began before the caller arrived: what changed before then is
//! in it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;

/// A caller who waits longer than this for another caller's load starts one too.
const WAIT_LIMIT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct SingleFlight<K, V> {
    waiters: std::sync::Mutex<HashMap<K, Arc<Waiters<V>>>>,
    moments: AtomicU64,
}

/// When a caller arrived, as an order within one [`SingleFlight`].
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Arrival(u64);

/// The callers for one key take the lock one after the other, and find the last value in it.
type Waiters<V> = Mutex<Option<Loaded<V>>>;

#[derive(Debug)]
struct Loaded<V> {
    began: Arrival,
    value: V,
}

/// A place among the waiters of a key. The last caller to leave, with or without a value, removes them.
struct Ticket<'a, K: Eq + Hash, V> {
    flights: &'a SingleFlight<K, V>,
    key: &'a K,
    waiters: Arc<Waiters<V>>,
}

impl<K: Clone + Eq + Hash, V: Clone> SingleFlight<K, V> {
    /// A moment after every earlier one.
    pub fn arrive(&self) -> Arrival {
        Arrival(self.moments.fetch_add(1, Ordering::SeqCst))
    }

    /// Loads a value, or takes the value of another caller whose load began after `arrival`.
    pub async fn load<E>(
        &self,
        key: &K,
        arrival: Arrival,
        load: impl AsyncFnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        let ticket = self.join(key);
        let Ok(mut last) = timeout(WAIT_LIMIT, ticket.waiters.lock()).await else {
            return load().await;
        };
        if let Some(loaded) = last.as_ref().filter(|loaded| loaded.began > arrival) {
            return Ok(loaded.value.clone());
        }
        let began = self.arrive();
        let found = load().await;
        *last = found.as_ref().ok().map(|value| Loaded { began, value: value.clone() });
        found
    }

    fn join<'a>(&'a self, key: &'a K) -> Ticket<'a, K, V> {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        let waiters = Arc::clone(waiters.entry(key.clone()).or_default());
        Ticket { flights: self, key, waiters }
    }
}

impl<K, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self { waiters: std::sync::Mutex::default(), moments: AtomicU64::default() }
    }
}

impl<K: Eq + Hash, V> Drop for Ticket<'_, K, V> {
    fn drop(&mut self) {
        let mut waiters = self.flights.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        // One reference is the map's, one is this ticket's.
        if Arc::strong_count(&self.waiters) == 2 {
            waiters.remove(self.key);
        }
    }
}
