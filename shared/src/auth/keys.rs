//! The identity provider's public keys, configured inline or fetched and cached.
//!
//! A token with an unknown key makes Farebox fetch the keys, at most once a minute however many
//! such tokens arrive. Known keys are refreshed after a response, if the host allows background
//! work. They stay in use while the provider is down.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::http::Request;
use http_body_util::Full;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;
use url::Url;

use crate::adapters::http_client::{Budget, HttpClient};
use crate::background::BackgroundTasks;
use crate::clock::Clock;
use crate::config::Jwks;
use crate::domain::error::{Error, ErrorCode, Result, error_chain};
use crate::domain::jwk::{Algorithm, PublicKey, parse_key_set};

const BUDGET: Budget = Budget {
    connect: Duration::from_millis(500),
    answer: Duration::from_millis(500),
    max_bytes: 256 * 1024,
};

/// Keys older than this are fetched again after the next response.
const FRESH_FOR: SignedDuration = SignedDuration::from_mins(10);
const FETCH_INTERVAL: SignedDuration = SignedDuration::from_mins(1);
/// The interval while no key is known. It is shorter, because no user can be authenticated.
const FETCH_INTERVAL_WITHOUT_KEYS: SignedDuration = SignedDuration::from_secs(5);

#[derive(Debug)]
pub(super) struct KeyRing {
    url: Option<Url>,
    clock: Clock,
    http: Arc<HttpClient>,
    known: RwLock<Known>,
    /// The time of the last fetch. The lock is held during a fetch, so that one request fetches for
    /// all.
    last_fetch: Mutex<Option<Timestamp>>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    keys: Arc<[PublicKey]>,
    fetched_at: Option<Timestamp>,
}

impl KeyRing {
    /// Starts with the inline keys, if any are configured. Newer keys come from the URL.
    pub(super) fn new(jwks: &Jwks, clock: Clock, http: Arc<HttpClient>) -> Self {
        let inline = jwks.inline.as_deref().and_then(|json| parse_key_set(json.as_bytes()));
        let known = RwLock::new(Known { keys: inline.unwrap_or_default(), fetched_at: None });
        Self { url: jwks.url.clone(), clock, http, known, last_fetch: Mutex::default() }
    }

    /// Returns the keys that a token with this key id and algorithm may be signed with.
    ///
    /// While no key was ever fetched, no token can be checked. The error is then temporary, so that
    /// clients do not end the user's session.
    pub(super) async fn matching(
        self: &Arc<Self>,
        id: Option<&str>,
        algorithm: Algorithm,
        background: &BackgroundTasks,
    ) -> Result<Vec<PublicKey>> {
        let known = self.known();
        let mut found = known.matching(id, algorithm);
        if found.is_empty() {
            // A separate task: if this caller disconnects, the fetch still serves the others.
            let ring = Arc::clone(self);
            let _ = tokio::spawn(async move { ring.refresh().await }).await;
            let known = self.known();
            if self.url.is_some() && known.keys.is_empty() {
                return Err(no_keys());
            }
            found = known.matching(id, algorithm);
        } else if known.fetched_at.is_some_and(|at| self.clock.now().duration_since(at) > FRESH_FOR)
        {
            let ring = Arc::clone(self);
            background.run(async move { ring.refresh().await });
        }
        Ok(found)
    }

    async fn refresh(&self) {
        let Some(url) = &self.url else { return };
        let mut last_fetch = self.last_fetch.lock().await;
        let now = self.clock.now();
        let pause = match self.known().keys.is_empty() {
            true => FETCH_INTERVAL_WITHOUT_KEYS,
            false => FETCH_INTERVAL,
        };
        if last_fetch.is_some_and(|at| now.duration_since(at) < pause) {
            return;
        }
        *last_fetch = Some(now);
        let fetched = self.fetch(url.as_str()).await;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // A failed fetch counts as a refresh too: the known keys are not fetched again right away.
        known.fetched_at = Some(now);
        match fetched {
            Ok(keys) => known.keys = keys,
            Err(why) => {
                tracing::warn!(cause = why, "cannot fetch the identity provider's keys")
            }
        }
    }

    pub(super) async fn check(&self) -> Result<usize, String> {
        match &self.url {
            Some(url) => Ok(self.fetch(url.as_str()).await?.len()),
            None => Ok(self.known().keys.len()),
        }
    }

    async fn fetch(&self, url: &str) -> Result<Arc<[PublicKey]>, String> {
        let request =
            Request::get(url).body(Full::default()).map_err(|error| error_chain(&error))?;
        let answer = self.http.call(request, BUDGET).await.map_err(|error| error_chain(&error))?;
        if !answer.status.is_success() {
            return Err(format!("status {}", answer.status));
        }
        parse_key_set(&answer.body).ok_or_else(|| "the response contains no usable key".to_owned())
    }

    fn known(&self) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn no_keys() -> Error {
    let message = "The identity provider's keys cannot be fetched, so no token can be checked. Try \
                   again in a moment.";
    let mut error = Error::new(ErrorCode::AuthKeysUnavailable, message);
    error.retry_after_seconds = u64::try_from(FETCH_INTERVAL_WITHOUT_KEYS.as_secs()).ok();
    error
}

impl Known {
    fn matching(&self, id: Option<&str>, algorithm: Algorithm) -> Vec<PublicKey> {
        let fits = |key: &&PublicKey| {
            key.algorithm() == algorithm
                && (id.is_none() || key.id.is_none() || key.id.as_deref() == id)
        };
        self.keys.iter().filter(fits).cloned().collect()
    }
}
