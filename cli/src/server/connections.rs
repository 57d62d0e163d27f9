//! The open connections of a server: what each of them waits for, and since when.
//!
//! A connection whose client takes too long is cut off. Where all places are taken, the one that has
//! waited longest for its client is cut off at once, so that a new client is served however many slow
//! ones there are. A connection whose request is being answered is never cut off, but while a client waits
//! for a place each answer is its connection's last: requests sent in advance keep no place.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::config::TrustedProxies;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::Limits;

/// For a request's head, from its first byte; for the first one, from the connection's beginning.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Between two requests. Longer than load balancers keep connections (60 s): they close first.
const IDLE_TIME: Duration = Duration::from_secs(75);
/// From the moment the client's buffers are full until it has read all that was sent.
const ANSWER_TIME: Duration = Duration::from_secs(20);

/// Every connection may wait for so long, also where others need its place: its client's bytes may have
/// arrived, and be read next.
const SHORT_WAIT: Duration = Duration::from_millis(100);

/// Between two looks for overdue connections.
const SWEEP: Duration = Duration::from_secs(1);
/// Between two looks for a place, where none can be had yet.
const RETRY: Duration = Duration::from_millis(20);

/// The next thing a connection awaits of its client. Bodies have no time here: endpoints limit them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Awaits {
    Request,
    Head,
    Body,
    /// The request is being answered.
    Nothing,
}

#[derive(Clone, Copy, Debug)]
struct State {
    awaits: Awaits,
    since: Instant,
    /// Since when the client has not read what was sent to it.
    unread_since: Option<Instant>,
    is_cut: bool,
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Connection {
    address: IpAddr,
    state: Mutex<State>,
    cut: Notify,
}

impl Connection {
    fn new(address: IpAddr) -> Self {
        let state = State {
            awaits: Awaits::Head,
            since: Instant::now(),
            unread_since: None,
            is_cut: false,
        };
        Self { address, state: Mutex::new(state), cut: Notify::new() }
    }

    /// Resolves when this connection is to end.
    pub(super) async fn is_cut(&self) {
        self.cut.notified().await;
    }

    pub(super) fn bytes_arrived(&self) {
        self.change(Awaits::Request, Awaits::Head, true);
    }

    pub(super) fn head_arrived(&self) {
        let mut state = self.state();
        (state.awaits, state.since) = (Awaits::Nothing, Instant::now());
    }

    /// The wait for a body counts from the head, so that a byte now and then does not shorten it.
    pub(super) fn body_is_awaited(&self) {
        self.change(Awaits::Nothing, Awaits::Body, false);
    }

    pub(super) fn body_ended(&self) {
        self.change(Awaits::Body, Awaits::Nothing, false);
    }

    pub(super) fn answered(&self) {
        let mut state = self.state();
        (state.awaits, state.since) = (Awaits::Request, Instant::now());
    }

    pub(super) fn write_blocked(&self) {
        self.state().unread_since.get_or_insert_with(Instant::now);
    }

    pub(super) fn all_written(&self) {
        self.state().unread_since = None;
    }

    fn change(&self, from: Awaits, to: Awaits, restart: bool) {
        let mut state = self.state();
        if state.awaits == from {
            state.awaits = to;
            if restart {
                state.since = Instant::now();
            }
        }
    }

