use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde_json::Value;
use url::form_urlencoded;

use crate::domain::UserId;
use crate::domain::error::{Error, Result};

/// The user that a request is about: the caller, or the user that a trusted caller named.
#[derive(Clone, Debug)]
pub struct User(pub UserId);

/// The user that the guard found; `None` if a trusted caller named no user.
#[derive(Clone, Debug)]
pub(super) struct Subject(pub(super) Option<UserId>);

/// Returns every user id that a request names, in the query, in a header or in the body.
pub(super) fn named(query: Option<&str>, headers: &HeaderMap, body: &Value) -> Result<Vec<String>> {
    let query = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let from_query = query.filter(|(name, _)| name == "userId").map(|(_, id)| id.into_owned());
    let headers = headers.get_all("x-user-id").iter();
    let from_headers = headers.map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    let from_body = match body.get("userId") {
        None => None,
        Some(Value::String(id)) => Some(id.clone()),
        // A client's undefined variable must not become a user called "null".
        Some(_) => return Err(Error::invalid("userId", "must be a string")),
    };
    Ok(from_query.chain(from_headers).chain(from_body).collect())
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        match parts.extensions.get() {
            Some(Subject(Some(id))) => Ok(Self(id.clone())),
            _ => Err(Error::invalid(
                "userId",
                "must name a user, in the query, the body or the header x-user-id",
            )),
        }
    }
}
