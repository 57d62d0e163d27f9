//! The state that handlers share: the configuration, and a handle to each outside service.

use std::sync::Arc;

use crate::adapters::http_client::HttpClient;
use crate::adapters::postgres::Postgres;
use crate::adapters::redis::Redis;
use crate::adapters::redis::limiter::Limiter;
use crate::adapters::single_flight::SingleFlight;
use crate::adapters::stripe::Stripe;
use crate::auth::Auth;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::error::error_chain;
use crate::domain::{Entitlement, UserId};
use crate::log;

/// The state of all handlers, as `State<Arc<App>>`. It opens connections only on first use.
#[derive(Debug)]
pub struct App {
    pub config: Config,
    pub clock: Clock,
    pub http: Arc<HttpClient>,
    pub auth: Auth,
    pub redis: Redis,
    pub limiter: Limiter,
    pub postgres: Postgres,
    pub stripe: Stripe,
    /// The entitlements that this process is loading from Postgres.
    pub entitlement_loads: SingleFlight<UserId, Option<Entitlement>>,
}

/// The maximum number of Postgres connections if `DATABASE_POOL_SIZE` is not set.
#[derive(Clone, Copy, Debug)]
pub enum PoolSize {
    /// A function serves few requests at a time, and many instances of it may run.
    Function = 2,
    Server = 20,
}

/// An error for a configuration that is well-formed but cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the configuration cannot be used")]
pub struct StartError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl App {
    pub fn new(config: Config, clock: Clock, pool_size: PoolSize) -> Result<Arc<Self>, StartError> {
        let token_clock = clock.clone();
        Self::with_token_clock(config, clock, token_clock, pool_size)
    }

    /// Like [`App::new`], but tokens are checked by another clock. The local stack advances its
    /// clock, and a token that was made before must still work.
    pub fn with_token_clock(
        config: Config,
        clock: Clock,
        token_clock: Clock,
        pool_size: PoolSize,
    ) -> Result<Arc<Self>, StartError> {
        let http = Arc::new(HttpClient::default());
        let redis = Redis::new(Arc::clone(&http), &config.redis)
            .map_err(|error| StartError(error.into()))?;
        let postgres = Postgres::new(&config.database, pool_size as usize)
            .map_err(|error| StartError(error.into()))?;
        let stripe = Stripe::new(Arc::clone(&http), &config.stripe)
            .map_err(|error| StartError(error.into()))?;
        Ok(Arc::new(Self {
            auth: Auth::new(&config.auth, token_clock, Arc::clone(&http)),
            limiter: Limiter::new(redis.clone(), clock.clone()),
            entitlement_loads: SingleFlight::default(),
            http,
            redis,
            postgres,
            stripe,
            config,
            clock,
        }))
    }
}

/// Reads the settings, starts logging and creates the app. Every function calls it first.
///
/// Logs every problem of the settings, and returns `None` if there is one.
pub fn start(
    vars: impl Fn(&str) -> Option<String>,
    clock: Clock,
    pool_size: PoolSize,
) -> Option<Arc<App>> {
    let config = Config::from_vars(vars);
    log::start(config.as_ref().map_or(tracing::Level::INFO, |config| config.log_level));
    let started = match config {
        Ok(config) => App::new(config, clock, pool_size),
        Err(problems) => {
            for problem in problems.iter() {
                tracing::error!(problem, "the configuration is wrong");
            }
            return None;
        }
    };
    started.map_err(|error| tracing::error!(problem = error_chain(&error), "cannot start")).ok()
}

/// Reads a setting from the environment, for the `vars` of [`start`].
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
