//! From the `Authorization` header to a [`Caller`].
//!
//! A bearer token is a JWT of the app's identity provider, a service key, or the cron secret.
//! Whatever is wrong with one, the answer is 401: it never depends on a database, and a provider
//! that is down only means that no new key can be learned. Only while no key was ever learned is the
//! answer 503, since no token can be judged. What a caller may do with a route stands
//! in the endpoint table; that a user acts for themselves alone is [`Caller::act_for`].

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
use crate::domain::UserId;
use crate::domain::error::{Error, ErrorCode, Result};
use crate::domain::hash::hex;
use crate::domain::jwk::Algorithm;
use keys::KeyRing;

/// Who is calling.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Caller {
    /// Nobody who said so: a public route.
    Anonymous,
    User {
        id: UserId,
        admin: bool,
    },
    /// A trusted server, by the first digits of its key's hash.
    Service {
        key: String,
        admin: bool,
    },
    Cron,
}

#[derive(Debug)]
pub struct Auth {
    config: config::Auth,
    clock: Clock,
    keys: Arc<KeyRing>,
}

impl Caller {
    /// The kind, for the log: it names nobody.
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

    /// Who it was, for the audit trail.
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

    /// A trusted server or an admin, whose word about others counts.
    pub fn is_trusted(&self) -> bool {
        self.is_admin() || matches!(self, Self::Service { .. })
    }

    /// The user this request is about, given every id it names. A user acts for themselves alone;
    /// a trusted caller for whom it names, but for one user at a time.
    pub fn act_for(&self, named: &[String]) -> Result<Option<UserId>> {
        let (own, may_name_others) = match self {
            Self::Anonymous | Self::Cron => return Ok(None),
            Self::User { id, admin } => (Some(id), *admin),
            Self::Service { .. } => (None, true),
        };
        let Some(first) = named.first() else { return Ok(own.cloned()) };
        if !may_name_others
            && named.iter().any(|name| Some(name.as_str()) != own.map(UserId::as_str))
        {
            return Err(Error::new(ErrorCode::OtherUser, "You may only act for yourself."));
        }
        if named.iter().any(|name| name != first) {
            return Err(Error::invalid("userId", "names two different users"));
        }
        match UserId::try_from(first.clone()) {
            Ok(id) => Ok(Some(id)),
            Err(what) => Err(Error::invalid("userId", what)),
        }
    }
}

impl Auth {
    pub fn new(config: &config::Auth, clock: Clock, http: Arc<HttpClient>) -> Self {
        let keys = Arc::new(KeyRing::new(&config.jwks, clock.clone(), http));
        Self { config: config.clone(), clock, keys }
    }

    /// How long an erased user's id is remembered.
    pub fn token_lifetime_seconds(&self) -> u32 {
        // Its exp may be as much further away as clocks may differ, and it is believed for as much longer.
        self.config.token_lifetime_hours * 3_600 + 2 * self.config.clock_skew_seconds
    }

    /// Asks the identity provider for its keys, for the operator's check. Answers how many there are.
    pub async fn check_keys(&self) -> Result<usize, String> {
        self.keys.check().await
    }

    /// A user or a trusted server, by what the request carries.
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
            return Err(jwt::refused("Its signature is not one we trust."));
        }
        token.claims(&self.config, self.clock.now())
    }

    /// The platform's scheduler.
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
        let known = known.ok_or_else(|| jwt::refused("The service key is not known here."))?;
        Ok(Caller::Service { key: hex(&hash[..4]), admin: known.scope == Scope::Admin })
    }
}

/// The one bearer token. Two `Authorization` headers are refused: whoever reads the other one might
/// see another caller.
fn bearer(headers: &HeaderMap) -> Result<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        let message = "Send one Authorization header: Bearer and a token.";
        return Err(Error::new(ErrorCode::MissingToken, message));
    };
    let (scheme, token) = value.to_str().unwrap_or_default().split_once(' ').unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
        let message = "The Authorization header must be Bearer and a token.";
        return Err(Error::new(ErrorCode::MissingToken, message));
    }
    Ok(token.trim())
}

#[cfg(test)]
mod tests;
