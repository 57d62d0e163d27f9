//! Vercel as a function sees it: a proxy that forwards requests to its port, and a socket on which
//! the function reports that it listens and that a request is done.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};

use dev_services::process::free_port;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use super::binary::Binary;
use super::request::Request;
use crate::support::ApiResponse;

/// Another process may take a free port before the function does.
const PORT_ATTEMPTS: usize = 5;

/// A function that waits for requests.
pub struct Vercel {
    binary: Binary,
    base: String,
    http: reqwest::Client,
    next_id: AtomicU64,
    /// The requests that the function has reported as done.
    done: watch::Receiver<BTreeSet<u64>>,
}

impl Vercel {
    pub async fn start(name: &str, settings: &BTreeMap<String, String>) -> Self {
        for _ in 0..PORT_ATTEMPTS {
            if let Some(started) = Self::start_on(free_port().unwrap(), name, settings).await {
                return started;
            }
        }
        panic!("{PORT_ATTEMPTS} free ports in a row were taken before {name} could listen on them");
    }

    /// `None` if the port was taken.
    async fn start_on(port: u16, name: &str, settings: &BTreeMap<String, String>) -> Option<Self> {
        let path = socket_path();
        let listener = UnixListener::bind(&path).unwrap();
        let runtime = [
            ("VERCEL_DEV_PORT".to_owned(), port.to_string()),
            ("VERCEL_IPC_PATH".to_owned(), path.to_str().unwrap().to_owned()),
        ];
        let binary = Binary::start(name, settings.clone().into_iter().chain(runtime)).await;
        let connected = binary.unless_it_ends(listener.accept()).await;
        std::fs::remove_file(path).unwrap();
        let (stream, _) = connected.expect("the function ended before it connected").unwrap();

        let mut messages = BufReader::new(stream);
        let Some(message) = next(&mut messages).await else {
            binary.ended().await;
            assert!(binary.log().contains("Address already in use"), "{name} did not start");
            return None;
        };
        assert_eq!(message["type"], "server-started", "{message}");
        assert_eq!(message["payload"]["httpPort"], port, "{message}");
        let (sender, done) = watch::channel(BTreeSet::new());
        tokio::spawn(note_ends(messages, sender));
        let base = format!("http://127.0.0.1:{port}");
        let (http, next_id) = (reqwest::Client::new(), AtomicU64::new(1));
        Some(Self { binary, base, http, next_id, done })
    }

    /// The answer, once the function has also reported the request as done.
    pub async fn send(&self, request: &Request) -> ApiResponse {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let mut carried = request.clone();
        // Vercel's proxy replaces this header, whatever the caller sent.
        carried.headers.retain(|(name, _)| name != "x-real-ip");
        let carried = carried
            .header("x-real-ip", &request.from.to_string())
            .header("x-vercel-internal-invocation-id", &format!("invocation-{id}"))
            .header("x-vercel-internal-request-id", &id.to_string());
        let answer = carried.over_http(&self.http, &self.base).await;
        let mut done = self.done.clone();
        let finished = self.binary.unless_it_ends(done.wait_for(|done| done.contains(&id))).await;
        drop(finished.expect("the function ended").expect("the request was not reported as done"));
        answer
    }

    /// The URL at which the function listens, without a path.
    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn peak_kib(&self) -> Option<u64> {
        self.binary.peak_kib()
    }

    pub fn terminate(&self) {
        self.binary.terminate();
    }

    pub async fn ended(&self) -> ExitStatus {
        self.binary.ended().await
    }
}

/// Records the requests that the function has reported as done, until the socket closes.
async fn note_ends(mut messages: BufReader<UnixStream>, done: watch::Sender<BTreeSet<u64>>) {
    while let Some(message) = next(&mut messages).await {
        if message["type"] == "end" {
            let context = &message["payload"]["context"];
            let id = context["requestId"].as_u64().unwrap();
            assert_eq!(context["invocationId"], format!("invocation-{id}"), "{message}");
            done.send_modify(|done| assert!(done.insert(id), "the request ended twice: {message}"));
        }
    }
}

/// The next message: JSON, terminated by a zero byte.
async fn next(messages: &mut BufReader<UnixStream>) -> Option<Value> {
    let mut bytes = Vec::new();
    messages.read_until(0, &mut bytes).await.unwrap();
    let (0, json) = bytes.split_last().map(|(last, json)| (*last, json))? else { return None };
    Some(serde_json::from_slice(json).unwrap())
}

/// A new name in the system's temporary directory, because socket names must be short.
fn socket_path() -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("farebox-{}-{number}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}
