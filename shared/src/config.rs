//! The settings from the environment, parsed once into types. All problems are reported at once,
//! each with the name of its setting. A message never contains the value of a secret.
//!
//! [`SETTINGS`] lists all settings. The README's table, the Lambda template's parameters and the
//! tests are derived from it. Deliberately absent: files, flags and profiles.

mod app_webhooks;
mod email;
mod organisations;
mod parse;
mod proxies;
mod secret;
mod settings;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

pub use app_webhooks::{AppWebhooks, SigningKey};
pub use email::{Email, Sender, Subjects};
pub use organisations::Organisations;
pub use parse::{Problems, is_this_machine};
pub use proxies::{Network, TrustedProxies};
pub use secret::Secret;
pub use settings::{SETTINGS, Setting};

use crate::domain::{Origins, Rate, SampleRate};
use parse::Reader;

/// The configuration of a function or a server.
#[derive(Clone, Debug)]
pub struct Config {
    pub database: Database,
    pub redis: Redis,
    pub stripe: Stripe,
    pub auth: Auth,
    /// Browser origins that may call, as browsers send them. Checkout returns only to these.
    pub allowed_origins: Origins,
    /// The proxies in front of `farebox serve`. Functions get client addresses from the platform.
    pub trusted_proxies: TrustedProxies,
    /// The named limits of `POST /api/rate-limit`.
    pub rate_limits: BTreeMap<String, Rate>,
    /// If absent, Farebox sends no e-mail to users.
    pub email: Option<Email>,
    /// If absent, plans are not pushed to an identity provider.
    pub clerk: Option<Clerk>,
    /// If absent, the app's server gets no webhooks.
    pub app_webhooks: Option<AppWebhooks>,
    /// The webhook for alerts to operators. It is secret: anyone who knows the URL can post to it.
    pub alert_webhook_url: Option<Secret>,
    pub log_level: tracing::Level,
}

#[derive(Clone, Debug)]
pub struct Database {
    pub url: Secret,
    /// PEM of the authority that signed the server's certificate, if it is not a public one.
    pub ca_certificate: Option<String>,
    /// The maximum number of connections. Each host has its own default.
    pub pool_size: Option<usize>,
    pub schema: Schema,
}

#[derive(Clone, Debug)]
pub struct Redis {
    pub url: Url,
    pub token: Secret,
    /// How long Redis may take to answer, once connected.
    pub timeout: Duration,
    /// The share of API calls that are logged, by way of Redis. If absent, none is.
    pub api_log: Option<SampleRate>,
}

#[derive(Clone, Debug)]
pub struct Stripe {
    pub secret_key: Secret,
    /// A webhook may be signed with any of these.
    pub webhook_secrets: Vec<Secret>,
    /// An event that names an account, as Connect's events do, is ignored unless it names this one.
    pub account: Option<String>,
    /// Take `client_reference_id` as the buyer's user id if nothing else names the buyer.
    pub trusts_client_reference_id: bool,
    pub api_url: Url,
    pub automatic_tax: bool,
    pub portal_configuration: Option<String>,
}

/// Clerk, the identity provider to whose user metadata Farebox pushes each user's plan.
#[derive(Clone, Debug)]
pub struct Clerk {
    pub secret_key: Secret,
    pub api_url: Url,
}

/// The settings of authentication.
#[derive(Clone, Debug)]
pub struct Auth {
    pub jwks: Jwks,
    pub hs256_secret: Option<Secret>,
    pub issuer: String,
    pub audiences: Vec<String>,
    pub authorized_parties: Vec<String>,
    pub admin_claim: Option<AdminClaim>,
    /// If absent, every user acts only for themselves.
    pub organisations: Option<Organisations>,
    pub clock_skew_seconds: u32,
    /// The longest lifetime of a token. An erased user's id is remembered for as long.
    pub token_lifetime_hours: u32,
    pub service_keys: Vec<ServiceKeyHash>,
    pub cron_secret: Option<Secret>,
}

/// The sources of the identity provider's public keys. With both, the URL is fetched only for keys
/// that are not inline.
#[derive(Clone, Debug)]
pub struct Jwks {
    pub inline: Option<String>,
    pub url: Option<Url>,
}

