//! What every handler is given: the configuration and one handle to each thing outside.

use std::ops::Deref;
use std::sync::Arc;

use crate::adapters::http_client::HttpClient;
use crate::adapters::postgres::Store;
use crate::adapters::redis::Redis;
use crate::adapters::redis::limiter::Limiter;
use crate::adapters::stripe::Stripe;
use crate::auth::Auth;
use crate::billing::entitlements::Loads;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::error::chain;
use crate::log;

/// Cheap to clone. Nothing in it connects anywhere before it is first used.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

#[derive(Debug)]
pub struct Parts {
    pub config: Config,
    pub clock: Clock,
    pub http: Arc<HttpClient>,
    pub auth: Auth,
    pub redis: Redis,
    pub limiter: Limiter,
    pub loads: Loads,
    pub store: Store,
    pub stripe: Stripe,
}

/// Connections to Postgres where the configuration names no number.
#[derive(Clone, Copy, Debug)]
pub enum PoolSize {
    /// A function serves few requests at a time, and there may be many of it.
    Function = 2,
    Server = 20,
}

/// The configuration is well-formed and asks for something that cannot be.
#[derive(Debug)]
pub struct StartError(Box<dyn std::error::Error + Send + Sync>);

impl App {
    pub fn new(config: Config, clock: Clock, pool_size: PoolSize) -> Result<Self, StartError> {
        let http = Arc::new(HttpClient::default());
        let redis = Redis::new(Arc::clone(&http), &config.redis)
            .map_err(|error| StartError(error.into()))?;
        let store = Store::new(&config.database, pool_size as usize)
            .map_err(|error| StartError(error.into()))?;
        let stripe = Stripe::new(Arc::clone(&http), &config.stripe)
            .map_err(|error| StartError(error.into()))?;
        Ok(Self(Arc::new(Parts {
            auth: Auth::new(&config.auth, clock.clone(), Arc::clone(&http)),
            limiter: Limiter::new(redis.clone(), clock.clone()),
            loads: Loads::default(),
            http,
            redis,
            store,
            stripe,
            config,
            clock,
        })))
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the configuration cannot be used")
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.0.as_ref())
    }
}

/// What every function's main does first: settings, logging, and the app.
///
/// Whatever is wrong with the settings is logged, all of it, and there is no app.
pub fn start(
    vars: impl Fn(&str) -> Option<String>,
    clock: Clock,
    pool_size: PoolSize,
) -> Option<App> {
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
    started.map_err(|error| tracing::error!(problem = chain(&error), "cannot start")).ok()
}

/// The settings of the environment, as [`start`] takes them.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
