//! Pages of the captured messages: a list, and each message as text and as HTML. A frame shows the
//! HTML; it runs no script and loads nothing.

use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use maud::{DOCTYPE, Markup, html};

use super::{Mail, Message};

const STYLE: &str = include_str!("style.css");
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; frame-src 'self'; \
                           base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const FRAME_POLICY: &str =
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'";

pub(super) fn router(mail: Mail) -> Router {
    Router::new()
        .route("/mail", get(list_messages))
        .route("/mail/{number}", get(message_page))
        .route("/mail/{number}/html", get(message_html))
        .route("/mail/style.css", get(stylesheet))
        .route("/mail/api/messages", get(messages_json))
        .with_state(mail)
}

async fn list_messages(State(mail): State<Mail>) -> Response {
    let messages = mail.messages();
    let content = html! {
        @if messages.is_empty() {
            p { "Nothing has been sent yet." }
        } @else {
            (message_table(&messages))
        }
    };
    page(StatusCode::OK, "Mail", &content)
}

fn message_table(messages: &[Message]) -> Markup {
    let caption = "Messages, the latest first";
    html! {
        // A wide table scrolls inside this element, which the keyboard can reach.
        div.scrolls tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead {
                    tr { th scope="col" { "Subject" } th scope="col" { "To" } th scope="col" { "From" } }
                }
                tbody {
                    @for message in messages.iter().rev() {
                        tr {
                            td { a href={ "/mail/" (message.number) } { (subject(message)) } }
                            td { (message.to.join(", ")) }
                            td { (message.from) }
                        }
                    }
                }
            }
        }
    }
}

fn subject(message: &Message) -> &str {
    if message.subject.is_empty() { "(none)" } else { &message.subject }
}

async fn message_page(State(mail): State<Mail>, Path(number): Path<u64>) -> Response {
    match mail.message(number) {
        Some(message) => page(StatusCode::OK, &message.subject, &message_view(&message)),
        None => not_found(),
    }
}

fn message_view(message: &Message) -> Markup {
    html! {
        p { "To " (message.to.join(", ")) }
        h2 { "As HTML" }
        iframe src={ "/mail/" (message.number) "/html" } sandbox="" title="The message as HTML" {}
        h2 { "As text" }
        pre tabindex="0" { (message.text) }
        h2 { "Headers" }
        pre tabindex="0" {
            @for (name, value) in &message.headers { (name) ": " (value) "\n" }
        }
    }
}

async fn message_html(State(mail): State<Mail>, Path(number): Path<u64>) -> Response {
    match mail.message(number) {
        Some(message) => {
            respond(StatusCode::OK, "text/html; charset=utf-8", FRAME_POLICY, message.html)
        }
        None => not_found(),
    }
}

/// The kept messages as JSON, for programs.
async fn messages_json(State(mail): State<Mail>) -> Json<Vec<Message>> {
    Json(mail.messages())
}

async fn stylesheet() -> Response {
    respond(StatusCode::OK, "text/css", "default-src 'none'", STYLE.to_owned())
}

fn not_found() -> Response {
    let content = html! { p { "There is no message with this number." } };
    page(StatusCode::NOT_FOUND, "Not found", &content)
}

fn page(status: StatusCode, title: &str, content: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Mail" }
                link rel="stylesheet" href="/mail/style.css";
            }
            body {
                header {
                    strong { "CAPTURED" }
                    span { "None of this was delivered to anyone." }
                    a href="/mail" { "All messages" }
                }
                main {
                    h1 { (title) }
                    (content)
                }
            }
        }
    };
    respond(status, "text/html; charset=utf-8", PAGE_POLICY, page.into_string())
}

fn respond(
    status: StatusCode,
    content_type: &'static str,
    policy: &'static str,
    body: String,
) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    (status, headers, body).into_response()
}
