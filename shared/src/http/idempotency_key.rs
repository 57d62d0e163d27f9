//! The extractor of an `Idempotency-Key`.

use axum::extract::OptionalFromRequestParts;
use axum::http::request::Parts;

use super::Endpoint;
use super::input::Body;
use crate::auth::{Acting, Caller};
use crate::domain::error::Error;
use crate::domain::{IdempotencyKey, UserId};

impl<S: Sync> OptionalFromRequestParts<S> for IdempotencyKey {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Error> {
        let mut all = parts.headers.get_all("idempotency-key").iter();
        let Some(given) = all.next() else { return Ok(None) };
        if all.next().is_some() {
            return Err(Error::invalid("Idempotency-Key", "must be sent once"));
        }
        let printable = given.as_bytes().iter().all(u8::is_ascii_graphic);
        if given.is_empty() || given.len() > Self::MAX_BYTES || !printable {
            let message = "must be 1 to 255 printable characters without spaces";
            return Err(Error::invalid("Idempotency-Key", message));
        }
        let extensions = &parts.extensions;
        let endpoint = extensions.get::<&'static Endpoint>().map_or("", |endpoint| endpoint.name);
        let caller = match extensions.get() {
            // It contains a space, so it never equals the kind of another caller.
            Some(Caller::User { id, .. }) => format!("user {id}"),
            Some(caller) => caller.kind().to_owned(),
            None => String::new(),
        };
        let acting: Option<&Acting> = extensions.get();
        let owner = acting.and_then(|acting| acting.owner.as_ref());
        let actor = acting.and_then(|acting| acting.actor.as_ref());
        let [owner, actor] = [owner, actor].map(|id| id.map_or("", UserId::as_str));
        let body = extensions.get::<Body>().map(|body| body.0.to_string()).unwrap_or_default();
        let given = String::from_utf8_lossy(given.as_bytes());
        Ok(Some(Self::new(endpoint, &caller, owner, &given, [actor, &body])))
    }
}
