//! Authentication: turns the `Authorization` header into a [`Caller`].
//!
//! A bearer token is a JWT of the app's identity provider, a service key, or the cron secret. An
//! invalid token is answered with 401. No check needs a database. While the identity provider is
//! down, the known keys stay in use; the answer is 503 only if no key was ever fetched.
//!
//! The endpoint table lists which callers may use a route. [`Caller::act_for`] decides whose
//! account a request is about: for every route, no other code does.

mod acting;
mod jwt;
mod keys;
pub mod service_key;

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use ring::digest::{SHA256, digest};

use crate::adapters::http_client::HttpClient;
use crate::background::BackgroundTasks;
use crate::clock::Clock;
use crate::config::{self, Scope};
use crate::domain::error::{Error, ErrorCode, Result};
use crate::domain::hash::hex;
use crate::domain::jwk::Algorithm;
use crate::domain::{Permission, UserId};
use keys::KeyRing;

pub use acting::{Acting, Named};

/// The caller of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Caller {
    /// An unauthenticated caller: of a public route, or of the Stripe webhook.
    Anonymous,
    User {
        id: UserId,
        /// The organisation that the token names.
        organisation: Option<Membership>,
        admin: bool,
    },
    /// A trusted server. `key` is the first digits of the service key's hash.
    Service {
        key: String,
        admin: bool,
    },
    Cron,
}

/// A user's membership of the organisation for which they act.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Membership {
    pub organisation: UserId,
    pub permission: Permission,
}

#[derive(Debug)]
pub struct Auth {
    config: config::Auth,
    clock: Clock,
    keys: Arc<KeyRing>,
}

impl Caller {
    /// Returns the kind of caller for the log, without an id.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Anonymous => "anyone",
            Self::User { admin: false, .. } => "user",
            Self::User { admin: true, .. } => "admin-user",
            Self::Service { admin: false, .. } => "service",
            Self::Service { admin: true, .. } => "admin",
            Self::Cron => "cron",
        }
    }

    /// Returns the name of the caller for the audit trail.
    pub fn audit_name(&self) -> String {
        match self {
            Self::User { id, .. } => format!("user {id}"),
            Self::Service { key, .. } => format!("key {key}"),
            Self::Anonymous | Self::Cron => self.kind().to_owned(),
        }
    }

    pub fn is_admin(&self) -> bool {
        matches!(self, Self::User { admin: true, .. } | Self::Service { admin: true, .. })
    }

    /// Returns whether the caller may name other users: a trusted server or an admin.
    pub fn is_trusted(&self) -> bool {
        self.is_admin() || matches!(self, Self::Service { .. })
    }
}

impl Auth {
    pub fn new(config: &config::Auth, clock: Clock, http: Arc<HttpClient>) -> Self {
        let keys = Arc::new(KeyRing::new(&config.jwks, clock.clone(), http));
        Self { config: config.clone(), clock, keys }
    }

    /// Returns how long to remember an erased user's id: as long as a token of it may be accepted.
    pub fn token_lifetime_seconds(&self) -> u32 {
        // The clock skew counts twice: `exp` may exceed the lifetime by it, and a token is accepted
        // until that long after `exp`.
        self.config.token_lifetime_hours * 3_600 + 2 * self.config.clock_skew_seconds
    }

    /// Fetches the identity provider's keys and returns their number, for the operator's check.
    pub async fn check_keys(&self) -> Result<usize, String> {
        self.keys.check().await
    }

    /// Authenticates a user or a trusted server.
    pub async fn caller(
        &self,
        headers: &HeaderMap,
        background: &BackgroundTasks,
    ) -> Result<Caller> {
        let token = bearer(headers)?;
        if token.starts_with(service_key::PREFIX) {
            return self.service(token);
        }
        let token = jwt::Token::parse(token)?;
        let verified = match token.algorithm() {
            Algorithm::Hs256 => {
                let secret = self.config.hs256_secret.as_ref();
                secret.is_some_and(|secret| token.is_signed_with_secret(secret.expose().as_bytes()))
            }
            algorithm => {
                let keys = self.keys.matching(token.key_id(), algorithm, background).await?;
                keys.iter().any(|key| token.is_signed_with(key))
            }
        };
        if !verified {
            return Err(jwt::refused("Its signature does not match a trusted key."));
        }
        token.claims(&self.config, self.clock.now())
    }

    /// Authenticates the platform's scheduler.
    pub fn cron(&self, headers: &HeaderMap) -> Result<Caller> {
        let token = bearer(headers)?;
        let same = self.config.cron_secret.as_ref().is_some_and(|secret| {
            // Comparing hashes takes the same time wherever two values differ.
            digest(&SHA256, secret.expose().as_bytes()).as_ref()
                == digest(&SHA256, token.as_bytes()).as_ref()
        });
        if same { Ok(Caller::Cron) } else { Err(jwt::refused("It is not the cron secret.")) }
    }

    fn service(&self, token: &str) -> Result<Caller> {
        if !service_key::is_well_formed(token) {
            return Err(jwt::refused("A character of the service key is missing or wrong."));
        }
        let hash = service_key::sha256(token);
        let known = self.config.service_keys.iter().find(|key| key.sha256 == hash);
        let known = known.ok_or_else(|| jwt::refused("The service key is not in SERVICE_KEYS."))?;
        Ok(Caller::Service { key: hex(&hash[..4]), admin: known.scope == Scope::Admin })
    }
}

/// Returns the bearer token. Two `Authorization` headers are refused, because a proxy might use the
/// other one and see another caller.
fn bearer(headers: &HeaderMap) -> Result<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        let message = "Send one Authorization header, in the form: Bearer <token>.";
        return Err(Error::new(ErrorCode::MissingToken, message));
    };
    let (scheme, token) = value.to_str().unwrap_or_default().split_once(' ').unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
        let message = "The Authorization header must have the form: Bearer <token>.";
        return Err(Error::new(ErrorCode::MissingToken, message));
    }
    Ok(token.trim())
}

#[cfg(test)]
mod tests;
