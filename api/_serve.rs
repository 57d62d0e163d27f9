//! The Vercel host: passes requests from Vercel's runtime to the router.
//!
//! Every other file in this folder is the main of one function, which names its endpoint.

use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http_body_util::BodyExt;
use shared::app::{self, PoolSize};
use shared::background::BackgroundTasks;
use shared::clock::Clock;
use shared::http::{ClientIp, Endpoint, mount_all};
use tokio::sync::RwLock;
use tower::ServiceExt;
use vercel_runtime::{AppState, Error, Request, Response, ResponseBody, run, service_fn};

/// The time for the last responses to be written to the socket before the process ends.
const LAST_BYTES: Duration = Duration::from_millis(50);

/// Serves one endpoint.
pub fn serve(endpoint: &'static Endpoint) -> ExitCode {
    serve_all(&[endpoint])
}

/// Serves several endpoints from one function.
pub fn serve_all(endpoints: &[&'static Endpoint]) -> ExitCode {
    let Some(app) = app::start(app::environment, Clock::default(), PoolSize::Function) else {
        return ExitCode::FAILURE;
    };
    let router = mount_all(endpoints, &app);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.map_err(Error::from).and_then(|runtime| {
        runtime.block_on(async {
            let gate = Arc::new(RwLock::new(()));
            let open = Arc::clone(&gate);
            let answer =
                move |request, state| answer(router.clone(), Arc::clone(&open), request, state);
            // At SIGTERM the runtime accepts no more connections, but open ones can send requests,
            // and it waits for background work but not for requests.
            let served = run(service_fn(answer)).await;
            let _closed = gate.write().await;
            app.redis.send_logged_calls().await;
            tokio::time::sleep(LAST_BYTES).await;
            served
        })
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(cause = %error, "the runtime ended");
            ExitCode::FAILURE
        }
    }
}

/// Answers one request. The request and its background work hold the gate until they are done. A
/// request that finds the gate closed is not begun, and its connection ends with the process.
async fn answer(
    router: Router,
    gate: Arc<RwLock<()>>,
    mut request: Request,
    state: AppState,
) -> Result<Response<ResponseBody>, Error> {
    let in_progress = Arc::new(gate.read_owned().await);
    if let Some(ip) = client_ip(&request) {
        request.extensions_mut().insert(ClientIp(ip));
    }
    let held = Arc::clone(&in_progress);
    let background = BackgroundTasks::new(move |work| {
        let held = Arc::clone(&held);
        state.wait_until(async move {
            work.await;
            drop(held);
        });
    });
    request.extensions_mut().insert(background);

    let response = router.oneshot(request.map(Body::new)).await?;
    let (head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    drop(in_progress);
    Ok(Response::from_parts(head, ResponseBody::from(body)))
}

/// The client's address. Vercel's proxy overwrites this header, so callers cannot forge it.
fn client_ip(request: &Request) -> Option<IpAddr> {
    request.headers().get("x-real-ip")?.to_str().ok()?.parse().ok()
}
