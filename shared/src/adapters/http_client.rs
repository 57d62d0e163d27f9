//! Outgoing HTTP over one pooled client: Upstash, Stripe, Clerk, alert webhooks and the identity
//! provider's keys.
//!
//! Every call has two time limits, one for the connection and one for the answer. Every failure
//! states whether the request may have reached the server. The pool retries a request that it never
//! wrote to a connection; nothing else is retried here.

use std::pin::pin;
use std::sync::OnceLock;
use std::time::Duration;

use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{HttpConnector, capture_connection};
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tokio::time::timeout;

use crate::adapters::tls;
use crate::domain::error::BoxError;

type Pool = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// The limits of a call.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The time to open a connection, if none is open.
    pub connect: Duration,
    /// The time from then on to receive the full answer.
    pub answer: Duration,
    /// The maximum size of the answer. A longer one is an error.
    pub max_bytes: usize,
}

#[derive(Debug)]
pub struct HttpResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There was no connection, so the server did not run the request.
    #[error("no connection, the request was not sent")]
    NotSent(#[source] BoxError),
    /// The request was sent, or may have been sent.
    #[error("no answer, the request may have been carried out")]
    MayHaveRun(#[source] BoxError),
}

/// A lazily built client. It opens no connection and reads no certificate before its first call.
#[derive(Debug, Default)]
pub struct HttpClient {
    plain: OnceLock<Pool>,
    encrypted: OnceLock<Pool>,
}

/// How long a connection may be idle. Load balancers silently drop connections after a longer time.
const IDLE: Duration = Duration::from_secs(20);

/// How long a body is waited for that nothing needs.
const BODY_TIME: Duration = Duration::from_millis(250);

impl HttpClient {
    pub async fn call(
        &self,
        request: Request<Full<Bytes>>,
        budget: Budget,
    ) -> Result<HttpResponse, CallError> {
        self.exchange(request, budget, whole_answer).await
    }

    /// Like [`call`](Self::call), for a caller that needs no body: a longer or slower body is not
    /// read to its end, and no error.
    pub async fn call_for_status(
        &self,
        request: Request<Full<Bytes>>,
        budget: Budget,
    ) -> Result<(StatusCode, HeaderMap), CallError> {
        self.exchange(request, budget, status_of_answer).await
    }

    async fn exchange<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        mut request: Request<Full<Bytes>>,
        budget: Budget,
        read: impl FnOnce(ResponseFuture, usize) -> F,
    ) -> Result<T, CallError> {
        let encrypted = request.uri().scheme_str() == Some("https");
        let pool = self.pool(encrypted).map_err(|error| CallError::NotSent(error.into()))?;
        let mut connection = capture_connection(&mut request);
        let mut answer = pin!(read(pool.request(request), budget.max_bytes));

        let connected = pin!(connection.wait_for_connection_metadata());
        match timeout(budget.connect, select(connected, answer.as_mut())).await {
            Err(elapsed) => return Err(CallError::NotSent(elapsed.into())),
            Ok(Either::Right((answer, _))) => return answer,
            Ok(Either::Left(_)) => {}
        }
        timeout(budget.answer, answer)
            .await
            .unwrap_or_else(|elapsed| Err(CallError::MayHaveRun(elapsed.into())))
    }

    /// Returns the pool. The certificates are read only if a call needs them.
    fn pool(&self, encrypted: bool) -> Result<&Pool, rustls::Error> {
        let pool = if encrypted { &self.encrypted } else { &self.plain };
        if let Some(pool) = pool.get() {
            return Ok(pool);
        }
        let tls = if encrypted { tls::client_config(None)? } else { tls::without_roots()? };
        Ok(pool.get_or_init(|| build(tls)))
    }
}

fn build(tls: ClientConfig) -> Pool {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE)
        .pool_timer(TokioTimer::new())
        .build(https)
}

async fn whole_answer(
    response: ResponseFuture,
    max_bytes: usize,
) -> Result<HttpResponse, CallError> {
    let (head, body) = response.await.map_err(call_error)?.into_parts();
    let body = Limited::new(body, max_bytes).collect().await.map_err(CallError::MayHaveRun)?;
    Ok(HttpResponse { status: head.status, headers: head.headers, body: body.to_bytes() })
}

/// Reads a short body too, so that its connection can be used again.
async fn status_of_answer(
    response: ResponseFuture,
    max_bytes: usize,
) -> Result<(StatusCode, HeaderMap), CallError> {
    let (head, body) = response.await.map_err(call_error)?.into_parts();
    let _ = timeout(BODY_TIME, Limited::new(body, max_bytes).collect()).await;
    Ok((head.status, head.headers))
}

fn call_error(error: hyper_util::client::legacy::Error) -> CallError {
    if error.is_connect() {
        CallError::NotSent(error.into())
    } else {
        CallError::MayHaveRun(error.into())
    }
}
