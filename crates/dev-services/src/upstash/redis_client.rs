//! The client of a real Redis server: a pool of connections, each used by one request at a time.
//!
//! Deliberately absent: retries. A command may have run although its reply was lost, and only the
//! caller knows whether it may run twice. The client drops a connection after any error.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Command;
use super::resp::{self, Reply};
use super::scripts::{self, ScriptHashes};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_CONNECTIONS: usize = 64;

/// A Redis server's address and the connections to it. Clones share them.
#[derive(Clone)]
pub struct RedisClient {
    shared: Arc<Shared>,
}

struct Shared {
    /// A host name is resolved for each connection, because a container's address changes.
    address: String,
    password: String,
    database: u32,
    slots: Semaphore,
    idle: Mutex<Vec<Connection>>,
    scripts: Mutex<ScriptHashes>,
}

impl fmt::Debug for RedisClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RedisClient({}/{})", self.shared.address, self.shared.database)
    }
}

impl RedisClient {
    pub(super) fn new(address: String, password: &str, database: u32) -> RedisClient {
        RedisClient {
            shared: Arc::new(Shared {
                address,
                password: password.to_owned(),
                database,
                slots: Semaphore::new(MAX_CONNECTIONS),
                idle: Mutex::default(),
                scripts: Mutex::default(),
            }),
        }
    }

    pub(super) async fn pipeline(&self, mut commands: Vec<Command>) -> anyhow::Result<Vec<Reply>> {
        let hashes = self.rewrite_scripts(&mut commands);
        let mut replies = self.exchange(&commands).await?;
        scripts::restore(hashes, &mut replies);
        Ok(replies)
    }

    pub(super) async fn transaction(&self, mut commands: Vec<Command>) -> anyhow::Result<Reply> {
        let hashes = self.rewrite_scripts(&mut commands);
        commands.insert(0, vec![b"MULTI".to_vec()]);
        commands.push(vec![b"EXEC".to_vec()]);
        let mut exec = self.exchange(&commands).await?.pop().context("EXEC had no reply")?;
        if let Reply::Array(replies) = &mut exec {
            scripts::restore(hashes, replies);
        }
        Ok(exec)
    }

    /// Opens a connection outside the pool, for a command whose replies never end.
    pub(super) async fn dedicated(&self, command: &Command) -> anyhow::Result<Connection> {
        let mut connection = self.connect().await?;
        connection.send(std::slice::from_ref(command)).await?;
        Ok(connection)
    }

    fn rewrite_scripts(&self, commands: &mut [Command]) -> Vec<Option<String>> {
        let mut scripts = self.shared.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        commands.iter_mut().map(|command| scripts.rewrite(command)).collect()
    }

    async fn exchange(&self, commands: &[Command]) -> anyhow::Result<Vec<Reply>> {
        timeout(COMMAND_TIMEOUT, async {
            let _slot = self.shared.slots.acquire().await?;
            let mut connection = match self.take_idle() {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            connection.send(commands).await?;
            let mut replies = Vec::with_capacity(commands.len());
            for _ in commands {
                replies.push(connection.receive().await?);
            }
            self.give_back(connection);
            Ok(replies)
        })
        .await
        .context("Redis took too long to answer")?
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| idle.pop()).find(Connection::is_quiet)
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(connection);
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        timeout(CONNECT_TIMEOUT, async {
            let stream = TcpStream::connect(&self.shared.address).await?;
            stream.set_nodelay(true)?;
            let mut connection = Connection { stream: BufReader::new(stream) };
            if !self.shared.password.is_empty() {
                connection.greet("AUTH", &self.shared.password).await?;
            }
            if self.shared.database != 0 {
                connection.greet("SELECT", &self.shared.database.to_string()).await?;
            }
            Ok(connection)
        })
        .await
        .unwrap_or_else(|_| Err(anyhow::anyhow!("it took too long to connect")))
        .with_context(|| format!("cannot reach Redis on {}", self.shared.address))
    }
}

/// An open connection. No reply is outstanding, unless it comes from [`RedisClient::dedicated`].
pub(super) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(super) async fn receive(&mut self) -> io::Result<Reply> {
        resp::read_reply(&mut self.stream).await
    }

    async fn send(&mut self, commands: &[Command]) -> io::Result<()> {
        let mut wire = Vec::new();
        for command in commands {
            resp::write_command(&mut wire, command);
        }
        self.stream.write_all(&wire).await
    }

    async fn greet(&mut self, name: &str, argument: &str) -> anyhow::Result<()> {
        self.send(&[vec![name.into(), argument.into()]]).await?;
        match self.receive().await? {
            Reply::Error(message) => bail!("{name} was refused: {message}"),
            _ => Ok(()),
        }
    }

    /// Returns true if the connection is open and has no unread bytes. A restarted server has
    /// closed its end. The client has not sent a command on it yet, so it can use another
    /// connection.
    fn is_quiet(&self) -> bool {
        let unread = self.stream.get_ref().try_read(&mut [0]);
        self.stream.buffer().is_empty()
            && matches!(unread, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}
