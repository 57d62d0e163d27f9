//! Sends a signed event to a webhook endpoint over HTTP, once.

use std::error::Error;
use std::time::Duration;

use axum::http::{Method, Request, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::webhooks::signature;

/// The time within which an endpoint must accept the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The time within which an endpoint must respond.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

const MAX_ANSWER_BYTES: usize = 1_000_000;

/// Shorter than the idle timeout after which load balancers drop a connection silently.
const IDLE: Duration = Duration::from_secs(20);

/// A webhook target: its URL and the secret that signs its events.
#[derive(Clone)]
pub struct Target {
    pub url: String,
    pub secret: String,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The reason why an endpoint did not respond.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("cannot read the machine's root certificates")]
    Certificates(#[from] std::io::Error),
    #[error("no response")]
    NotAnswered(#[from] hyper_util::client::legacy::Error),
    #[error("cannot read the response")]
    Unreadable(#[source] Box<dyn Error + Send + Sync>),
    #[error("no response within 20 seconds")]
    TimedOut,
}

/// A pooled HTTP client. It reads the root certificates only if an endpoint uses HTTPS.
#[derive(Debug, Default)]
pub struct Sender {
    plain: OnceCell<Client<HttpConnector, Full<Bytes>>>,
    encrypted: OnceCell<Client<HttpsConnector<HttpConnector>, Full<Bytes>>>,
}

impl Sender {
    /// Sends `payload` signed as of `now`. Returns the endpoint's status, or the reason for none.
    pub async fn send(&self, target: &Target, payload: String, now: i64) -> Result<u16, String> {
        let request = request(target, payload, now).map_err(|error| error.to_string())?;
        let status = timeout(ANSWER_TIMEOUT, self.call(request)).await;
        status.unwrap_or(Err(SendError::TimedOut)).map_err(|error| error_chain(&error))
    }

    async fn call(&self, request: Request<Full<Bytes>>) -> Result<u16, SendError> {
        let response = if request.uri().scheme_str() == Some("https") {
            let client = self.encrypted.get_or_try_init(|| async { encrypted() }).await?;
            client.request(request).await?
        } else {
            let client = self.plain.get_or_init(|| async { pool(tcp()) }).await;
            client.request(request).await?
        };
        let (head, body) = response.into_parts();
        // A connection can be reused once its response is read.
        Limited::new(body, MAX_ANSWER_BYTES).collect().await.map_err(SendError::Unreadable)?;
        Ok(head.status.as_u16())
    }
}

fn request(
    target: &Target,
    payload: String,
    now: i64,
) -> Result<Request<Full<Bytes>>, axum::http::Error> {
    Request::builder()
        .method(Method::POST)
        .uri(&target.url)
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header(header::USER_AGENT, "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
        .header("stripe-signature", signature::header(&target.secret, &payload, now))
        .body(Full::new(Bytes::from(payload)))
}

fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp.enforce_http(false);
    tcp
}

fn encrypted() -> std::io::Result<Client<HttpsConnector<HttpConnector>, Full<Bytes>>> {
    let builder = HttpsConnectorBuilder::new().with_native_roots()?;
    Ok(pool(builder.https_or_http().enable_http1().wrap_connector(tcp())))
}

fn pool<C>(connector: C) -> Client<C, Full<Bytes>>
where
    C: hyper_util::client::legacy::connect::Connect + Clone,
{
    Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE)
        .pool_timer(TokioTimer::new())
        .build(connector)
}

/// The error and its causes, on one line.
fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
