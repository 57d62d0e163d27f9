//! Imitates Vercel for a function, which receives a port and a unix socket, reports its start on
//! the socket, and serves HTTP.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{TcpListener, UnixListener};
use tokio::time::timeout;

use super::call::Request;
use super::child::{Running, START_LIMIT, Start};
use crate::stack::Stack;

pub async fn start(path: &Path, request: &Request, stack: &Stack) -> anyhow::Result<Start> {
    let socket = stack.dir.join("vercel.sock");
    let _ = std::fs::remove_file(&socket);
    let platform = UnixListener::bind(&socket).context("cannot listen as Vercel does")?;
    let port = free_port().await?;
    let host =
        [("VERCEL_IPC_PATH", socket.display().to_string()), ("VERCEL_DEV_PORT", port.to_string())];
    let running = Running::exec(path, stack, &host, request.encrypted)?;

    let talk = async {
        let (stream, _) = platform.accept().await?;
        let mut messages = BufReader::new(stream);
        let mut message = Vec::new();
        messages.read_until(0, &mut message).await?;
        let ready = Instant::now();
        let message: Value =
            serde_json::from_slice(message.strip_suffix(b"\0").unwrap_or(&message))?;
        ensure!(message["type"] == "server-started", "the function sent {message}");
        call(port, request).await?;
        // The platform keeps its end open until the process has ended.
        anyhow::Ok((ready, Instant::now(), messages))
    };
    let (ready, answered, _messages) = timeout(START_LIMIT, talk).await??;
    running.finish(ready, answered).await
}

/// Sends the request over a new connection, and reads the whole answer.
async fn call(port: u16, request: &Request) -> anyhow::Result<()> {
    let mut message = axum::http::Request::builder()
        .method(request.method)
        .uri(format!("http://127.0.0.1:{port}{}", request.path))
        // With these the function also reports the end of the request, as it does when deployed.
        .header("x-vercel-internal-invocation-id", "bench")
        .header("x-vercel-internal-request-id", "1");
    for (name, value) in &request.headers {
        message = message.header(*name, value);
    }
    let message = message.body(Full::new(Bytes::from(request.body.clone())))?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let (head, body) = client.request(message).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    let text = String::from_utf8_lossy(&body);
    ensure!(head.status.is_success(), "the answer is {}: {text}", head.status);
    Ok(())
}

async fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port())
}
