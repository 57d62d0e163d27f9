//! One HTTP server on one port: what `farebox serve`, `farebox dev` and the tests listen with.
//!
//! A client that sends nothing, or reads nothing, is cut off after a while, and at once where a new
//! connection needs its place. A client that hangs up does not stop its request: a request that has
//! begun is finished, and logged, in a task of its own.

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
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use connections::{Connection, Connections};
use stream::{Arriving, Stream};

/// How long requests in flight, and work after answers, have once the server is told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How many connections one server holds, and which proxies stand in front of it.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Below the usual limit of open files of a process.
    pub connections: usize,
    /// Of one address that is no proxy's. Counted only where proxies are named: without their names,
    /// all connections may come from one proxy.
    pub connections_per_address: usize,
    pub proxies: TrustedProxies,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 800, connections_per_address: 100, proxies: TrustedProxies::default() }
    }
}

/// Serves until `stop` resolves, then finishes what has begun.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    serve_within(Limits::default(), listener, router, stop).await
}

/// The same, within limits of its own.
pub async fn serve_within(
    limits: Limits,
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let (tasks, graceful) = (TaskTracker::new(), GracefulShutdown::new());
    let connections = Arc::new(Connections::new(limits));
    let carrier = Carrier { router, tasks: tasks.clone(), connections: Arc::clone(&connections) };
    let cutting = tokio::spawn(Arc::clone(&connections).cut_overdue());
    let mut stop = std::pin::pin!(stop);
    loop {
        let admitted = tokio::select! {
            admitted = admit(&listener, &connections) => admitted,
            () = &mut stop => break,
        };
        let Some((stream, peer, place)) = admitted else { continue };
        let connection = Arc::clone(place.connection());
        let serving = graceful.watch(carrier.carry(stream, peer, &connection));
        tokio::spawn(async move {
            tokio::select! {
                biased;
                // A connection that breaks is its client's affair.
                _ = serving => {}
                () = connection.is_cut() => {}
            }
            drop(place);
        });
    }
    drop(listener);
    tasks.close();
    let finished = async {
        graceful.shutdown().await;
        tasks.wait().await;
    };
    if tokio::time::timeout(GRACE, finished).await.is_err() {
        tracing::warn!("requests were still in flight at the end");
    }
    cutting.abort();
    Ok(())
}

/// The next connection, if there is a place for it.
async fn admit(
    listener: &TcpListener,
    connections: &Arc<Connections>,
) -> Option<(TcpStream, SocketAddr, connections::Place)> {
    let Ok((stream, peer)) = listener.accept().await else {
        // Out of file descriptors, most likely: some come back as connections end.
        tokio::time::sleep(Duration::from_millis(50)).await;
        return None;
    };
    let place = connections.admit(peer.ip()).await?;
    Some((stream, peer, place))
}

/// The parts that every request of every connection needs.
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
        // An answer leaves at once; where that cannot be set it leaves a little later.
        let _ = stream.set_nodelay(true);
        let (carrier, watched) = (self.clone(), Arc::clone(connection));
        let service = service_fn(move |request| {
            let (carrier, connection) = (carrier.clone(), Arc::clone(&watched));
            async move {
                connection.head_arrived();
                let connections = Arc::clone(&carrier.connections);
                let mut response = carrier.answer(request, peer, &connection).await;
                // One without a length ends when its client hangs up: nothing is expected before that.
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
        // Times are kept by `connections`, which also knows whose place is needed.
        http1::Builder::new()
            .header_read_timeout(None::<Duration>)
            .serve_connection(stream, service)
    }

    /// Gives a request its caller's address and a place for work after its answer, and sees it through.
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
        let later = tasks.clone();
        request.extensions_mut().insert(BackgroundTasks::new(move |work| drop(later.spawn(work))));
        let request = request.map(|body| Body::new(Arriving::new(body, Arc::clone(connection))));
        match tasks.spawn(router.oneshot(request)).await {
            Ok(Ok(response)) => response,
            // The guard turns a panic into an answer; this is one outside of every guard.
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

/// Resolves when the terminal or the system asks this process to end. Listening for it begins at the
/// call, not at the first poll: a process that has said it is ready can be told to stop.
pub fn asked_to_stop() -> impl Future<Output = ()> + Send + 'static {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    // A signal that cannot be listened for ends the process by itself.
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
