//! Serves Farebox in this process, and sends requests over connections, one at a time on each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use farebox::dev::Settings;
use farebox::server;
use shared::app::{App, PoolSize};
use shared::clock::Clock;
use shared::config::Config;
use shared::http::{self, Endpoint};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Returns a connection's next request, or `None` if there are no more requests.
pub type Requests = Arc<dyn Fn() -> Option<String> + Send + Sync>;

pub fn app(settings: &Settings) -> anyhow::Result<Arc<App>> {
    let config = Config::from_vars(|name| settings.get(name).cloned())?;
    Ok(App::new(config, Clock::default(), PoolSize::Server)?)
}

/// Serves these endpoints until the process ends.
pub async fn serve(app: &Arc<App>, endpoints: &[&'static Endpoint]) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = http::mount_all(endpoints, app);
    tokio::spawn(server::serve(listener, router, std::future::pending()));
    Ok(address)
}

/// Sends requests for `length`, and returns the milliseconds that each took.
pub async fn send(
    address: SocketAddr,
    requests: &Requests,
    concurrency: u32,
    length: Duration,
) -> anyhow::Result<Vec<f64>> {
    let until = Instant::now() + length;
    let connections = (0..concurrency).map(|_| {
        let requests = Arc::clone(requests);
        tokio::spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut times = Vec::new();
            while Instant::now() < until {
                let Some(request) = requests() else { break };
                times.push(connection.send(&request).await?);
            }
            anyhow::Ok(times)
        })
    });
    let mut all = Vec::new();
    for connection in connections.collect::<Vec<_>>() {
        all.extend(connection.await??);
    }
    Ok(all)
}

/// One connection that stays open.
pub struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::new() })
    }

    /// Sends a request and returns the milliseconds until the whole response has arrived. Fails
    /// unless its status is 200.
    pub async fn send(&mut self, request: &str) -> anyhow::Result<f64> {
        let began = Instant::now();
        self.stream.write_all(request.as_bytes()).await?;
        self.answer.clear();
        while !is_whole(&self.answer)? {
            ensure!(
                self.stream.read_buf(&mut self.answer).await? > 0,
                "the server closed the connection"
            );
        }
        let taken = began.elapsed().as_secs_f64() * 1_000.0;
        if !self.answer.starts_with(b"HTTP/1.1 200 ") {
            bail!("a request was refused: {}", String::from_utf8_lossy(&self.answer));
        }
        Ok(taken)
    }
}

/// Returns true if the response is complete. Its head has the length of the body.
fn is_whole(answer: &[u8]) -> anyhow::Result<bool> {
    let Some(head) = answer.windows(4).position(|end| end == b"\r\n\r\n") else {
        return Ok(false);
    };
    let text = std::str::from_utf8(&answer[..head])?.to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.context("a response has no content-length")?.parse()?;
    Ok(answer.len() >= head + 4 + length)
}
