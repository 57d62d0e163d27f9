//! The plan as the identity provider has it: Clerk's public metadata of the user.
//!
//! What is sent was current when the row was lent out, never what was news when it was written down;
//! with one row a user, and its lease, older news cannot overtake newer.

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use bytes::Bytes;
use http_body_util::Full;
use serde_json::json;

use super::{DELIVERY_TIME, Outcome};
use crate::adapters::http_client::Budget;
use crate::adapters::postgres::Errand;
use crate::app::App;
use crate::config::Clerk;

const BUDGET: Budget =
    Budget { connect: Duration::from_secs(3), answer: DELIVERY_TIME, max_bytes: 1024 * 1024 };

pub(super) async fn tell(app: &App, clerk: &Clerk, errand: &Errand) -> Outcome {
    let (Some(user_id), Some(entitlement)) = (&errand.user_id, &errand.entitlement) else {
        return Outcome::Nobody("no entitlement");
    };
    let body = json!({
        "public_metadata": {
            "plan": entitlement.terms.plan,
            "planName": entitlement.terms.plan_name,
            "status": entitlement.terms.status,
        }
    });
    let key = format!("{}-{}", errand.id, errand.generation);
    let Some(request) = request(clerk, user_id, &key, body.to_string()) else {
        return Outcome::failed("the request cannot be written");
    };
    match app.http.call(request, BUDGET).await {
        Ok(answer) if answer.status.is_success() => Outcome::Heard,
        Ok(answer) if answer.status == StatusCode::NOT_FOUND => Outcome::Nobody("unknown user"),
        // A wrong key too is put right some day.
        Ok(answer) => Outcome::Failed {
            problem: format!("Clerk said {}", answer.status.as_u16()),
            retry_after: retry_after(&answer.headers),
        },
        Err(error) => Outcome::failed(error.to_string()),
    }
}

fn request(clerk: &Clerk, user_id: &str, key: &str, body: String) -> Option<Request<Full<Bytes>>> {
    let mut url = clerk.api_url.clone();
    // Each segment is written so that nothing in an id leads elsewhere.
    url.path_segments_mut().ok()?.pop_if_empty().extend(["v1", "users", user_id, "metadata"]);
    let bearer = format!("Bearer {}", clerk.secret_key.expose());
    let mut authorization = HeaderValue::try_from(bearer).ok()?;
    authorization.set_sensitive(true);
    Request::patch(url.as_str())
        .header(AUTHORIZATION, authorization)
        .header(CONTENT_TYPE, "application/json")
        .header("idempotency-key", key)
        .body(Full::new(Bytes::from(body)))
        .ok()
}

/// In seconds, as Clerk says it.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}
