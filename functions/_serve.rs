//! The AWS Lambda host: passes requests from Lambda's runtime to the router.
//!
//! Events come from an HTTP API, a function URL or a schedule, all in payload format 2.0. Every
//! other file in this folder, except `_secrets.rs`, is the main of one function, which names its
//! endpoint.

#[path = "_secrets.rs"]
mod secrets;

use std::convert::Infallible;
use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use futures_util::future::join_all;
use lambda_http::request::RequestContext;
use lambda_http::{Error, Request, RequestExt, run, service_fn};
use shared::app::{self, PoolSize};
use shared::background::BackgroundTasks;
use shared::clock::Clock;
use shared::domain::error::error_chain;
use shared::http::{ClientIp, Endpoint, mount};
use shared::log;
use tower::ServiceExt;

/// Serves one endpoint.
pub fn serve(endpoint: &'static Endpoint) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.map_err(Error::from).and_then(|runtime| {
        runtime.block_on(async {
            let settings = secrets::settings().await?;
            let app = app::start(settings, Clock::default(), PoolSize::Function)
                .ok_or("the app could not start; the error is logged above")?;
            let router = mount(endpoint, &app);
            run(service_fn(move |request| answer(router.clone(), request))).await
        })
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Logging may not have started: the settings contain its level.
            log::start(tracing::Level::INFO);
            tracing::error!(cause = error_chain(error.as_ref()), "the function ended");
            ExitCode::FAILURE
        }
    }
}

async fn answer(router: Router, mut request: Request) -> Result<Response, Infallible> {
    if let Some(ip) = client_ip(&request) {
        request.extensions_mut().insert(ClientIp(ip));
    }
    // Lambda freezes a function after its response, so background work runs before the response.
    let work = Arc::new(Mutex::new(Vec::new()));
    let later = Arc::clone(&work);
    let background = BackgroundTasks::new(move |item| {
        later.lock().unwrap_or_else(PoisonError::into_inner).push(item);
    });
    request.extensions_mut().insert(background);

    let response = router.oneshot(request.map(|body| Body::from(body.to_vec()))).await?;
    let work = std::mem::take(&mut *work.lock().unwrap_or_else(PoisonError::into_inner));
    join_all(work).await;
    Ok(response)
}

/// The client's address as API Gateway or the function URL saw it. Headers are not trusted.
fn client_ip(request: &Request) -> Option<IpAddr> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV2(context) => context.http.source_ip.as_deref()?.parse().ok(),
        _ => None,
    }
}
