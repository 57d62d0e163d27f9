//! A captured message, parsed.

use mail_parser::{MessageParser, PartType};
use serde::Serialize;

#[derive(Clone, Debug, Default, Serialize)]
pub struct Message {
    /// Counts the messages of one run, from 1.
    pub number: u64,
    /// The sender that the envelope names.
    pub from: String,
    /// The recipients that the envelope names.
    pub to: Vec<String>,
    pub subject: String,
    /// When the sender wrote the message, in seconds since 1970.
    pub sent_at_seconds: Option<i64>,
    pub message_id: String,
    /// In the order of the message. Folded lines are joined; nothing else changes.
    pub headers: Vec<(String, String)>,
    pub text: String,
    pub html: String,
}

impl Message {
    /// Parses a message. Every message is kept: a part that cannot be parsed is empty.
    pub(super) fn parse(number: u64, from: &str, to: &[String], raw: &[u8]) -> Self {
        let envelope = Self { number, from: from.to_owned(), to: to.to_vec(), ..Self::default() };
        let Some(parsed) = MessageParser::default().parse(raw) else { return envelope };
        let headers = parsed.headers_raw().map(|(name, value)| (name.to_owned(), unfold(value)));
        let mut message = Self {
            subject: parsed.subject().unwrap_or_default().to_owned(),
            sent_at_seconds: parsed.date().map(mail_parser::DateTime::to_timestamp),
            headers: headers.collect(),
            ..envelope
        };
        message.message_id = message.header("message-id").to_owned();
        // `body_html` would convert a message that has only text, and `body_text` the reverse.
        for part in &parsed.parts {
            match &part.body {
                PartType::Text(text) => message.text = unix_lines(text),
                PartType::Html(html) => message.html = unix_lines(html),
                _ => {}
            }
        }
        message
    }

    /// The value of a header; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// The user that Farebox wrote to; empty if the sender names none.
    pub(super) fn user_id(&self) -> &str {
        self.header("x-farebox-user-id")
    }

    /// The plan or credit pack that the message is about; empty if the sender names none.
    pub(super) fn plan(&self) -> &str {
        self.header("x-farebox-plan")
    }
}

fn unfold(value: &str) -> String {
    value.lines().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned()
}

fn unix_lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_html_are_both_decoded() {
        let raw = "Date: Fri, 20 Nov 2026 13:15:00 +0000\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?= =?utf-8?q?_an_dich?=\r\nMessage-ID: <1@a>\r\n\
            Content-Type: multipart/alternative;\r\n boundary=\"x\"\r\n\r\n\
            --x\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\na =3D =E2=82=AC1=\r\n2\r\n\r\n\
            --x\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+\r\n\
            --x--\r\n";
        let message = Message::parse(1, "a@b", &["c@d".to_owned()], raw.as_bytes());
        assert_eq!(message.sent_at_seconds, Some(1_795_180_500));
        assert_eq!(message.subject, "Grüße an dich");
        assert_eq!(message.text.trim_end(), "a = €12");
        assert_eq!(message.html, "<b>");
        assert_eq!(message.header("message-id"), "<1@a>");
    }

    #[test]
    fn a_malformed_message_is_kept() {
        for raw in
            ["", "\r\n", "Subject", "Content-Type: multipart/mixed\r\n\r\n--", "a: =?b?c\r\n"]
        {
            Message::parse(1, "", &[], raw.as_bytes());
        }
    }
}
