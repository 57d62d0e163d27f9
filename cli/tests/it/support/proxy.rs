//! A proxy in front of Redis or Postgres that counts flights and can be told to fail.
//!
//! A flight is what a client sends before it waits: the first bytes after an answer begin one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

use super::until;

/// How the proxy treats what comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    Pass,
    /// Connections are refused, and open ones closed.
    Down,
    /// Each flight waits this long.
    Slow(Duration),
    /// Each flight is answered with something that no client expects.
    InvalidResponse,
    /// Each flight is answered with that status, in the form of Stripe's errors.
    Status(u16),
    /// Each flight waits until so many have come.
    HoldUntil(usize),
    /// The flight of that number never arrives; whoever sent it waits.
    LoseRequest(usize),
    /// The flight of that number arrives, and its answer never does.
    LoseAnswer(usize),
}

/// Whether these first bytes begin a flight worth counting.
type Counts = fn(&[u8]) -> bool;

/// Any request.
pub fn is_http(_: &[u8]) -> bool {
    true
}

/// A statement, not the greeting or a password.
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
    /// How many flights were lost.
    lost: watch::Sender<usize>,
    mode: watch::Sender<Mode>,
}

impl Proxy {
    pub async fn start(upstream: SocketAddr, counts: Counts) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (flights, arrived) = (AtomicUsize::new(0), Notify::new());
        let mode = watch::Sender::new(Mode::Pass);
        let lost = watch::Sender::new(0);
        let shared = Arc::new(Shared { upstream, counts, flights, arrived, lost, mode });
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Flights since the last time this was asked.
    pub fn flights(&self) -> usize {
        self.shared.flights.swap(0, Ordering::SeqCst)
    }

    /// Flights so far, which stay counted.
    pub fn waiting(&self) -> usize {
        self.shared.flights.load(Ordering::SeqCst)
    }

    /// Resolves once the flight that was to be lost is.
    pub async fn lost(&self) {
        let mut lost = self.shared.lost.subscribe();
        // The sender lives as long as this proxy.
        let _ = lost.wait_for(|lost| *lost > 0).await;
    }

    /// Changes what happens, to open connections too.
    pub async fn set(&self, mode: Mode) {
        self.shared.flights.store(0, Ordering::SeqCst);
        self.shared.lost.send_replace(0);
        self.shared.mode.send_replace(mode);
        // The listener goes, or comes back, in a task of its own.
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
    let mut mode = shared.mode.subscribe();
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
        }
    }
}

/// Holds what was lost until the mode changes.
async fn lose(shared: &Shared) {
    let mut mode = shared.mode.subscribe();
    mode.borrow_and_update();
    shared.lost.send_modify(|lost| *lost += 1);
    let _ = mode.changed().await;
}

async fn taken_down(mode: &mut watch::Receiver<Mode>) {
    // The sender lives as long as the proxy: there is no other way for this to end.
    let _ = mode.wait_for(|mode| *mode == Mode::Down).await;
}

/// Treats one flight as the mode says; false ends its connection.
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
                // Whoever turns the fault off does not wait for what it held up.
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
