//! A mail server that delivers to nobody: whatever is sent to it is kept in memory and shown at
//! `/mail`. It listens on this machine alone, and takes any name and password. It hangs up at the first
//! command that it does not know, so that no page in a browser can post a message into it.
//!
//! Deliberately absent: encryption, and everything of SMTP that a sender of one small message to one
//! person does not use.

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

/// More senders wait to be accepted.
const MAX_CONNECTIONS: usize = 100;

/// Every message that came, the latest of them. Clones share them.
#[derive(Clone, Debug)]
pub struct Mail {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    keep: usize,
}

#[derive(Debug)]
struct State {
    messages: VecDeque<Message>,
    /// Counts every message; the next one's number.
    next: u64,
    mode: Mode,
}

/// How it treats who sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    Accepts,
    /// No message is taken, with this code: 451 for now, 550 for good.
    Refuses(u16),
    /// A message is taken, and the connection ends before that is said.
    LosesAnswer,
}

impl Mail {
    /// Listens on a port of its own, and keeps the latest `keep` messages.
    pub async fn start(keep: usize) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port for mail")?;
        let address = listener.local_addr()?;
        let state = State { messages: VecDeque::new(), next: 1, mode: Mode::Accepts };
        let mail = Self { address, state: Arc::new(Mutex::new(state)), keep };
        tokio::spawn(accept(listener, mail.clone()));
        Ok(mail)
    }

    /// What `SMTP_URL` would be.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// The messages that are kept, the latest last.
    pub fn messages(&self) -> Vec<Message> {
        self.lock().messages.iter().cloned().collect()
    }

    pub fn set(&self, mode: Mode) {
        self.lock().mode = mode;
    }

    /// The page at `/mail`, and the same as JSON at `/mail/api/messages`.
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
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let mail = mail.clone();
        tokio::spawn(async move {
            // A sender who hangs up has nothing more to send.
            let _ = smtp::serve(stream, &mail).await;
            drop(place);
        });
    }
}
