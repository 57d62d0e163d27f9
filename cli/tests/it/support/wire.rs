//! A connection to Postgres that breaks at a chosen protocol message.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Where in a message the connection breaks.
#[derive(Clone, Copy, Debug)]
pub enum Break {
    Before,
    Within,
    After,
}

/// The message at which the connection breaks, counted in both directions from now on.
#[derive(Clone, Copy, Debug)]
struct Plan {
    messages_left: usize,
    how: Break,
}

pub struct Wire {
    pub address: SocketAddr,
    plan: Arc<Mutex<Option<Plan>>>,
}

impl Wire {
    pub async fn to(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let plan = Arc::new(Mutex::new(None));
        let plans = Arc::clone(&plan);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(carry(client, upstream, Arc::clone(&plans)));
            }
        });
        Self { address, plan }
    }

    /// Breaks the connection at the message of this number, counted from now on.
    pub fn break_at(&self, messages_left: usize, how: Break) {
        *self.plan.lock().unwrap() = Some(Plan { messages_left, how });
    }

    /// Cancels the break; returns whether the connection broke.
    pub fn mend(&self) -> bool {
        self.plan.lock().unwrap().take().is_none()
    }
}

/// How the next message breaks, or `None` if it does not.
fn next(plan: &Mutex<Option<Plan>>) -> Option<Break> {
    let mut plan = plan.lock().unwrap();
    let current = plan.as_mut()?;
    if current.messages_left > 0 {
        current.messages_left -= 1;
        return None;
    }
    plan.take().map(|plan| plan.how)
}

async fn carry(client: TcpStream, upstream: SocketAddr, plan: Arc<Mutex<Option<Plan>>>) {
    let Ok(server) = TcpStream::connect(upstream).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // When one direction ends, so does the other, and both connections with them.
    tokio::select! {
        () = pass(from_client, to_server, &plan, 0) => {}
        () = pass(from_server, to_client, &plan, 1) => {}
    }
}

/// Passes messages on. A client's first message has no type.
async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    plan: &Mutex<Option<Plan>>,
    mut type_length: usize,
) {
    loop {
        let mut message = vec![0; type_length + 4];
        if from.read_exact(&mut message).await.is_err() {
            return;
        }
        let length = message[type_length..].try_into().map(u32::from_be_bytes).unwrap() as usize;
        message.resize(type_length + length, 0);
        if from.read_exact(&mut message[type_length + 4..]).await.is_err() {
            return;
        }
        type_length = 1;
        let breaks = next(plan);
        let passed = match breaks {
            Some(Break::Before) => 0,
            Some(Break::Within) => message.len() / 2,
            Some(Break::After) | None => message.len(),
        };
        if to.write_all(&message[..passed]).await.is_err() || breaks.is_some() {
            return;
        }
    }
}
