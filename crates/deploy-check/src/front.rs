//! One address in front of all functions, as a platform has.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use platforms::{Function, Request};

/// Where the story calls from.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The running functions, by path, and the path of the function for all other paths below `/api`.
pub(crate) struct Front {
    pub(crate) functions: BTreeMap<String, Function>,
    pub(crate) fallback: Option<String>,
}

impl Front {
    /// Passes requests to the functions. Paths that none serves go to `rest`.
    pub(crate) fn router(self: Arc<Self>, rest: Router) -> Router {
        let mut router = rest;
        for path in self.functions.keys() {
            let front = Arc::clone(&self);
            let answer = move |request| front.answer(request);
            router = router.route(path, axum::routing::any(answer));
        }
        if self.fallback.is_some() {
            let front = Arc::clone(&self);
            let answer = move |request| front.answer(request);
            router = router.route("/api/{*path}", axum::routing::any(answer));
        }
        router
    }

    async fn answer(self: Arc<Self>, request: axum::extract::Request) -> Response {
        let path = request.uri().path().to_owned();
        match self.pass_on(&path, request).await {
            Ok(response) => response,
            Err(error) => (StatusCode::BAD_GATEWAY, format!("{path}: {error:#}")).into_response(),
        }
    }

    async fn pass_on(
        &self,
        path: &str,
        request: axum::extract::Request,
    ) -> anyhow::Result<Response> {
        let fallback = || self.functions.get(self.fallback.as_deref()?);
        let Some(function) = self.functions.get(path).or_else(fallback) else {
            return Ok(StatusCode::NOT_FOUND.into_response());
        };
        let (head, body) = request.into_parts();
        let target = head.uri.path_and_query().map_or(path, |target| target.as_str());
        let mut passed = Request::new(head.method.as_str(), target).from(CLIENT);
        for (name, value) in &head.headers {
            passed = passed.header(name.as_str(), value.to_str()?);
        }
        passed.body = body.collect().await?.to_bytes();
        let answer = function.send(&passed).await?;
        let mut response = Response::new(Body::from(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}
