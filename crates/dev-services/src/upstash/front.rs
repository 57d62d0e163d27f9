//! The HTTP side: parses a request, runs its commands and writes their replies.
//!
//! One handler serves every path, because in this API a path is a command. Deliberately absent:
//! limits other than the size of a request.

mod access;
mod answer;
mod request;
mod stream;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{self, Body};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use self::access::Access;
use self::answer::{Encoding, Refusal};
use self::request::Work;
use super::resp::Reply;
use super::{Backend, Command, Tokens};

/// Upstash's own limit.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

struct Front {
    backend: Backend,
    tokens: Tokens,
    answered: AtomicU64,
}

pub fn router(backend: Backend, tokens: Tokens) -> Router {
    let front = Front { backend, tokens, answered: AtomicU64::new(0) };
    Router::new().fallback(handle).with_state(Arc::new(front))
}

async fn handle(State(front): State<Arc<Front>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = match serve(&front, &parts, body).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    };
    if let Some(token) = front.next_sync_token() {
        response.headers_mut().insert("upstash-sync-token", token);
    }
    response
}

async fn serve(front: &Front, parts: &Parts, body: Body) -> Result<Response, Refusal> {
    if ![Method::GET, Method::HEAD, Method::POST, Method::PUT].contains(&parts.method) {
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "ERR method is not allowed"));
    }
    let access = access::authorize(&front.tokens, parts)?;
    let encoding = encoding(&parts.headers)?;
    let body = read(body).await?;
    if accepts_events(&parts.headers) {
        let command = request::command_in_path(&parts.uri, &[]);
        return stream::events(&front.backend, access, command).await;
    }
    match Work::parse(&parts.uri, &body)? {
        Work::Single(command) => {
            let mut replies = front.pipeline(access, vec![command]).await?;
            Ok(answer::single(replies.pop().unwrap_or(Reply::Nil), encoding))
        }
        Work::Pipeline(commands) => {
            Ok(answer::list(front.pipeline(access, commands).await?, encoding))
        }
        Work::Transaction(commands) => match front.transaction(access, commands).await? {
            Reply::Array(replies) => Ok(answer::list(replies, encoding)),
            aborted => Ok(answer::single(aborted, encoding)),
        },
    }
}

impl Front {
    /// Runs the commands that the caller may run, and returns an error for each of the others.
    async fn pipeline(&self, access: Access, all: Vec<Command>) -> Result<Vec<Reply>, Refusal> {
        let objections: Vec<_> = all.iter().map(|command| access.objection(command)).collect();
        let allowed = all.into_iter().zip(&objections);
        let allowed: Vec<_> = allowed
            .filter(|(_, objection)| objection.is_none())
            .map(|(command, _)| command)
            .collect();
        let mut replies = Vec::new();
        if !allowed.is_empty() {
            replies = self.backend.pipeline(allowed).await.map_err(unavailable)?;
        }
        let mut replies = replies.into_iter();
        let in_order = objections.into_iter().map(|objection| match objection {
            Some(message) => Reply::Error(message),
            None => replies.next().unwrap_or(Reply::Nil),
        });
        Ok(in_order.collect())
    }

    /// Runs all commands or none. One that the caller may not run stops the others too.
    async fn transaction(&self, access: Access, all: Vec<Command>) -> Result<Reply, Refusal> {
        if all.iter().any(|command| access.objection(command).is_some()) {
            return Ok(Reply::aborted());
        }
        self.backend.transaction(all).await.map_err(unavailable)
    }

    /// Upstash's token lets a client read its own writes from a replica. This server has no
    /// replicas: it ignores a caller's token and returns a new one.
    fn next_sync_token(&self) -> Option<HeaderValue> {
        let answered = self.answered.fetch_add(1, Ordering::Relaxed) + 1;
        HeaderValue::from_str(&STANDARD.encode(format!("farebox:{answered}"))).ok()
    }
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    match headers.get("upstash-encoding").map(HeaderValue::as_bytes) {
        None | Some(b"") => Ok(Encoding::Text),
        Some(b"base64") => Ok(Encoding::Base64),
        Some(_) => Err(Refusal::bad_request("ERR unsupported response encoding")),
    }
}

async fn read(body: Body) -> Result<Vec<u8>, Refusal> {
    let bytes = body::to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| {
        let message = format!("ERR max request size exceeded. Limit: {MAX_BODY_BYTES} bytes");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    })?;
    Ok(bytes.into())
}

fn accepts_events(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).map(HeaderValue::as_bytes);
    accept.is_some_and(|accept| accept.starts_with(b"text/event-stream"))
}

/// The response if the backend fails. It includes the cause, for the developer who runs `farebox
/// dev`.
pub fn unavailable(error: anyhow::Error) -> Refusal {
    tracing::warn!(error = format!("{error:#}"), "the Upstash front could not run a command");
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, format!("ERR {error:#}"))
}
