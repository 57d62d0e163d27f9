//! What was sent, as pages: a list, and each message as text and as HTML. A message's HTML is shown in
//! a frame where no script runs and nothing is fetched.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};

use super::{Mail, Message};
use stripe_simulator::pages::answer;
use stripe_simulator::pages::html::{Element, element, heading, link, paragraph, span, table};
use stripe_simulator::pages::layout::STYLE;

const PAGE: &str = "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; \
                    form-action 'none'; frame-ancestors 'none'";
const FRAME: &str =
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'";

pub(super) fn router(mail: Mail) -> Router {
    Router::new()
        .route("/mail", get(list))
        .route("/mail/{number}", get(show))
        .route("/mail/{number}/html", get(html))
        .route("/mail/style.css", get(style))
        .route("/mail/api/messages", get(messages))
        .with_state(mail)
}

async fn list(State(mail): State<Mail>) -> Response {
    let messages = mail.messages();
    let rows = messages.iter().rev().map(|message| {
        let address = format!("/mail/{}", message.number);
        let subject = if message.subject.is_empty() { "(none)" } else { &message.subject };
        vec![link(&address, subject), span(message.to.join(", ")), span(&message.from)]
    });
    let content = match messages.is_empty() {
        true => paragraph("Nothing has been sent yet."),
        false => table("Messages, the latest first", &["Subject", "To", "From"], rows.collect()),
    };
    page(StatusCode::OK, "Mail", vec![content])
}

async fn show(State(mail): State<Mail>, Path(number): Path<u64>) -> Response {
    match mail.message(number) {
        Some(message) => page(StatusCode::OK, &message.subject, view(&message)),
        None => not_there(),
    }
}

fn view(message: &Message) -> Vec<Element> {
    let head: Vec<String> =
        message.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let frame = element("iframe")
        .attr("src", format!("/mail/{}/html", message.number))
        .attr("sandbox", "")
        .attr("title", "The message as HTML")
        .attr("width", "100%")
        .attr("height", "480");
    vec![
        paragraph(format!("To {}", message.to.join(", "))),
        heading("As HTML"),
        frame,
        heading("As text"),
        element("pre").attr("tabindex", "0").text(&message.text),
        heading("Head"),
        element("pre").attr("tabindex", "0").text(head.join("\n")),
    ]
}

async fn html(State(mail): State<Mail>, Path(number): Path<u64>) -> Response {
    match mail.message(number) {
        Some(message) => {
            answer(StatusCode::OK, "text/html; charset=utf-8", FRAME, message.html.into_bytes())
        }
        None => not_there(),
    }
}

/// For programs.
async fn messages(State(mail): State<Mail>) -> Json<Vec<Message>> {
    Json(mail.messages())
}

async fn style() -> Response {
    answer(StatusCode::OK, "text/css", "default-src 'none'", STYLE.into())
}

fn not_there() -> Response {
    page(StatusCode::NOT_FOUND, "Not there", vec![paragraph("There is no message of this number.")])
}

fn page(status: StatusCode, title: &str, content: Vec<Element>) -> Response {
    let meta = |name, content| element("meta").attr("name", name).attr("content", content);
    let head = element("head")
        .child(element("meta").attr("charset", "utf-8"))
        .child(meta("viewport", "width=device-width, initial-scale=1"))
        .child(element("title").text(format!("{title} · Mail")))
        .child(element("link").attr("rel", "stylesheet").attr("href", "/mail/style.css"));
    let banner = element("header")
        .child(element("strong").text("CAPTURED"))
        .child(span("None of this was delivered to anyone."))
        .child(link("/mail", "All messages"));
    let main = element("main").child(element("h1").text(title)).children(content);
    let body = element("body").child(banner).child(main);
    let html = element("html").attr("lang", "en").child(head).child(body);
    answer(status, "text/html; charset=utf-8", PAGE, format!("<!doctype html>\n{html}\n").into())
}
