//! The AWS Lambda host: passes requests from Lambda's runtime to the router.
//!
//! An HTTP API or a function URL sends requests as events of payload format 2.0. EventBridge invokes
//! the function of a job with an event of its own. IAM decides who may invoke a function, so such a
//! call needs no cron secret.
//!
//! Every other file in this folder, except those that begin with `_`, is the main of one function,
//! which names its endpoint.

#[path = "_background.rs"]
mod background;
#[path = "_http.rs"]
mod http;
#[path = "_schedule.rs"]
mod schedule;
#[path = "_secrets.rs"]
mod secrets;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use lambda_http::lambda_runtime::{LambdaEvent, run};
use lambda_http::request::LambdaRequest;
use lambda_http::{Error, service_fn};
use shared::app::{self, PoolSize};
use shared::clock::Clock;
use shared::domain::error::error_chain;
use shared::http::{Endpoint, mount};
use shared::log;

use background::Background;
use http::Answer;
use secrets::Settings;

/// Serves one endpoint.
pub fn serve(endpoint: &'static Endpoint) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.map_err(Error::from).and_then(|runtime| {
        runtime.block_on(async {
            let host = Arc::new(Host::start(endpoint).await?);
            run(service_fn(move |event: LambdaEvent<_>| Arc::clone(&host).answer(event.payload)))
                .await
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

struct Host {
    endpoint: &'static Endpoint,
    background: Background,
    current: Mutex<Current>,
}

/// The settings, and the router that uses them.
#[derive(Clone)]
struct Current {
    settings: Arc<Settings>,
    router: Router,
}

impl Host {
    async fn start(endpoint: &'static Endpoint) -> Result<Self, Error> {
        let current = Current::with(Settings::read().await?, endpoint)?;
        let background = Background::new(endpoint.access);
        Ok(Self { endpoint, background, current: Mutex::new(current) })
    }

    async fn answer(self: Arc<Self>, event: LambdaRequest) -> Result<Answer, Error> {
        let Current { settings, router } =
            self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if settings.are_due() {
            let host = Arc::clone(&self);
            self.background.tasks().run(async move { host.refresh(&settings).await });
        }
        let answer = self.handle(event, router).await;
        self.background.wait().await;
        answer
    }

    async fn handle(&self, event: LambdaRequest, router: Router) -> Result<Answer, Error> {
        match event {
            LambdaRequest::ApiGatewayV2(event) => {
                http::answer(event, router, self.background.tasks()).await
            }
            LambdaRequest::PassThrough(event) => {
                schedule::answer(&event, self.endpoint, router, self.background.tasks()).await
            }
            _ => Err("an event of this kind needs a feature that is not compiled in".into()),
        }
    }

    /// Reads the secret again, so that a rotated one reaches a running function. While it cannot be
    /// read, the old settings stay.
    async fn refresh(&self, settings: &Settings) {
        let changed = match settings.refreshed().await {
            Ok(None) => return,
            Ok(Some(settings)) => Current::with(settings, self.endpoint),
            Err(error) => Err(error.into()),
        };
        match changed {
            Ok(changed) => {
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = changed;
                tracing::info!("the settings in the secret have changed");
            }
            Err(error) => {
                tracing::warn!(cause = error_chain(error.as_ref()), "the old settings stay in use");
            }
        }
    }
}

impl Current {
    fn with(settings: Settings, endpoint: &'static Endpoint) -> Result<Self, Error> {
        let app = app::start(|name| settings.get(name), Clock::default(), PoolSize::Function);
        let app = app.ok_or("the app could not start; the error is logged above")?;
        Ok(Self { settings: Arc::new(settings), router: mount(endpoint, &app) })
    }
}
