use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde_json::Value;
use url::form_urlencoded;

use crate::auth::{Acting, Named};
use crate::domain::UserId;
use crate::domain::error::{Error, Result};

/// The owner of the plan, balance, usage or history that a request is about: a user, or the
/// organisation for which they act.
#[derive(Clone, Debug)]
pub struct Owner(pub UserId);

/// The user that a request to a personal route is about.
#[derive(Clone, Debug)]
pub struct User(pub UserId);

/// The user who acts for an organisation; none if the owner acts, or if the user is unknown.
#[derive(Clone, Debug)]
pub struct Actor(pub Option<UserId>);

/// Returns every id that a request names, in the query, in a header or in the body.
pub(super) fn named(query: Option<&str>, headers: &HeaderMap, body: &Value) -> Result<Named> {
    Ok(Named {
        owners: named_in("ownerId", "x-owner-id", query, headers, body)?,
        users: named_in("userId", "x-user-id", query, headers, body)?,
    })
}

/// Removes the ids that [`named`] has read from the body.
pub(super) fn remove_named(body: &mut Value) {
    if let Some(fields) = body.as_object_mut() {
        fields.remove("ownerId");
        fields.remove("userId");
    }
}

fn named_in(
    field: &str,
    header: &str,
    query: Option<&str>,
    headers: &HeaderMap,
    body: &Value,
) -> Result<Vec<String>> {
    let query = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let from_query = query.filter(|(name, _)| name == field).map(|(_, id)| id.into_owned());
    let headers = headers.get_all(header).iter();
    let from_headers = headers.map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    let from_body = match body.get(field) {
        None => None,
        Some(Value::String(id)) => Some(id.clone()),
        // A client's undefined variable must not become a user called "null".
        Some(_) => return Err(Error::invalid(field, "must be a string")),
    };
    Ok(from_query.chain(from_headers).chain(from_body).collect())
}

/// Returns the owner that the guard found. There is none if a trusted caller named none.
fn owner(parts: &Parts) -> Result<UserId> {
    let acting: Option<&Acting> = parts.extensions.get();
    acting.and_then(|acting| acting.owner.clone()).ok_or_else(|| {
        let message = "must name a user, in the query, the body or the header x-user-id";
        Error::invalid("userId", message)
    })
}

impl<S: Sync> FromRequestParts<S> for Owner {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        owner(parts).map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        owner(parts).map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Actor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let acting: Option<&Acting> = parts.extensions.get();
        Ok(Self(acting.and_then(|acting| acting.actor.clone())))
    }
}