    fn cut_off(&self) {
        self.state().is_cut = true;
        self.cut.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Since when the client keeps this connection waiting.
    fn waits_since(&self) -> Option<Instant> {
        let since = (self.awaits != Awaits::Nothing).then_some(self.since);
        since.into_iter().chain(self.unread_since).min()
    }

    fn is_overdue(&self, now: Instant) -> bool {
        let limit = match self.awaits {
            Awaits::Request => Some(IDLE_TIME),
            Awaits::Head => Some(HEAD_TIME),
            Awaits::Body | Awaits::Nothing => None,
        };
        let is_over = |since: Instant, limit| now.duration_since(since) >= limit;
        limit.is_some_and(|limit| is_over(self.since, limit))
            || self.unread_since.is_some_and(|since| is_over(since, ANSWER_TIME))
    }
}

/// All open connections.
#[derive(Debug)]
pub(super) struct Connections {
    limits: Limits,
    open: Mutex<Open>,
    ended: Notify,
    /// A client waits for a place.
    is_full: AtomicBool,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    connections: BTreeMap<u64, Arc<Connection>>,
}

/// The right of one connection to be open; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    connection: Arc<Connection>,
    connections: Arc<Connections>,
}

impl Place {
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open().connections.remove(&self.number);
        self.connections.ended.notify_one();
    }
}

enum Admission {
    Granted(Place),
    /// Not yet: a connection is about to end, or none has waited long enough.
    Later,
    /// That address has as many connections as it may, and all are in use.
    Refused,
}

impl Connections {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            open: Mutex::default(),
            ended: Notify::new(),
            is_full: AtomicBool::new(false),
        }
    }

    /// A place for a new connection from that address; none if it has too many.
    pub(super) async fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        loop {
            match self.try_admit(one_caller(address)) {
                Admission::Granted(place) => return Some(place),
                Admission::Refused => return None,
                // Woken or not, it is time to look again.
                Admission::Later => drop(timeout(RETRY, self.ended.notified()).await),
            }
        }
    }

    fn try_admit(self: &Arc<Self>, address: IpAddr) -> Admission {
        let mut open = self.open();
        let is_counted = !self.limits.proxies.is_empty() && !self.limits.proxies.contains(address);
        let of_address = |connection: &&Arc<Connection>| connection.address == address;
        let its_own = open.connections.values().filter(of_address);
        if is_counted && its_own.clone().count() >= self.limits.connections_per_address {
            // Refused at once: other addresses do not wait behind one that asks for too many.
            return if make_room(its_own) { Admission::Later } else { Admission::Refused };
        }
        let is_full = open.connections.len() >= self.limits.connections;
        self.is_full.store(is_full, Ordering::Relaxed);
        if is_full {
            make_room(open.connections.values());
            return Admission::Later;
        }
        let connection = Arc::new(Connection::new(address));
        let number = open.next;
        open.next += 1;
        open.connections.insert(number, Arc::clone(&connection));
        Admission::Granted(Place { number, connection, connections: Arc::clone(self) })
    }

    /// The proxies that say whom a request is from.
    pub(super) fn proxies(&self) -> &TrustedProxies {
        &self.limits.proxies
    }

    /// Whether a client waits for a place, so that the others are to give theirs back.
    pub(super) fn are_short(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Cuts off connections whose time is over, until it is aborted.
    pub(super) async fn cut_overdue(self: Arc<Self>) {
        let mut ticks = interval(SWEEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let now = ticks.tick().await;
            for connection in self.open().connections.values() {
                if connection.state().is_overdue(now) {
                    connection.cut_off();
                }
            }
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cuts off the one that has waited longest for its client, unless one is about to end already; answers
/// whether one is. None is where all are being answered, or have waited for a moment only.
fn make_room<'a>(connections: impl Iterator<Item = &'a Arc<Connection>>) -> bool {
    let mut longest: Option<(Instant, &Connection)> = None;
    for connection in connections {
        let state = *connection.state();
        if state.is_cut {
            return true;
        }
        let Some(since) = state.waits_since() else { continue };
        if longest.is_none_or(|(longest, _)| since < longest) {
            longest = Some((since, connection));
        }
    }
    let longest = longest.filter(|(since, _)| since.elapsed() >= SHORT_WAIT);
    if let Some((_, connection)) = longest {
        connection.cut_off();
    }
    longest.is_some()
}

/// A household has a whole /64 of IPv6: its addresses are one caller, as the limiter has it.
fn one_caller(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => IpAddr::V6((ip.to_bits() >> 64 << 64).into()),
        ip => ip,
    }
}
