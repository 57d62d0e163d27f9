//! A mail server that keeps every message in memory, shows it at `/mail` and delivers none. It
//! listens on loopback and accepts any name and password. It closes the connection at the first
//! unknown command, so that no page in a browser can post a message to it.
//!
//! Deliberately absent: encryption, and the parts of SMTP that Farebox's mailer does not use.

mod message;
mod pages;
mod smtp;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

pub use message::Message;

/// The server accepts further connections when one of these has closed.
const MAX_CONNECTIONS: usize = 100;

/// The server and the latest messages that it received. Clones share them.
#[derive(Clone, Debug)]
pub struct Mail {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    keep: usize,
}

#[derive(Debug)]
struct State {
    messages: VecDeque<Message>,
    /// The number of the next message. Dropped messages keep their numbers.
    next: u64,
    mode: Mode,
}

/// How the server treats a sender.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    Accepts,
    /// It refuses every message with this code: 451 is temporary, 550 permanent.
    Refuses(u16),
    /// It keeps the message and closes the connection without an answer.
    DropsReply,
}

impl Mail {
    /// Listens on a free port and keeps the latest `keep` messages.
    pub async fn start(keep: usize) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen for mail")?;
        let address = listener.local_addr()?;
        let state = State { messages: VecDeque::new(), next: 1, mode: Mode::Accepts };
        let mail = Self { address, state: Arc::new(Mutex::new(state)), keep };
        tokio::spawn(accept(listener, mail.clone()));
        Ok(mail)
    }

    /// The value for `SMTP_URL`.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// The kept messages, the latest last.
    pub fn messages(&self) -> Vec<Message> {
        self.lock().messages.iter().cloned().collect()
    }

    pub fn set_mode(&self, mode: Mode) {
        self.lock().mode = mode;
    }

    /// The pages at `/mail`, and the same messages as JSON at `/mail/api/messages`.
    pub fn router(&self) -> Router {
        pages::router(self.clone())
    }

    fn mode(&self) -> Mode {
        self.lock().mode
    }

    fn message(&self, number: u64) -> Option<Message> {
        self.lock().messages.iter().find(|message| message.number == number).cloned()
    }

    fn keep(&self, from: &str, to: &[String], raw: &[u8]) {
        let mut state = self.lock();
        let message = Message::parse(state.next, from, to, raw);
        state.next += 1;
        state.messages.push_back(message);
        if state.messages.len() > self.keep {
            state.messages.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, mail: Mail) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let mail = mail.clone();
        tokio::spawn(async move {
            // After an error the sender has hung up, timed out or sent too much.
            let _ = smtp::serve(stream, &mail).await;
            drop(slot);
        });
    }
}
