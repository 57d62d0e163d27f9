//! `GET /api/plans`: what is sold, for a pricing page (DM-6).
//!
//! The same for everybody, so caches between us and the browser may keep it; Redis is not asked.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

use crate::app::App;
use crate::domain::error::{Error, Result};
use crate::domain::hash::sha256_hex;

/// A change of prices shows within a minute, or on the visit after one that is not kept waiting.
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

/// Whether the caller has this body. A cache on the way may have made the tag a weak one (`W/`).
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