/// The claim that makes a user an admin, such as `metadata.role=admin`: its path in the token's
/// claims, and its value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AdminClaim {
    pub path: String,
    pub value: String,
}

/// The rights of a service key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    Service,
    Admin,
}

/// A service key in the configuration: only its SHA-256, never the key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceKeyHash {
    pub scope: Scope,
    pub sha256: [u8; 32],
}

/// The Postgres schema of Farebox's tables: a plain lower-case name, safe to write into SQL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Schema(String);

impl Config {
    pub fn from_vars(vars: impl Fn(&str) -> Option<String>) -> Result<Self, Problems> {
        let mut reader = Reader::new(&vars);
        let database = read_database(&mut reader);
        let redis = read_redis(&mut reader);
        let stripe = read_stripe(&mut reader);
        let auth = read_auth(&mut reader);
        let allowed_origins = Origins::new(reader.list("ALLOWED_ORIGINS", parse::origin));
        let trusted_proxies = TrustedProxies::new(reader.list("TRUSTED_PROXIES", str::parse));
        let rate_limits = reader.list("RATE_LIMITS", parse::named_rate).into_iter().collect();
        let email = email::read(&mut reader);
        let clerk = read_clerk(&mut reader);
        let app_webhooks = app_webhooks::read(&mut reader);
        let alert_webhook_url = reader.parsed("ALERT_WEBHOOK_URL", parse::secret_url);
        let log_level = reader
            .parsed("LOG_LEVEL", |text| {
                tracing::Level::from_str(text)
                    .map_err(|_| "must be error, warn, info, debug or trace")
            })
            .unwrap_or(tracing::Level::INFO);
        let problems = reader.finish();
        match (database, redis, stripe, auth) {
            (Some(database), Some(redis), Some(stripe), Some(auth)) if problems.is_empty() => {
                Ok(Self {
                    database,
                    redis,
                    stripe,
                    auth,
                    allowed_origins,
                    trusted_proxies,
                    rate_limits,
                    email,
                    clerk,
                    app_webhooks,
                    alert_webhook_url,
                    log_level,
                })
            }
            _ => Err(problems),
        }
    }
}

fn read_database(reader: &mut Reader<'_>) -> Option<Database> {
    let url = reader.required("DATABASE_URL", parse::postgres_url);
    let ca_certificate = reader.parsed("DATABASE_CA_CERT", parse::pem);
    let pool_size = reader.parsed("DATABASE_POOL_SIZE", |text| parse::within(text, 1..=500));
    let schema = reader.parsed("FAREBOX_SCHEMA", str::parse).unwrap_or_default();
    Some(Database { url: url?, ca_certificate, pool_size, schema })
}

fn read_redis(reader: &mut Reader<'_>) -> Option<Redis> {
    let url = reader.required_either("UPSTASH_REDIS_REST_URL", "KV_REST_API_URL", parse::redis_url);
    let token =
        reader.required_either("UPSTASH_REDIS_REST_TOKEN", "KV_REST_API_TOKEN", parse::secret);
    let timeout = reader.parsed("REDIS_TIMEOUT_MS", |text| parse::within(text, 10..=2_000));
    let timeout = timeout.map_or(Redis::TIMEOUT, Duration::from_millis);
    let api_log = reader.parsed("API_LOG", parse::api_log).flatten();
    Some(Redis { url: url?, token: token?, timeout, api_log })
}

fn read_stripe(reader: &mut Reader<'_>) -> Option<Stripe> {
    let secret_key = reader.required("STRIPE_SECRET_KEY", parse::stripe_key);
    let webhook_secrets = reader.list("STRIPE_WEBHOOK_SECRET", parse::webhook_secret);
    let account = reader.parsed("STRIPE_ACCOUNT", parse::stripe_account);
    let trusts_client_reference_id =
        reader.parsed("STRIPE_TRUST_CLIENT_REFERENCE_ID", parse::boolean).unwrap_or(false);
    let api_url = reader.parsed("STRIPE_API_URL", parse::http_url);
    let automatic_tax = reader.parsed("STRIPE_AUTOMATIC_TAX", parse::boolean).unwrap_or(false);
    let portal_configuration = reader.parsed("STRIPE_PORTAL_CONFIGURATION", parse::text);
    let api_url = api_url.or_else(|| Url::parse(Stripe::API_URL).ok())?;
    Some(Stripe {
        secret_key: secret_key?,
        webhook_secrets,
        account,
        trusts_client_reference_id,
        api_url,
        automatic_tax,
        portal_configuration,
    })
}

