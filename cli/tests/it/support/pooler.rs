//! A transaction-mode pooler that is stricter than real ones: each transaction of a client goes to
//! a different backend, so that code that relies on a session fails at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

/// `AuthenticationOk`, then `ReadyForQuery` outside a transaction.
const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

struct Pool {
    upstream: SocketAddr,
    user: String,
    database: String,
    backends: Vec<Mutex<TcpStream>>,
    next: AtomicUsize,
}

/// Starts a pooler in front of a database, for a user without a password.
pub async fn start(upstream: SocketAddr, user: &str, database: &str, size: usize) -> SocketAddr {
    let (user, database) = (user.to_owned(), database.to_owned());
    let (backends, next) = (Vec::new(), AtomicUsize::new(0));
    let mut pool = Pool { upstream, user, database, backends, next };
    for _ in 0..size {
        pool.backends.push(Mutex::new(pool.backend().await));
    }
    let pool = Arc::new(pool);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let pool = Arc::clone(&pool);
            tokio::spawn(async move { pool.carry(client).await });
        }
    });
    address
}

/// One complete message, or `None` at the end of the stream.
async fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    let mut message = head.to_vec();
    message.resize(length + 1, 0);
    stream.read_exact(&mut message[5..]).await.ok()?;
    Some(message)
}

impl Pool {
    async fn backend(&self) -> TcpStream {
        let (user, database) = (&self.user, &self.database);
        let mut stream = TcpStream::connect(self.upstream).await.unwrap();
        let body = format!("\0\x03\0\0user\0{user}\0database\0{database}\0\0");
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        stream.write_all(&[&length, body.as_bytes()].concat()).await.unwrap();
        while let Some(message) = read_message(&mut stream).await {
            assert_ne!(message[0], b'E', "{}", String::from_utf8_lossy(&message));
            if message[0] == b'Z' {
                return stream;
            }
        }
        panic!("Postgres ended the pooler's connection");
    }

    async fn carry(&self, mut client: TcpStream) -> Option<()> {
        let mut length = [0; 4];
        client.read_exact(&mut length).await.ok()?;
        let mut greeting = vec![0; u32::from_be_bytes(length) as usize - 4];
        client.read_exact(&mut greeting).await.ok()?;
        client.write_all(WELCOME).await.ok()?;
        loop {
            let message = read_message(&mut client).await?;
            if message[0] == b'X' {
                // A client's Terminate message ends its connection to the pooler only.
                return None;
            }
            let next = self.next.fetch_add(1, Ordering::Relaxed) % self.backends.len();
            let mut server = self.backends[next].lock().await;
            if transaction(&mut client, &mut server, message).await.is_none() {
                // The backend still has the client's transaction, so no other client may use it.
                *server = self.backend().await;
                return None;
            }
        }
    }
}

/// Carries one transaction, whose first message has arrived.
async fn transaction(
    client: &mut TcpStream,
    server: &mut TcpStream,
    mut message: Vec<u8>,
) -> Option<()> {
    loop {
        server.write_all(&message).await.ok()?;
        if message[0] == b'S' || message[0] == b'Q' {
            loop {
                let answer = read_message(server).await?;
                client.write_all(&answer).await.ok()?;
                if answer[0] == b'Z' && answer[5] == b'I' {
                    return Some(());
                }
                if answer[0] == b'Z' {
                    // Within a transaction the backend stays with its client.
                    break;
                }
            }
        }
        message = read_message(client).await?;
    }
}
