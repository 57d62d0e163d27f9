//! Shares one load among concurrent callers in this process that need the same value.
//!
//! A caller never gets a value whose load began before the caller arrived. The value therefore
//! includes every change made before then.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;

/// A caller that waits longer than this for another caller's load starts its own.
const WAIT_LIMIT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct SingleFlight<K, V> {
    waiters: std::sync::Mutex<HashMap<K, Arc<Waiters<V>>>>,
    moments: AtomicU64,
}

/// The time at which a caller arrived, ordered within one [`SingleFlight`].
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Arrival(u64);

/// The callers for one key take this lock in turn. It holds the last value.
type Waiters<V> = Mutex<Option<Loaded<V>>>;

#[derive(Debug)]
struct Loaded<V> {
    began: Arrival,
    value: V,
}

/// A caller's share of the waiters of a key. The last caller to drop its ticket removes the
/// waiters.
struct Ticket<'a, K: Eq + Hash, V> {
    flights: &'a SingleFlight<K, V>,
    key: &'a K,
    waiters: Arc<Waiters<V>>,
}

impl<K: Clone + Eq + Hash, V: Clone> SingleFlight<K, V> {
    /// Returns an arrival later than every earlier one.
    pub fn arrive(&self) -> Arrival {
        Arrival(self.moments.fetch_add(1, Ordering::SeqCst))
    }

    /// Loads a value, or returns one that another caller began to load after `arrival`.
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
        // The map has one reference, and this ticket has the other.
        if Arc::strong_count(&self.waiters) == 2 {
            waiters.remove(self.key);
        }
    }
}
