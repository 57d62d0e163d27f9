//! One HTTP server on one port: what `farebox serve`, `farebox dev` and the tests listen with.
//!
//! Whoever opens connections and says nothing is cut off, and whoever hangs up does not stop what
//! they asked for: a request that has begun is finished, and logged, in a task of its own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::future::select_all;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use shared::http::{AfterAnswer, ClientIp};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// How long requests in flight, and work after answers, have once the server is told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How long a request's head may take, and an idle connection may stay.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// More connections wait to be accepted. Below the usual limit of open files of a process.
const MAX_CONNECTIONS: usize = 800;

/// Serves until `stop` resolves, then finishes what has begun.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let (tasks, connections) = (TaskTracker::new(), GracefulShutdown::new());
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut stop = std::pin::pin!(stop);
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let accepted = tokio::select! {
            accepted = async { (place.await, listener.accept().await) } => accepted,
            () = &mut stop => break,
        };
        let (Ok(place), Ok((stream, peer))) = accepted else {
            // Out of file descriptors, most likely: some come back as connections end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let connection = connections.watch(connection(stream, peer, &router, &tasks));
        tokio::spawn(async move {
            // A connection that breaks is its client's affair.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    tasks.close();
    let finished = async {
        connections.shutdown().await;
        tasks.wait().await;
    };
    if tokio::time::timeout(GRACE, finished).await.is_err() {
        tracing::warn!("requests were still in flight at the end");
    }
    Ok(())
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: &Router,
    tasks: &TaskTracker,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> + 'static {
    // An answer leaves at once; where that cannot be set it leaves a little later.
    let _ = stream.set_nodelay(true);
    let (router, tasks) = (router.clone(), tasks.clone());
    let service = service_fn(move |request| answer(request, peer, router.clone(), tasks.clone()));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(stream), service)
}

/// Gives a request its peer's address and a place for work after its answer, and sees it through.
async fn answer(
    mut request: Request<Incoming>,
    peer: SocketAddr,
    router: Router,
    tasks: TaskTracker,
) -> Result<Response, Infallible> {
    request.extensions_mut().insert(ClientIp(peer.ip()));
    let later = tasks.clone();
    request.extensions_mut().insert(AfterAnswer::new(move |work| drop(later.spawn(work))));
    let answered = tasks.spawn(router.oneshot(request.map(Body::new))).await;
    Ok(match answered {
        Ok(Ok(response)) => response,
        // The guard turns a panic into an answer; this is one outside of every guard.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    })
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
