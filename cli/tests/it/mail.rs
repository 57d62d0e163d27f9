//! The mail server of the dev services, and its pages.

use dev_services::mail::Mail;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::listen;

/// Sends these lines; returns all replies.
async fn dialogue(mail: &Mail, lines: &[&str]) -> String {
    let address = mail.url().replace("smtp://", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all((lines.join("\r\n") + "\r\nQUIT\r\n").as_bytes()).await.unwrap();
    let mut replies = String::new();
    stream.read_to_string(&mut replies).await.unwrap();
    replies
}

const MESSAGE: [&str; 15] = [
    "EHLO me",
    "AUTH PLAIN AG1lAHB3",
    "MAIL FROM:<billing@acme.example>",
    "RCPT TO:<ann@mail.example>",
    "DATA",
    "Subject: <b>Hello</b>",
    "Date: Fri, 20 Nov 2026 13:15:00 +0000",
    "X-Farebox-User-Id: user_<1>",
    "X-Farebox-Plan: Pro",
    "Content-Type: text/html",
    "",
    "<script>alert(1)</script>",
    "..",
    "..two",
    ".",
];

async fn get(base: &str, path: &str) -> (String, String) {
    let answer = reqwest::get(format!("{base}{path}")).await.unwrap();
    let policy = answer.headers().get("content-security-policy");
    let policy = policy.map_or("", |policy| policy.to_str().unwrap()).to_owned();
    (answer.text().await.unwrap(), policy)
}

#[tokio::test]
async fn a_captured_message_is_shown_and_its_scripts_do_not_run() {
    let mail = Mail::start(10).await.unwrap();
    let replies = dialogue(&mail, &MESSAGE).await;
    assert!(replies.contains("250 kept") && replies.ends_with("221 bye\r\n"), "{replies}");
    let base = format!("http://{}", listen(mail.router()).await.address);

    let (list, _) = get(&base, "/mail").await;
    assert!(list.contains("<a href=\"/mail/1\">&lt;b&gt;Hello&lt;/b&gt;</a>"), "{list}");
    for shown in ["20 Nov 2026, 13:15:00 UTC", "user_&lt;1&gt;", "<td>Pro</td>"] {
        assert!(list.contains(shown), "{shown} in {list}");
    }
    let (page, policy) = get(&base, "/mail/1").await;
    assert!(page.contains("ann@mail.example") && !page.contains("<script>"), "{page}");
    let sandbox = "sandbox=\"allow-popups allow-popups-to-escape-sandbox\"";
    assert!(page.contains(&format!("<iframe src=\"/mail/1/html\" {sandbox}")), "{page}");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let (html, policy) = get(&base, "/mail/1/html").await;
    assert_eq!(html, "<script>alert(1)</script>\n.\n.two\n");
    assert!(policy.starts_with("sandbox allow-popups"), "{policy}");
    assert!(policy.contains("; default-src 'none'") && !policy.contains("scripts"), "{policy}");
    let (messages, _) = get(&base, "/mail/api/messages").await;
    let messages: Value = serde_json::from_str(&messages).unwrap();
    assert_eq!(messages[0]["subject"], "<b>Hello</b>");
    assert_eq!(messages[0]["to"][0], "ann@mail.example");
    assert_eq!(messages[0]["sent_at_seconds"], 1_795_180_500);
    assert!(get(&base, "/mail/2").await.0.contains("Not found"));
}

/// A page of any site may submit a form with a message to this port.
#[tokio::test]
async fn a_browser_cannot_post_mail() {
    let mail = Mail::start(10).await.unwrap();
    let address = mail.url().replace("smtp://", "");
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n\r\n";
    let message = MESSAGE.join("\r\n");
    stream.write_all(format!("{head}{message}\r\nQUIT\r\n").as_bytes()).await.unwrap();
    let mut replies = Vec::new();
    // The server may reset the connection before everything was sent.
    let _ = stream.read_to_end(&mut replies).await;
    assert!(!String::from_utf8_lossy(&replies).contains("354"), "the server accepted the message");
    assert!(mail.messages().is_empty(), "{:?}", mail.messages());
}

#[tokio::test]
async fn only_the_latest_messages_are_kept() {
    let mail = Mail::start(2).await.unwrap();
    for _ in 0..3 {
        dialogue(&mail, &MESSAGE).await;
    }
    let numbers: Vec<u64> = mail.messages().iter().map(|message| message.number).collect();
    assert_eq!(numbers, [2, 3]);
}

#[tokio::test]
async fn a_sender_cannot_fill_the_memory() {
    let mail = Mail::start(2).await.unwrap();
    let address = mail.url().replace("smtp://", "");
    for (begin, part) in [
        ("", "x".repeat(2_000)),
        ("MAIL FROM:<a@b.c>\r\nRCPT TO:<a@b.c>\r\nDATA\r\n", "x".repeat(900) + "\r\n"),
    ] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(begin.as_bytes()).await.unwrap();
        let mut sent = 0;
        while stream.write_all(part.as_bytes()).await.is_ok() {
            sent += part.len();
            assert!(sent < 50_000_000, "the connection is not closed");
        }
    }
    assert!(mail.messages().is_empty());
}
