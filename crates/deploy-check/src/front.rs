//! One address in front of all functions, as a platform has.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use platforms::{Function, Request};

/// Where the story calls from.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(crate) struct Front {
    /// The running functions, by their executables.
    pub(crate) functions: BTreeMap<PathBuf, Function>,
    /// The executable of each path.
    pub(crate) routes: BTreeMap<String, PathBuf>,
    /// The executable for all other paths below `/api`.
    pub(crate) fallback: Option<PathBuf>,
}

impl Front {
    /// Passes requests to the functions. Paths that none serves go to `rest`.
    pub(crate) fn router(self: Arc<Self>, rest: Router) -> Router {
        let others = self.fallback.iter().map(|_| "/api/{*path}");
        let paths = self.routes.keys().map(String::as_str).chain(others);
        paths.fold(rest, |router, path| {
            let front = Arc::clone(&self);
            router.route(path, axum::routing::any(move |request| front.answer(request)))
        })
    }

    async fn answer(self: Arc<Self>, request: axum::extract::Request) -> Response {
        let path = request.uri().path().to_owned();
        let answered = self.pass_on(&path, request).await;
        answered.unwrap_or_else(|error| {
            (StatusCode::BAD_GATEWAY, format!("{path}: {error:#}")).into_response()
        })
    }

    async fn pass_on(
        &self,
        path: &str,
        request: axum::extract::Request,
    ) -> anyhow::Result<Response> {
        let executable = self.routes.get(path).or(self.fallback.as_ref());
        let Some(function) = executable.and_then(|executable| self.functions.get(executable))
        else {
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