fn read_clerk(reader: &mut Reader<'_>) -> Option<Clerk> {
    let secret_key = reader.parsed("CLERK_SECRET_KEY", parse::secret);
    let api_url = reader.parsed("CLERK_API_URL", parse::http_url);
    let api_url = api_url.or_else(|| Url::parse(Clerk::API_URL).ok())?;
    Some(Clerk { secret_key: secret_key?, api_url })
}

fn read_auth(reader: &mut Reader<'_>) -> Option<Auth> {
    let inline = reader.parsed("AUTH_JWKS", parse::jwks);
    let url = reader.parsed("AUTH_JWKS_URL", parse::http_url);
    let hs256_secret = reader.parsed("AUTH_HS256_SECRET", parse::hs256_secret);
    let jwks = Jwks { inline, url };
    let keys = ["AUTH_JWKS_URL", "AUTH_JWKS", "AUTH_HS256_SECRET"];
    if !keys.into_iter().any(|name| reader.is_set(name)) {
        reader.problem("AUTH_JWKS_URL, AUTH_JWKS or AUTH_HS256_SECRET", "one of them must be set");
    }
    let issuer = reader.required("AUTH_ISSUER", parse::text);
    let auth = Auth {
        jwks,
        hs256_secret,
        issuer: issuer.unwrap_or_default(),
        audiences: reader.list("AUTH_AUDIENCE", parse::text),
        authorized_parties: reader.list("AUTH_AUTHORIZED_PARTIES", parse::text),
        admin_claim: reader.parsed("AUTH_ADMIN_CLAIM", parse::admin_claim),
        organisations: organisations::read(reader),
        clock_skew_seconds: reader
            .parsed("AUTH_CLOCK_SKEW_SECONDS", |text| parse::within(text, 0..=300))
            .unwrap_or(30),
        token_lifetime_hours: reader
            .parsed("AUTH_TOKEN_LIFETIME_HOURS", |text| parse::within(text, 1..=8_760))
            .unwrap_or(24),
        service_keys: reader.list("SERVICE_KEYS", parse::service_key_hash),
        cron_secret: reader.parsed("CRON_SECRET", parse::cron_secret),
    };
    Some(auth)
}

impl Clerk {
    const API_URL: &str = "https://api.clerk.com";
}

impl Redis {
    /// With a longer timeout, Redis would be slower than Postgres.
    const TIMEOUT: Duration = Duration::from_millis(200);
}

impl Stripe {
    const API_URL: &str = "https://api.stripe.com";

    /// Reads only Stripe's settings, for callers that need no others.
    pub fn from_vars(vars: impl Fn(&str) -> Option<String>) -> Result<Self, Problems> {
        let mut reader = Reader::new(&vars);
        let stripe = read_stripe(&mut reader);
        let problems = reader.finish();
        stripe.filter(|_| problems.is_empty()).ok_or(problems)
    }

    /// Returns whether the secret key is a live-mode key. Events of the other mode are ignored.
    pub fn is_live(&self) -> bool {
        ["sk_live_", "rk_live_"].iter().any(|live| self.secret_key.expose().starts_with(live))
    }
}

impl Database {
    /// Reads only Postgres's settings, for callers that need no others.
    pub fn from_vars(vars: impl Fn(&str) -> Option<String>) -> Result<Self, Problems> {
        let mut reader = Reader::new(&vars);
        let database = read_database(&mut reader);
        let problems = reader.finish();
        database.filter(|_| problems.is_empty()).ok_or(problems)
    }
}

impl Schema {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Schema {
    fn default() -> Self {
        Self("public".to_owned())
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Schema {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
        if !plain || !starts_well || name.len() > 63 || name.starts_with("pg_") {
            return Err("must be a schema name of lower-case letters, digits and _");
        }
        Ok(Self(name.to_owned()))
    }
}

#[cfg(test)]
mod tests;
