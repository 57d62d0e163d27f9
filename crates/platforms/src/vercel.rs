//! Vercel as a function sees it: a proxy that forwards requests to its port, and a socket on which
//! the function reports that it listens and that a request is done.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use crate::{Process, Request, Response, Settings};

/// Another process may take a free port before the function does.
const PORT_ATTEMPTS: usize = 5;

/// A function that waits for requests.
#[derive(Debug)]
pub struct Vercel {
    pub process: Process,
    pub ready: Instant,
    base: String,
    http: reqwest::Client,
    next_id: AtomicU64,
    /// The requests that the function has reported as done, or the reason why its reports ended.
    done: watch::Receiver<Reports>,
}

#[derive(Debug, Default)]
struct Reports {
    done: BTreeSet<u64>,
    problem: Option<String>,
}

impl Vercel {
    pub async fn start(path: &Path, settings: &Settings) -> anyhow::Result<Self> {
        for _ in 0..PORT_ATTEMPTS {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            if let Some(started) = Self::start_on(port, path, settings).await? {
                return Ok(started);
            }
        }
        bail!("{PORT_ATTEMPTS} free ports in a row were taken before {} used them", path.display())
    }

    /// `None` if the port was taken.
    async fn start_on(port: u16, path: &Path, settings: &Settings) -> anyhow::Result<Option<Self>> {
        let socket = socket_path();
        let listener = UnixListener::bind(&socket).context("cannot listen as Vercel does")?;
        let runtime = [
            ("VERCEL_DEV_PORT".to_owned(), port.to_string()),
            ("VERCEL_IPC_PATH".to_owned(), socket.display().to_string()),
        ];
        let http = reqwest::Client::new();
        let process = Process::start(path, settings.clone().into_iter().chain(runtime))?;
        let connected = process.unless_it_ends(listener.accept()).await;
        std::fs::remove_file(socket)?;
        let (stream, _) = connected??;

        let mut messages = BufReader::new(stream);
        let Some(message) = next(&mut messages).await? else {
            process.ended().await?;
            let log = process.log();
            ensure!(log.contains("Address already in use"), "the function did not start: {log}");
            return Ok(None);
        };
        let ready = Instant::now();
        ensure!(message["type"] == "server-started", "the function reported {message}");
        ensure!(message["payload"]["httpPort"] == port, "the function reported {message}");
        let (sender, done) = watch::channel(Reports::default());
        tokio::spawn(note_ends(messages, sender));
        let base = format!("http://127.0.0.1:{port}");
        let next_id = AtomicU64::new(1);
        Ok(Some(Self { process, ready, base, http, next_id, done }))
    }

    /// The answer, once the function has also reported the request as done.
    pub async fn send(&self, request: &Request) -> anyhow::Result<Response> {
        let (id, carried) = self.carried(request);
        let answer = carried.over_http(&self.http, &self.base).await?;
        let mut done = self.done.clone();
        let reported = |reports: &Reports| reports.done.contains(&id) || reports.problem.is_some();
        let reports = self.process.unless_it_ends(done.wait_for(reported)).await?;
        if let Some(problem) = &reports?.problem {
            bail!("{problem}");
        }
        Ok(answer)
    }

    /// The request as Vercel's proxy forwards it, with its number.
    fn carried(&self, request: &Request) -> (u64, Request) {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let mut carried = request.clone();
        // Vercel's proxy replaces this header, whatever the caller sent.
        carried.headers.retain(|(name, _)| name != "x-real-ip");
        let carried = carried
            .header("x-real-ip", &request.from.to_string())
            .header("x-vercel-internal-invocation-id", &invocation(id))
            .header("x-vercel-internal-request-id", &id.to_string());
        (id, carried)
    }

    /// The address at which the function listens.
    pub fn base(&self) -> &str {
        &self.base
    }
}

fn invocation(id: u64) -> String {
    format!("invocation-{id}")
}

/// Records the requests that the function has reported as done, until the socket closes.
async fn note_ends(mut messages: BufReader<UnixStream>, reports: watch::Sender<Reports>) {
    while let Ok(Some(message)) = next(&mut messages).await {
        if message["type"] != "end" {
            continue;
        }
        let context = &message["payload"]["context"];
        let id = context["requestId"].as_u64().unwrap_or_default();
        let is_expected = context["invocationId"] == invocation(id);
        reports.send_modify(|reports| {
            if !is_expected || !reports.done.insert(id) {
                reports.problem = Some(format!("the function reported {message}"));
            }
        });
    }
}

/// The next message: JSON, terminated by a zero byte. `None` if the socket has closed.
async fn next(messages: &mut BufReader<UnixStream>) -> anyhow::Result<Option<Value>> {
    let mut bytes = Vec::new();
    messages.read_until(0, &mut bytes).await?;
    let Some((&0, json)) = bytes.split_last() else { return Ok(None) };
    Ok(Some(serde_json::from_slice(json)?))
}

/// A new name in the system's temporary directory, because socket names must be short.
fn socket_path() -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("farebox-{}-{number}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}
