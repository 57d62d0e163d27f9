//! Routes that only the local stack has, for a front end that runs in a browser on this machine.
//!
//! `GET /dev/token?user=ada` returns a token for any user, so only this machine may call it: not another
//! site in the same browser, not a site that points its name at 127.0.0.1, and not another machine
//! through a tunnel.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, FORWARDED, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use shared::domain::error::{Error, ErrorCode, Result};
use shared::domain::{Email, UserId, is_local};
use shared::http::{ClientIp, Query, guard};

use super::own_hosts::only_own_hosts;
use super::{Settings, token};

/// A token for a user.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UserToken {
    token: String,
    expires_at: Timestamp,
}

pub fn router(settings: &Settings) -> Router {
    let settings = Arc::new(settings.clone());
    let routes = Router::new().route("/dev/token", get(get_token)).with_state(settings);
    only_own_hosts(routes.layer(from_fn(only_this_machine)))
}

async fn get_token(State(settings): State<Arc<Settings>>, request: Request) -> Response {
    match issue(&settings, &Query::of(request.uri())) {
        Ok(token) => Json(token).into_response(),
        Err(error) => guard::refuse(&error, request.headers()),
    }
}

fn issue(settings: &Settings, query: &Query) -> Result<UserToken> {
    let user = query.get("user", UserId::try_from)?;
    let user = user.ok_or_else(|| Error::invalid("user", "is missing"))?;
    let email = query.get("email", Email::try_from)?;
    let token = token::for_user(settings, user.as_str(), email.as_ref().map(Email::as_str));
    let token = token.map_err(|error| Error::internal(error.to_string()))?;
    let expires_at = expiry(&token).ok_or_else(|| Error::internal("the token has no exp"))?;
    Ok(UserToken { token, expires_at })
}

/// The `exp` of a token.
fn expiry(token: &str) -> Option<Timestamp> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    Timestamp::from_second(claims["exp"].as_i64()?).ok()
}

/// Refuses requests of other sites and other machines. Pages of this machine may read the response.
async fn only_this_machine(request: Request, next: Next) -> Response {
    let client = request.extensions().get().map(|ClientIp(client)| *client);
    let origin = request.headers().get(ORIGIN).cloned();
    let is_from_here = client.is_some_and(|client| client.to_canonical().is_loopback())
        && !is_forwarded(request.headers());
    let is_foreign = origin.as_ref().is_some_and(|it| !it.to_str().is_ok_and(is_local));
    let mut response = if !is_from_here || is_foreign {
        let message = "Only this machine may request a token, and only a page on \
                       http://localhost or http://127.0.0.1.";
        guard::refuse(&Error::new(ErrorCode::ForeignHost, message), request.headers())
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("origin"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(origin) = origin.filter(|_| !is_foreign) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response
}

/// Returns whether a proxy, such as a tunnel, forwards the request of another machine. A dev server
/// on this machine may forward requests too.
fn is_forwarded(headers: &HeaderMap) -> bool {
    let hops = headers.get_all("x-forwarded-for").iter();
    let mut hops = hops.flat_map(|value| value.to_str().unwrap_or("unknown").split(','));
    let is_here =
        |hop: &str| hop.trim().parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback());
    headers.contains_key(FORWARDED) || !hops.all(is_here)
}
