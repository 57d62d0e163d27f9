//! HTTP requests as events of payload format 2.0, and their answers.
//!
//! lambda_http converts the requests. Answers are always text in UTF-8, so they are converted here:
//! lambda_http's own conversion adds 350 KB of character sets to every function.

use std::net::IpAddr;

use axum::Router;
use axum::body::Body;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use http_body_util::BodyExt as _;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use lambda_http::request::LambdaRequest;
use lambda_http::{Body as EventBody, Error, Request};
use serde::Serialize;
use serde_json::Value;
use shared::background::BackgroundTasks;
use shared::http::ClientIp;
use tower::ServiceExt as _;

/// The answer to an event.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    /// To an HTTP request.
    Http(Box<ApiGatewayV2httpResponse>),
    /// To the scheduler, which ignores it. It is shown if a job is invoked by hand.
    Job(Value),
}

pub(crate) async fn answer(
    event: ApiGatewayV2httpRequest,
    router: Router,
    background: BackgroundTasks,
) -> Result<Answer, Error> {
    // The address as API Gateway or the function URL saw it. Headers are not trusted.
    let client_ip = event.request_context.http.source_ip.as_deref();
    let client_ip: Option<IpAddr> = client_ip.and_then(|ip| ip.parse().ok());
    let request: Request = LambdaRequest::ApiGatewayV2(event).into();
    let mut request = request.map(|body| Body::from(body.to_vec()));
    if let Some(ip) = client_ip {
        request.extensions_mut().insert(ClientIp(ip));
    }
    request.extensions_mut().insert(background);
    let response = router.oneshot(request).await?;
    Ok(Answer::Http(Box::new(event_response(response).await?)))
}

/// A response in the form of payload format 2.0.
pub(crate) async fn event_response(response: Response) -> Result<ApiGatewayV2httpResponse, Error> {
    let (mut head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = head.status.as_u16().into();
    let cookies = head.headers.get_all(SET_COOKIE).iter();
    answer.cookies = cookies.filter_map(|value| Some(value.to_str().ok()?.to_owned())).collect();
    head.headers.remove(SET_COOKIE);
    answer.headers = head.headers;
    if !body.is_empty() {
        answer.body = Some(EventBody::Text(String::from_utf8(body.into())?));
    }
    Ok(answer)
}
