//! One HTTP server on one port: what `farebox serve`, `farebox dev` and the tests listen with.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use shared::http::{AfterAnswer, ClientIp};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

/// How long requests in flight, and work after answers, have once the server is told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Serves until `stop` resolves, then finishes what has begun.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let tasks = TaskTracker::new();
    let tracker = tasks.clone();
    let router = router.layer(from_fn(move |request, next| carry(tracker.clone(), request, next)));
    let stopping = tokio_util::sync::CancellationToken::new();
    let told = stopping.clone();
    let server = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move {
            stop.await;
            told.cancel();
        });
    let overdue = async {
        stopping.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = server.into_future() => served.context("the server failed")?,
        () = overdue => tracing::warn!("requests were still in flight at the end"),
    }
    tasks.close();
    if tokio::time::timeout(GRACE, tasks.wait()).await.is_err() {
        tracing::warn!("work was still going on at the end");
    }
    Ok(())
}

/// Gives each request its peer's address and a place for work after its answer.
async fn carry(tasks: TaskTracker, mut request: Request, next: Next) -> Response {
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
        let ip = ClientIp(peer.ip());
        request.extensions_mut().insert(ip);
    }
    request.extensions_mut().insert(AfterAnswer::new(move |work| drop(tasks.spawn(work))));
    next.run(request).await
}

/// Resolves when the terminal or the system asks this process to end.
pub async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = |kind| async move {
        match signal(kind) {
            Ok(mut signals) => drop(signals.recv().await),
            // Without a handler the signal ends the process by itself.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => {}
        () = wait(SignalKind::terminate()) => {}
        () = wait(SignalKind::hangup()) => {}
    }
}
