//! A message as it came, and as a person reads it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// Parts within parts are read so deep.
const MAX_DEPTH: usize = 4;

#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// Counts the messages of one run, from 1.
    pub number: u64,
    pub from: String,
    pub to: Vec<String>,
    pub subject: String,
    pub message_id: String,
    pub headers: Vec<(String, String)>,
    pub text: String,
    pub html: String,
}

impl Message {
    pub(super) fn read(number: u64, from: &str, to: &[String], raw: &[u8]) -> Self {
        let raw = String::from_utf8_lossy(raw).replace("\r\n", "\n");
        let (headers, body) = split(&raw);
        let mut message = Self {
            number,
            from: from.to_owned(),
            to: to.to_vec(),
            subject: decoded_words(header(&headers, "subject")),
            message_id: header(&headers, "message-id").to_owned(),
            headers: Vec::new(),
            text: String::new(),
            html: String::new(),
        };
        message.take_part(&headers, body, MAX_DEPTH);
        message.headers = headers;
        message
    }

    /// The value of a header; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        header(&self.headers, name)
    }

    fn take_part(&mut self, headers: &[(String, String)], body: &str, depth: usize) {
        let kind = header(headers, "content-type");
        if kind.starts_with("multipart/") {
            let Some(boundary) = boundary(kind).filter(|_| depth > 0) else { return };
            for part in body.split(&format!("--{boundary}")).skip(1) {
                if part.starts_with("--") {
                    break;
                }
                let (headers, body) = split(part.trim_start_matches('\n'));
                self.take_part(&headers, body, depth - 1);
            }
            return;
        }
        let text = decoded(body, header(headers, "content-transfer-encoding"));
        if kind.starts_with("text/html") {
            self.html = text;
        } else {
            self.text = text;
        }
    }
}

/// Headers, unfolded, and what is behind the first empty line.
fn split(part: &str) -> (Vec<(String, String)>, &str) {
    let (head, body) = part.split_once("\n\n").unwrap_or((part, ""));
    let head = head.replace("\n ", " ").replace("\n\t", " ");
    let headers = head.lines().filter_map(|line| line.split_once(':'));
    (headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect(), body)
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    let found = headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
    found.map_or("", |(_, value)| value)
}

fn boundary(kind: &str) -> Option<&str> {
    let value = kind.split_once("boundary=")?.1;
    let value =
        value.strip_prefix('"').map_or(value, |value| value.split('"').next().unwrap_or(""));
    value.split(';').next().filter(|boundary| !boundary.is_empty())
}

fn decoded(body: &str, encoding: &str) -> String {
    let bytes = match encoding.to_ascii_lowercase().as_str() {
        "base64" => from_base64(&body.split_whitespace().collect::<String>()),
        "quoted-printable" => from_quoted(&body.replace("=\n", "")),
        _ => return body.to_owned(),
    };
    String::from_utf8_lossy(&bytes).replace("\r\n", "\n")
}

/// What is not base64 is nothing.
fn from_base64(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap_or_default()
}

fn from_quoted(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if first == b'=' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    bytes
}

/// A header with words outside ASCII: `=?utf-8?b?...?=`.
fn decoded_words(value: &str) -> String {
    let mut text = String::new();
    let mut rest = value;
    while let Some((before, word)) = rest.split_once("=?") {
        let mut parts = word.splitn(4, '?');
        let (_, encoding, body) = (parts.next(), parts.next(), parts.next());
        let (Some(encoding), Some(body), Some(after)) = (encoding, body, parts.next()) else {
            break;
        };
        let bytes = match encoding {
            "b" | "B" => from_base64(body),
            _ => from_quoted(&body.replace('_', " ")),
        };
        // White space between two such words is none of the text.
        text.push_str(if before.trim().is_empty() { "" } else { before });
        text.push_str(&String::from_utf8_lossy(&bytes));
        rest = after.strip_prefix('=').unwrap_or(after);
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_message_are_read() {
        let raw = "Subject: =?utf-8?b?R3LDvMOfZQ==?= =?utf-8?q?_an_dich?=\r\nMessage-ID: <1@a>\r\n\
            Content-Type: multipart/alternative;\r\n boundary=\"x\"\r\n\r\n\
            --x\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\na =3D =E2=82=AC1=\r\n2\r\n\r\n\
            --x\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+\r\n\
            --x--\r\n";
        let message = Message::read(1, "a@b", &["c@d".to_owned()], raw.as_bytes());
        assert_eq!(message.subject, "Grüße an dich");
        assert_eq!(message.text.trim_end(), "a = €12");
        assert_eq!(message.html, "<b>");
        assert_eq!(message.header("message-id"), "<1@a>");
    }

    #[test]
    fn nothing_is_too_odd_to_be_kept() {
        for raw in
            ["", "\r\n", "Subject", "Content-Type: multipart/mixed\r\n\r\n--", "a: =?b?c\r\n"]
        {
            Message::read(1, "", &[], raw.as_bytes());
        }
    }
}
