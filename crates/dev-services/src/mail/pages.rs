//! Pages of the captured messages: a list, and each message as HTML and as text. A frame shows the
//! HTML. It runs no script and loads nothing, and its links open in a new tab.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use dev_pages::format::moment;
use dev_pages::parts::Column::Text;
use dev_pages::parts::{self, facts, link, table, unbroken};
use dev_pages::{Link, Section, document, response, with_links};
use maud::{Markup, html};

use super::{Mail, Message};

const SECTION: Section = Section {
    name: "Mail",
    mark: "CAPTURED",
    note: "No message was delivered to its recipient.",
    root: "/mail",
};

/// The links of a mail server that runs alone.
const LINKS: [Link; 1] = [Link { label: "Mail", path: "/mail" }];

const DIRECTIVES: &str = "frame-src 'self'; form-action 'none'";
const FRAME_POLICY: &str = "sandbox allow-popups allow-popups-to-escape-sandbox; \
                            default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'";

pub(super) fn router(mail: Mail) -> Router {
    let pages = Router::new()
        .route("/mail", get(list_messages))
        .route("/mail/{number}", get(message_page))
        .route("/mail/{number}/html", get(message_html))
        .route("/mail/api/messages", get(messages_json))
        .with_state(mail);
    with_links(pages.merge(response::assets(&SECTION)), LINKS)
}

async fn list_messages(State(mail): State<Mail>) -> Response {
    let messages = mail.messages();
    let content = html! {
        section {
            @if messages.is_empty() {
                p { "No messages yet. Farebox sends one after a payment, for example." }
            } @else {
                (message_table(&messages))
            }
        }
    };
    page(StatusCode::OK, "Mail", &content)
}

fn message_table(messages: &[Message]) -> Markup {
    let row = |message: &Message| {
        vec![
            unbroken(&sent_at(message)),
            html! { a href={ "/mail/" (message.number) } { (subject(message)) } },
            parts::text(&message.to.join(", ")),
            parts::text(message.user_id()),
            parts::text(message.plan()),
        ]
    };
    let rows: Vec<_> = messages.iter().rev().map(row).collect();
    let columns =
        [Text("Date"), Text("Subject"), Text("To"), Text("User ID"), Text("Plan or pack")];
    table("Messages, latest first", &columns, &rows)
}

fn subject(message: &Message) -> &str {
    if message.subject.is_empty() { "(no subject)" } else { &message.subject }
}

fn sent_at(message: &Message) -> String {
    message.sent_at_seconds.map_or("unknown".to_owned(), moment)
}

async fn message_page(State(mail): State<Mail>, Path(number): Path<u64>) -> Response {
    match mail.message(number) {
        Some(message) => page(StatusCode::OK, subject(&message), &message_view(&message)),
        None => not_found(),
    }
}

fn message_view(message: &Message) -> Markup {
    let mut about = vec![
        ("Date", parts::text(&sent_at(message))),
        ("From", parts::text(message.header("from"))),
        ("To", parts::text(&message.to.join(", "))),
    ];
    for (name, value) in [("User ID", message.user_id()), ("Plan or pack", message.plan())] {
        if !value.is_empty() {
            about.push((name, parts::text(value)));
        }
    }
    let sandbox = "allow-popups allow-popups-to-escape-sandbox";
    html! {
        section { (facts(&about)) }
        @if !message.html.is_empty() {
            section {
                h2 { "HTML" }
                iframe src={ "/mail/" (message.number) "/html" } sandbox=(sandbox)
                    title="The message as HTML" {}
            }
        }
        section {
            h2 { "Text" }
            pre.text tabindex="0" { (with_web_links(&message.text)) }
        }
        section {
            h2 { "Headers" }
            pre.text tabindex="0" {
                @for (name, value) in &message.headers { (name) ": " (value) "\n" }
            }
        }
        p { a href="/mail" { "All messages" } }
    }
}

/// A text in which web addresses are links. An address ends at the next white space.
fn with_web_links(text: &str) -> Markup {
    let is_address = |word: &str| word.starts_with("https://") || word.starts_with("http://");
    html! {
        @for word in text.split_inclusive(char::is_whitespace) {
            @let address = word.trim_end();
            @if is_address(address) {
                (link(address, address)) (&word[address.len()..])
            } @else {
                (word)
            }
        }
    }
}

async fn message_html(State(mail): State<Mail>, Path(number): Path<u64>) -> Response {
    match mail.message(number) {
        Some(message) => {
            let kind = "text/html; charset=utf-8";
            response::respond(StatusCode::OK, kind, FRAME_POLICY, message.html.into_bytes())
        }
        None => not_found(),
    }
}

/// The kept messages as JSON, for programs.
async fn messages_json(State(mail): State<Mail>) -> Json<Vec<Message>> {
    Json(mail.messages())
}

fn not_found() -> Response {
    let content = html! {
        section { p { "No message has this number. The list has the latest messages." } }
        p { a href="/mail" { "All messages" } }
    };
    page(StatusCode::NOT_FOUND, "Not found", &content)
}

fn page(status: StatusCode, title: &str, content: &Markup) -> Response {
    response::page(status, document(&SECTION, title, None, content), DIRECTIVES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_addresses_in_a_text_are_links() {
        let shown = with_web_links("Pay: https://a.example/?b=1&c\nnot javascript:x\n");
        let expected = "Pay: <a href=\"https://a.example/?b=1&amp;c\">\
                        https://a.example/?b=1&amp;c</a>\nnot javascript:x\n";
        assert_eq!(shown.into_string(), expected);
    }
}
