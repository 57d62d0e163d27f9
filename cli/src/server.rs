//! The HTTP server of `farebox serve`, `farebox dev` and the tests.
//!
//! The server closes a connection whose client sends or reads nothing for a while, and closes it
//! earlier if a new connection needs the slot. If a client disconnects, its request still finishes,
//! and is logged, in its own task.

mod connections;
mod head;
mod stream;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::select_all;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use shared::background::BackgroundTasks;
use shared::config::TrustedProxies;
use shared::http::ClientIp;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::jobs::Jobs;
use connections::{Connection, Connections};
use stream::{Arriving, Stream};

/// The time that requests in flight and background tasks have to finish after the stop.
const GRACE: Duration = Duration::from_secs(10);

/// The largest number of connections, and the trusted proxies.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Below the usual limit of open files of a process.
    pub connections: usize,
    /// The limit for one address, except for trusted proxies. It applies only if proxies are
    /// configured: otherwise all connections may come from one proxy.
    pub connections_per_address: usize,
    pub proxies: TrustedProxies,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 800, connections_per_address: 100, proxies: TrustedProxies::default() }
    }
}

/// Serves until `stop` resolves, then finishes the requests in flight.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    serve_within(Limits::default(), listener, router, stop).await
}

/// Serves like [`serve`], with other limits.
pub async fn serve_within(
    limits: Limits,
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    serve_with_jobs(limits, listener, router, None, stop).await
}

/// Serves like [`serve_within`], and runs scheduled jobs. Runs in flight finish as requests do.
pub async fn serve_with_jobs(
    limits: Limits,
    listener: TcpListener,
    router: Router,
    jobs: Option<Jobs>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let (tasks, graceful) = (TaskTracker::new(), GracefulShutdown::new());
    let connections = Arc::new(Connections::new(limits));
    let carrier = Carrier { router, tasks: tasks.clone(), connections: Arc::clone(&connections) };
    let cutting = tokio::spawn(Arc::clone(&connections).cut_overdue());
    let stopping = CancellationToken::new();
    if let Some(jobs) = jobs {
        tasks.spawn(jobs.run(background(&tasks), stopping.clone()));
    }
    let mut stop = std::pin::pin!(stop);
    loop {
        let admitted = tokio::select! {
            admitted = admit(&listener, &connections) => admitted,
            () = &mut stop => break,
        };
        let Some((stream, peer, slot)) = admitted else { continue };
        let connection = Arc::clone(slot.connection());
        let serving = graceful.watch(carrier.carry(stream, peer, &connection));
        tokio::spawn(async move {
            tokio::select! {
                biased;
                // A broken connection is not an error here.
                _ = serving => {}
                () = connection.is_cut() => {}
            }
            drop(slot);
        });
    }
    drop(listener);
    stopping.cancel();
    tasks.close();
    let finished = async {
        graceful.shutdown().await;
        tasks.wait().await;
    };
    if tokio::time::timeout(GRACE, finished).await.is_err() {
        tracing::warn!("requests were still in flight when the server stopped");
    }
    cutting.abort();
    Ok(())
}

/// Accepts the next connection, if it gets a slot.
async fn admit(
    listener: &TcpListener,
    connections: &Arc<Connections>,
) -> Option<(TcpStream, SocketAddr, connections::Slot)> {
    let Ok((stream, peer)) = listener.accept().await else {
        // The process is probably out of file descriptors. Connections that end free some.
        tokio::time::sleep(Duration::from_millis(50)).await;
        return None;
    };
    let slot = connections.admit(peer.ip()).await?;
    Some((stream, peer, slot))
}

/// The state that all connections share.
#[derive(Clone)]
struct Carrier {
    router: Router,
    tasks: TaskTracker,
    connections: Arc<Connections>,
}

impl Carrier {
    fn carry(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        connection: &Arc<Connection>,
    ) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> + 'static {
        // Without this option, responses are sent slightly later.
        let _ = stream.set_nodelay(true);
        let (carrier, watched) = (self.clone(), Arc::clone(connection));
        let service = service_fn(move |request| {
            let (carrier, connection) = (carrier.clone(), Arc::clone(&watched));
            async move {
                connection.head_arrived();
                let connections = Arc::clone(&carrier.connections);
                let mut response = carrier.answer(request, peer, &connection).await;
                // A response without a length may last as long as its client is connected, so it
                // has no deadline.
                let has_length = response.body().size_hint().exact().is_some();
                if has_length {
                    connection.answered();
                }
                if !has_length || connections.are_short() {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(header::CONNECTION, close);
                }
                Ok::<_, Infallible>(response)
            }
        });
        let stream = TokioIo::new(Stream::new(stream, Arc::clone(connection)));
        // `connections` enforces the time limits.
        http1::Builder::new()
            .header_read_timeout(None::<Duration>)
            .serve_connection(stream, service)
    }

    /// Runs one request to its end, with the caller's address and a queue for background tasks.
    async fn answer(
        self,
        mut request: Request<Incoming>,
        peer: SocketAddr,
        connection: &Arc<Connection>,
    ) -> Response {
        if let Some(refusal) = head::refuse(&request) {
            return refusal;
        }
        let client = head::client(request.headers(), peer.ip(), self.connections.proxies());
        request.extensions_mut().insert(ClientIp(client));
        let Self { router, tasks, .. } = self;
        request.extensions_mut().insert(background(&tasks));
        let request = request.map(|body| Body::new(Arriving::new(body, Arc::clone(connection))));
        match tasks.spawn(router.oneshot(request)).await {
            Ok(Ok(response)) => response,
            // The guard turns a panic into a response. This panic happened outside the guard.
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

/// Runs work after a response in a task that the server waits for when it stops.
fn background(tasks: &TaskTracker) -> BackgroundTasks {
    let tasks = tasks.clone();
    BackgroundTasks::new(move |work| drop(tasks.spawn(work)))
}

/// Resolves when the terminal or the system signals this process to end. It listens from the call,
/// not from the first poll, so that no signal is lost after the process reports that it is ready.
pub fn stop_signal() -> impl Future<Output = ()> + Send + 'static {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    // A signal without a listener ends the process by default.
    let signals = kinds.into_iter().filter_map(|kind| signal(kind).ok());
    let arrivals: Vec<_> =
        signals.map(|mut signal| Box::pin(async move { signal.recv().await })).collect();
    async move {
        match arrivals.is_empty() {
            true => std::future::pending().await,
            false => drop(select_all(arrivals).await),
        }
    }
}
