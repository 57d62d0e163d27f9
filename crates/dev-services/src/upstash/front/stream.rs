//! Sends the replies of SUBSCRIBE, PSUBSCRIBE and MONITOR, which never end, as server-sent events.
//!
//! Deliberately absent: these commands in the in-process engine, which has no publishers.

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::access::Access;
use super::answer::Refusal;
use super::unavailable;
use crate::upstash::resp::Reply;
use crate::upstash::{Backend, Command};

const STREAMED: &[&str] = &["MONITOR", "PSUBSCRIBE", "SUBSCRIBE"];

/// Runs `command` on a separate connection until the caller disconnects.
pub async fn events(
    backend: &Backend,
    access: Access,
    command: Command,
) -> Result<Response, Refusal> {
    let name = String::from_utf8_lossy(command.first().map(Vec::as_slice).unwrap_or_default());
    let name = name.to_ascii_uppercase();
    if !STREAMED.contains(&name.as_str()) {
        return Err(Refusal::bad_request(format!("ERR '{name}' cannot be streamed")));
    }
    if let Some(message) = access.objection_to(&name) {
        return Err(Refusal::bad_request(message));
    }
    let Backend::Redis(client) = backend else {
        let message = format!(
            "ERR Farebox's in-process engine does not have the command '{name}'; install Redis \
             for the full set"
        );
        return Err(Refusal::bad_request(message));
    };
    let connection = client.dedicated(&command).await.map_err(unavailable)?;
    let events = stream::try_unfold(connection, |mut connection| async move {
        let reply = connection.receive().await?;
        std::io::Result::Ok(Some((event(&reply), connection)))
    });
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, Body::from_stream(events)).into_response())
}

fn event(reply: &Reply) -> Bytes {
    let text = match reply {
        Reply::Status(status) if status == "OK" => "\"OK\"".to_owned(),
        Reply::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        reply => plain(reply),
    };
    Bytes::from(format!("data: {text}\n\n"))
}

fn plain(reply: &Reply) -> String {
    match reply {
        Reply::Status(text) | Reply::Error(text) => text.clone(),
        Reply::String(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Reply::Integer(number) => number.to_string(),
        Reply::Nil | Reply::Array(_) => String::new(),
    }
}
