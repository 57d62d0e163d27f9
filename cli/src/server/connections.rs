//! The open connections of a server, each with the event that it waits for and the time since which
//! it waits.
//!
//! The server closes a connection whose client takes too long. If all slots are taken, it closes
//! the connection that has waited longest for its client, so that slow clients cannot keep out new
//! ones. It never closes a connection while it handles a request. While a new client waits for a
//! slot, every response closes its connection, so that pipelined requests do not occupy a slot.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::config::TrustedProxies;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::Limits;

/// The limit for a request's head, from its first byte; for the first request, from the
/// connection's start.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// The limit between two requests. Load balancers close earlier, after 60 s.
const IDLE_TIME: Duration = Duration::from_secs(75);
/// The limit for the client to read a response, from the moment its buffers are full.
const ANSWER_TIME: Duration = Duration::from_secs(20);

/// Every connection may wait this long, even if another one needs its slot: bytes of its client may
/// have arrived but not been read yet.
const SHORT_WAIT: Duration = Duration::from_millis(100);

/// The interval between searches for overdue connections.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The interval between attempts to get a slot.
const RETRY: Duration = Duration::from_millis(20);

/// The event that a connection waits for, which decides its time limit. Bodies have no limit here:
/// the guard of each endpoint limits them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Awaits {
    Request,
    Head,
    Body,
    /// The server is answering the request.
    Nothing,
}

#[derive(Clone, Copy, Debug)]
struct State {
    awaits: Awaits,
    since: Instant,
    /// The time since which the client has not read the response.
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

    /// Resolves when this connection must end.
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

    /// The wait for a body counts from the end of the head, so that single bytes do not restart it.
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
    /// The time since which the connection waits for its client.
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
    /// True while a client waits for a slot.
    is_full: AtomicBool,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    connections: BTreeMap<u64, Arc<Connection>>,
}

/// The slot of one open connection, freed on drop.
#[derive(Debug)]
pub(super) struct Slot {
    number: u64,
    connection: Arc<Connection>,
    connections: Arc<Connections>,
}

impl Slot {
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.open().connections.remove(&self.number);
        self.connections.ended.notify_one();
    }
}

enum Admission {
    Granted(Slot),
    /// No slot is free yet: a connection is about to end, or none has waited long enough.
    Later,
    /// The address has reached its limit, and all its connections are in use.
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

    /// Waits for a slot for a connection from this address. Returns none if the address has too
    /// many connections.
    pub(super) async fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Slot> {
        loop {
            match self.try_admit(one_caller(address)) {
                Admission::Granted(slot) => return Some(slot),
                Admission::Refused => return None,
                // Try again after a wake-up or after the interval.
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
            // Refused immediately, so that other addresses do not wait behind this one.
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
        Admission::Granted(Slot { number, connection, connections: Arc::clone(self) })
    }

    /// The proxies whose `X-Forwarded-For` is trusted.
    pub(super) fn proxies(&self) -> &TrustedProxies {
        &self.limits.proxies
    }

    /// Returns true while a client waits for a slot, so that each response must close its
    /// connection.
    pub(super) fn are_short(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Closes overdue connections until it is aborted.
    pub(super) async fn cut_overdue(self: Arc<Self>) {
        let mut ticks = interval(CHECK_INTERVAL);
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

/// Closes the connection that has waited longest for its client, unless a connection is already
/// about to end. Returns true if one is about to end, and false if all are in use or have waited
/// only for a moment.
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

/// Maps an IPv6 address to its /64, because a household has a whole /64. The limiter does the same.
fn one_caller(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => IpAddr::V6((ip.to_bits() >> 64 << 64).into()),
        ip => ip,
    }
}
