//! Events that are not HTTP requests of payload format 2.0: EventBridge's, which run a job, and all
//! others, which are refused.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use lambda_http::Error;
use serde::Deserialize;
use shared::background::BackgroundTasks;
use shared::domain::error::{Error as Problem, ErrorCode};
use shared::http::{Endpoint, InvokedByScheduler, guard};
use tower::ServiceExt as _;

use crate::http::{Answer, event_response};

/// The senders of scheduled events: EventBridge Scheduler, and rules with a schedule.
const SCHEDULERS: [&str; 2] = ["aws.scheduler", "aws.events"];

/// The parts of an event that tell where it comes from.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    source: String,
    /// Only events of a REST API or of a load balancer have this field.
    #[serde(rename = "httpMethod")]
    http_method: Option<String>,
}

/// Runs the job of this endpoint. A job that fails is an error, so that Lambda retries it and the
/// event reaches the queue of failed jobs.
pub(crate) async fn answer(
    event: &str,
    endpoint: &Endpoint,
    router: Router,
    background: BackgroundTasks,
) -> Result<Answer, Error> {
    let Event { source, http_method } = serde_json::from_str(event).unwrap_or_default();
    if http_method.is_some() {
        return old_format().await;
    }
    if !SCHEDULERS.contains(&source.as_str()) {
        let what = "it is neither an HTTP request of payload format 2.0 nor a scheduled event";
        return Err(format!("the event cannot be read: {what}").into());
    }
    if endpoint.schedule.is_none() {
        return Err(format!("{} has no schedule: it is not a job", endpoint.path).into());
    }
    let mut request = Request::get(endpoint.path).body(Body::empty())?;
    request.extensions_mut().insert(InvokedByScheduler);
    request.extensions_mut().insert(background);
    let response = router.oneshot(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if !status.is_success() {
        return Err(format!("the job answered {status}: {}", String::from_utf8_lossy(&body)).into());
    }
    Ok(Answer::Job(serde_json::from_slice(&body)?))
}

/// The answer to an event of payload format 1.0. Its form is that of both formats.
async fn old_format() -> Result<Answer, Error> {
    let message = "This API sends events of payload format 1.0. Farebox reads format 2.0: use an \
                   HTTP API, not a REST API, or a function URL.";
    let problem = Problem::new(ErrorCode::UnsupportedMediaType, message);
    let response = guard::refuse(&problem, &HeaderMap::new());
    Ok(Answer::Http(Box::new(event_response(response).await?)))
}
