use axum::extract::OptionalFromRequestParts;
use axum::http::request::Parts;

use super::Endpoint;
use super::input::Body;
use super::user::Subject;
use crate::auth::Caller;
use crate::domain::error::ApiError;
use crate::domain::hash::sha256_hex;

/// An `Idempotency-Key`, made unique to the kind of its caller, endpoint and user, with a fingerprint of the
/// request it came with: the same key with another request is a mistake, and is told so. It does not depend
/// on the caller's credential, so that a retry after a service key was rotated repeats nothing.
#[derive(Clone, Debug)]
pub struct Once {
    key: String,
    fingerprint: String,
}

impl Once {
    const MAX_BYTES: usize = 255;

    /// The Redis key under which the first answer is remembered. It holds no personal data.
    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Once {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, ApiError> {
        let mut all = parts.headers.get_all("idempotency-key").iter();
        let Some(given) = all.next() else { return Ok(None) };
        if all.next().is_some() {
            return Err(ApiError::invalid("Idempotency-Key", "must be sent once"));
        }
        let printable = given.as_bytes().iter().all(u8::is_ascii_graphic);
        if given.is_empty() || given.len() > Self::MAX_BYTES || !printable {
            let message = "must be 1 to 255 printable characters without spaces";
            return Err(ApiError::invalid("Idempotency-Key", message));
        }
        let extensions = &parts.extensions;
        let endpoint = extensions.get::<&'static Endpoint>().map_or("", |endpoint| endpoint.name);
        let caller = match extensions.get() {
            // The id of a user has no space: it is never a kind of caller.
            Some(Caller::User { id, .. }) => format!("user {id}"),
            Some(caller) => caller.kind().to_owned(),
            None => String::new(),
        };
        let subject = match extensions.get() {
            Some(Subject(Some(id))) => id.as_str(),
            _ => "",
        };
        let body = extensions.get::<Body>().map(|body| body.0.to_string()).unwrap_or_default();
        let key =
            sha256_hex([endpoint, &caller, subject, &String::from_utf8_lossy(given.as_bytes())]);
        Ok(Some(Self { key: format!("once:{key}"), fingerprint: sha256_hex([&body]) }))
    }
}
