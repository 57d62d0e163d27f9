//! Serves Upstash's Redis REST API on this machine. Code that calls Upstash in production uses the
//! same protocol in `farebox dev` and in the tests.
//!
//! The front speaks HTTP and stores nothing. It has one of two backends: a real Redis server, or,
//! on a machine without one, an engine in this process with the commands that Farebox uses.
//! Deliberately absent: limits by plan, ACLs, the RESP2 response format, JSON and search commands,
//! and everything else that Upstash adds to Redis.

// Tests may unwrap. A build without tests still applies the lint to the other code.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod engine;
mod front;
mod redis_client;
mod resp;
mod scripts;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;

pub use engine::Engine;
pub use redis_client::RedisClient;

use resp::Reply;

/// A command name and its arguments. Redis strings are bytes, not text.
type Command = Vec<Vec<u8>>;

/// The two tokens Upstash issues for each database.
#[derive(Clone)]
pub struct Tokens {
    pub full: String,
    pub read_only: String,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tokens(***)")
    }
}

/// The store of the data. Clones share it.
#[derive(Clone, Debug)]
pub enum Backend {
    Redis(RedisClient),
    Engine(Engine),
}

impl Backend {
    /// Uses a Redis server that is already running, at `host:port`. Connects at the first command.
    pub fn redis(address: impl Into<String>, password: &str, database: u32) -> Backend {
        Backend::Redis(RedisClient::new(address.into(), password, database))
    }

    /// Starts the engine in this process. It keeps its data in the file `snapshot`, or in memory
    /// only.
    pub fn in_process(snapshot: Option<PathBuf>) -> anyhow::Result<Backend> {
        Engine::open(snapshot).map(Backend::Engine)
    }

    /// Writes all changes to the snapshot file. Does nothing for a Redis server, which stores its
    /// own data.
    pub async fn flush(&self) -> anyhow::Result<()> {
        match self {
            Backend::Redis(_) => Ok(()),
            Backend::Engine(engine) => engine.flush().await,
        }
    }

    /// Returns one reply for each command, in order. Other clients' commands may run between them.
    async fn pipeline(&self, commands: Vec<Command>) -> anyhow::Result<Vec<Reply>> {
        match self {
            Backend::Redis(client) => client.pipeline(commands).await,
            Backend::Engine(engine) => engine.pipeline(commands).await,
        }
    }

    /// Returns EXEC's reply: an array of replies, or an error if no command ran.
    async fn transaction(&self, commands: Vec<Command>) -> anyhow::Result<Reply> {
        match self {
            Backend::Redis(client) => client.transaction(commands).await,
            Backend::Engine(engine) => engine.transaction(commands).await,
        }
    }
}

/// The REST API over `backend`, for the root or nested under a prefix. A client of a nested router
/// must not add a slash to the prefix; Upstash's clients do not.
pub fn router(backend: Backend, tokens: Tokens) -> axum::Router {
    front::router(backend, tokens)
}
