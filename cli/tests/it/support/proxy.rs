//! A proxy in front of Redis, Postgres or Stripe that counts flights and can simulate faults.
//!
//! A flight is one request of a round trip: it begins with the first bytes after an answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

use super::until;

/// How the proxy treats flights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    Pass,
    /// Connections are refused, and open ones closed.
    Down,
    /// Each flight waits this long.
    Slow(Duration),
    /// Each flight is answered with bytes that no client expects.
    InvalidResponse,
    /// Each flight is answered with this status and an error in Stripe's form.
    Status(u16),
    /// Each flight waits until this many have arrived.
    HoldUntil(usize),
    /// The flight of this number never arrives, and its sender gets no answer.
    LoseRequest(usize),
    /// The flight of this number arrives, but its answer does not.
    LoseAnswer(usize),
}

/// Decides by its first bytes if a flight counts.
type Counts = fn(&[u8]) -> bool;

/// Any request.
pub fn is_http(_: &[u8]) -> bool {
    true
}

/// A statement, not the startup message or a password.
pub fn is_postgres(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| b"PQBE".contains(first))
}

pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: SocketAddr,
    counts: Counts,
    flights: AtomicUsize,
    arrived: Notify,
    /// The number of lost flights.
    lost: watch::Sender<usize>,
    mode: watch::Sender<Mode>,
    /// The number of times that the open connections were forgotten.
    forgotten: watch::Sender<usize>,
}

impl Proxy {
    pub async fn start(upstream: SocketAddr, counts: Counts) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (flights, arrived) = (AtomicUsize::new(0), Notify::new());
        let mode = watch::Sender::new(Mode::Pass);
        let (lost, forgotten) = (watch::Sender::new(0), watch::Sender::new(0));
        let shared = Shared { upstream, counts, flights, arrived, lost, mode, forgotten };
        let shared = Arc::new(shared);
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The flights since the last call of this function.
    pub fn flights(&self) -> usize {
        self.shared.flights.swap(0, Ordering::SeqCst)
    }

    /// The flights so far, without resetting the count.
    pub fn waiting(&self) -> usize {
        self.shared.flights.load(Ordering::SeqCst)
    }

    /// Resolves once the flight has been lost.
    pub async fn lost(&self) {
        let mut lost = self.shared.lost.subscribe();
        // The sender lives as long as this proxy.
        let _ = lost.wait_for(|lost| *lost > 0).await;
    }

    /// Forgets the open connections, as a network gateway does: nothing is carried any more, and
    /// neither end learns of it. New connections work.
    pub fn forget_connections(&self) {
        self.shared.forgotten.send_modify(|times| *times += 1);
    }

    /// Sets the mode, for open connections too.
    pub async fn set(&self, mode: Mode) {
        self.shared.flights.store(0, Ordering::SeqCst);
        self.shared.lost.send_replace(0);
        self.shared.mode.send_replace(mode);
        // A separate task closes or reopens the listener.
        let refused = mode == Mode::Down;
        until(async || TcpStream::connect(self.address).await.is_err() == refused).await;
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let address = listener.local_addr().unwrap();
    let mut listener = Some(listener);
    let mut mode = shared.mode.subscribe();
    loop {
        let down = *mode.borrow_and_update() == Mode::Down;
        if down {
            listener = None;
        } else if listener.is_none() {
            listener = Some(TcpListener::bind(address).await.unwrap());
        }
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await.unwrap().0,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            client = accepted => drop(tokio::spawn(carry(client, Arc::clone(&shared)))),
            changed = mode.changed() => if changed.is_err() { return },
        }
    }
}

async fn carry(mut client: TcpStream, shared: Arc<Shared>) {
    let (mut mode, mut forgotten) = (shared.mode.subscribe(), shared.forgotten.subscribe());
    let Ok(mut server) = TcpStream::connect(shared.upstream).await else { return };
    let (mut from_client, mut from_server) = (vec![0; 65_536], vec![0; 65_536]);
    let mut answered = true;
    let mut flight = 0;
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let Ok(length @ 1..) = read else { return };
                let bytes = &from_client[..length];
                if answered && (shared.counts)(bytes) {
                    flight = shared.flights.fetch_add(1, Ordering::SeqCst) + 1;
                    shared.arrived.notify_waiters();
                    if !may_go_on(&shared, &mut client, flight).await {
                        return;
                    }
                }
                answered = false;
                if server.write_all(bytes).await.is_err() { return }
            }
            read = server.read(&mut from_server) => {
                let Ok(length @ 1..) = read else { return };
                answered = true;
                if *mode.borrow() == Mode::LoseAnswer(flight) {
                    return lose(&shared).await;
                }
                if client.write_all(&from_server[..length]).await.is_err() { return }
            }
            () = taken_down(&mut mode) => return,
            _ = forgotten.changed() => {
                while let Ok(1..) = client.read(&mut from_client).await {}
                return;
            }
        }
    }
}

/// Holds a lost flight until the mode changes.
async fn lose(shared: &Shared) {
    let mut mode = shared.mode.subscribe();
    mode.borrow_and_update();
    shared.lost.send_modify(|lost| *lost += 1);
    let _ = mode.changed().await;
}

async fn taken_down(mode: &mut watch::Receiver<Mode>) {
    // The sender lives as long as the proxy, so the wait cannot end otherwise.
    let _ = mode.wait_for(|mode| *mode == Mode::Down).await;
}

/// Treats one flight according to the mode; `false` ends its connection.
async fn may_go_on(shared: &Shared, client: &mut TcpStream, flight: usize) -> bool {
    let mut mode = shared.mode.subscribe();
    let now = *mode.borrow_and_update();
    match now {
        Mode::LoseRequest(number) if number == flight => {
            lose(shared).await;
            false
        }
        Mode::Pass | Mode::LoseRequest(_) | Mode::LoseAnswer(_) => true,
        Mode::Down => false,
        Mode::Status(status) => {
            let body = r#"{"error": {"type": "api_error", "message": "a fault of the test"}}"#;
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {status} Fault\r\ncontent-length: {length}\r\n\r\n{body}");
            let _ = client.write_all(answer.as_bytes()).await;
            false
        }
        Mode::Slow(delay) => {
            tokio::select! {
                () = tokio::time::sleep(delay) => true,
                // A change of mode ends held flights at once.
                _ = mode.changed() => false,
            }
        }
        Mode::InvalidResponse => {
            let garbage = b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\ngarbage";
            let _ = client.write_all(garbage).await;
            false
        }
        Mode::HoldUntil(wanted) => loop {
            let arrived = shared.arrived.notified();
            if shared.flights.load(Ordering::SeqCst) >= wanted {
                return true;
            }
            arrived.await;
        },
    }
}
