//! A platform's front in front of a deployment, such as Vercel's with its deployment protection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::support::{TestApp, listen};

#[derive(Clone, Default)]
pub struct Front {
    /// Requests without this secret get the page of Vercel's login.
    pub bypass: Option<&'static str>,
    /// Sessions have ids of Stripe's live mode.
    pub is_live: bool,
    /// The number of requests so far.
    pub requests: Arc<AtomicUsize>,
}

impl Front {
    /// Returns the front's URL.
    pub async fn start(self, app: &TestApp) -> String {
        let upstream = app.base.clone();
        let answer = move |request| {
            let (front, upstream) = (self.clone(), upstream.clone());
            async move { front.answer(&upstream, request).await }
        };
        format!("http://{}", listen(Router::new().fallback(answer)).await.address)
    }

    async fn answer(&self, upstream: &str, request: Request) -> Response {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let given = request.headers().get("x-vercel-protection-bypass");
        if self.bypass.is_some_and(|secret| given.is_none_or(|given| given != secret)) {
            let headers = [
                ("content-type", "text/html; charset=utf-8"),
                ("set-cookie", "_vercel_sso_nonce=abc; Path=/; Secure; HttpOnly"),
            ];
            return (StatusCode::UNAUTHORIZED, headers, "<html>Log in to Vercel</html>")
                .into_response();
        }
        let (parts, body) = request.into_parts();
        let url = format!("{upstream}{}", parts.uri.path_and_query().unwrap());
        let mut headers = parts.headers;
        headers.remove("host");
        let sent = reqwest::Client::new().request(parts.method, url).headers(headers);
        let sent = sent.body(to_bytes(body, usize::MAX).await.unwrap()).send().await.unwrap();
        let (status, mut headers): (_, HeaderMap) = (sent.status(), sent.headers().clone());
        headers.remove("content-length");
        headers.remove("transfer-encoding");
        let mut text = sent.text().await.unwrap();
        if self.is_live {
            text = text.replace("cs_test_", "cs_live_");
        }
        (status, headers, Body::from(text)).into_response()
    }
}
