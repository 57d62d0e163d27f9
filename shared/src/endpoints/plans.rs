//! `GET /api/plans`: the plans and credit packs on sale, for a pricing page (DM-6).
//!
//! Every caller gets the same response, so CDNs and browsers may cache it. It is read from
//! Postgres, not from Redis.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

use crate::app::App;
use crate::domain::error::{Error, Result};
use crate::domain::hash::sha256_hex;

/// A cache serves the catalog for a minute. For ten more minutes it may serve it while it fetches a
/// new one.
const CACHING: &str = "public, max-age=60, stale-while-revalidate=600";

pub fn routes() -> MethodRouter<Arc<App>> {
    get(list_plans)
}

async fn list_plans(State(app): State<Arc<App>>, asked: HeaderMap) -> Result<Response> {
    let catalog = app.postgres.get_catalog().await?;
    let body = serde_json::to_string(&catalog).map_err(Error::internal)?;
    let etag = format!("\"{}\"", sha256_hex([&body]));
    let known = is_known(&asked, &etag);
    let headers = [(CACHE_CONTROL, CACHING.to_owned()), (ETAG, etag)];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    Ok((headers, [(CONTENT_TYPE, "application/json")], body).into_response())
}

/// Returns true if the caller already has this body. A proxy may have made the tag a weak one
/// (`W/`).
fn is_known(asked: &HeaderMap, etag: &str) -> bool {
    let values = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_by_itself_in_a_list_and_when_weakened() {
        for (asked, known) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, asked.parse().unwrap());
            assert_eq!(is_known(&headers, "\"a\""), known, "{asked}");
        }
        assert!(!is_known(&HeaderMap::new(), "\"a\""));
    }
}
