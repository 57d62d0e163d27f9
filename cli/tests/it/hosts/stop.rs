//! SIGTERM while a host serves: each request is answered and counted, or it was never begun.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use nix::sys::signal::Signal;
use platforms::Vercel;
use shared::endpoints::STRIPE_WEBHOOK;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::binary::{api_response, on_vercel};
use super::request;
use crate::support::events::Customer;
use crate::support::{Mode, Process, Proxy, Setup, TestApp, execute, is_http, signature, until};

const CLIENTS: usize = 8;
/// The function is stopped after so many answers.
const ANSWERS: usize = 80;
/// More calls than one request to Redis carries.
const LOGGED_CALLS: usize = 1_000;

enum Host {
    Vercel(Vercel),
    Server(Process),
}

impl Host {
    async fn start(name: &str, app: &TestApp, is_vercel: bool) -> Self {
        match is_vercel {
            true => Self::Vercel(on_vercel(name, &app.settings).await),
            false => Self::Server(Process::serve(app).await),
        }
    }

    fn base(&self) -> &str {
        match self {
            Self::Vercel(function) => function.base(),
            Self::Server(server) => &server.base,
        }
    }

    fn terminate(&self) {
        match self {
            Self::Vercel(function) => function.process.terminate().unwrap(),
            Self::Server(server) => server.signal(Signal::SIGTERM),
        }
    }

    async fn ended(self) {
        match self {
            Self::Vercel(function) => assert!(function.process.ended().await.unwrap().success()),
            Self::Server(server) => drop(server.end().await),
        }
    }
}

/// Reads one answer, and returns whether the connection stays open. None if it closed before the
/// answer's first byte.
async fn read_answer(stream: &mut TcpStream) -> Option<bool> {
    let mut answer = Vec::new();
    loop {
        let Ok(1..) = stream.read_buf(&mut answer).await else {
            assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
            return None;
        };
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() >= length.parse().unwrap() {
            assert!(head.starts_with("HTTP/1.1 200"), "{text}");
            return Some(!head.contains("connection: close"));
        }
    }
}

/// Sends one request after the other until the host accepts no connection. Returns the number of
/// answers.
async fn write_until_refused(address: &str, request: &str, all_answers: &AtomicUsize) -> i64 {
    let mut answers = 0;
    while let Ok(mut stream) = TcpStream::connect(address).await {
        while stream.write_all(request.as_bytes()).await.is_ok() {
            let Some(stays_open) = read_answer(&mut stream).await else { break };
            answers += 1;
            all_answers.fetch_add(1, Ordering::SeqCst);
            if !stays_open {
                break;
            }
        }
    }
    answers
}

/// Half of the clients keep their connections open.
async fn each_answer_is_counted(is_vercel: bool) {
    let app = Setup::default().sells("demo").at_machine_time().start().await;
    let plans = format!(
        "select comp_plan('user-' || n, 'pro', null, null, 'test', farebox_now())
         from generate_series(0, {CLIENTS}) n"
    );
    execute(&app.owner().await, &plans).await;
    let host = Host::start("usage", &app, is_vercel).await;
    let address = host.base().trim_start_matches("http://").to_owned();
    let text = |client: usize| {
        let (token, body) = (app.token(&format!("user-{client}")), r#"{"feature": "api_calls"}"#);
        let connection = if client.is_multiple_of(2) { "keep-alive" } else { "close" };
        let length = body.len();
        format!(
            "POST /api/usage HTTP/1.1\r\nhost: x\r\nconnection: {connection}\r\n\
             authorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
    };
    let requests: Vec<String> = (0..CLIENTS).map(text).collect();
    let all_answers = AtomicUsize::new(0);
    let writing = requests.iter().map(|it| write_until_refused(&address, it, &all_answers));
    let stop = async {
        until(async || all_answers.load(Ordering::SeqCst) >= ANSWERS).await;
        host.terminate();
    };
    let (answers, ()) = tokio::join!(join_all(writing), stop);
    host.ended().await;
    for (client, answers) in answers.into_iter().enumerate() {
        let counted = format!(
            "select coalesce(sum(used), 0)::bigint from usage_tracking
             where user_id = 'user-{client}'"
        );
        assert_eq!(app.count(&counted).await, answers, "the answers to user {client}");
    }
}

#[tokio::test]
async fn a_stopping_function_counts_what_it_answers() {
    each_answer_is_counted(true).await;
}

#[tokio::test]
async fn a_stopping_server_counts_what_it_answers() {
    each_answer_is_counted(false).await;
}

/// The e-mail about a webhook goes out after the answer to Stripe.
async fn the_mail_of_a_webhook_is_sent(is_vercel: bool) {
    let mut app = Setup::default().sells("demo").at_machine_time().start().await;
    let address = app.mail.url().trim_start_matches("smtp://").parse().unwrap();
    let smtp = Proxy::start(address, is_http).await;
    app.settings.insert("SMTP_URL".to_owned(), format!("smtp://{}", smtp.address()));
    let ann = Customer::of("ann", app.now().as_second());
    let pro = app.plan_sold("pro").await;
    app.deliver(&ann.named(0, "ann")).await.expect_status(200);
    let active = ann.subscription("1", "active", &pro);
    app.deliver(&ann.subscribed("created", 1, &active)).await.expect_status(200);

    let host = Host::start("stripe-webhook", &app, is_vercel).await;
    smtp.set(Mode::Slow(Duration::from_millis(100))).await;
    let canceled = ann.subscribed("deleted", 2, &ann.subscription("1", "canceled", &pro));
    let header = signature(&canceled.to_string(), app.now());
    let webhook = request("POST", STRIPE_WEBHOOK.path).header("stripe-signature", &header);
    let webhook = webhook.json(&canceled);
    let answer = webhook.over_http(&reqwest::Client::new(), host.base()).await.unwrap();
    api_response(answer).expect_status(200);
    until(async || smtp.waiting() > 0).await;
    assert_eq!(app.mail.messages().len(), 0);
    host.terminate();
    host.ended().await;
    assert_eq!(app.mail.messages().len(), 1);
    assert_eq!(app.count("select count(*) from outbox where done_at is null").await, 0);
}

#[tokio::test]
async fn a_stopping_function_sends_the_mail_of_a_webhook() {
    the_mail_of_a_webhook_is_sent(true).await;
}

#[tokio::test]
async fn a_stopping_server_sends_the_mail_of_a_webhook() {
    the_mail_of_a_webhook_is_sent(false).await;
}

/// CR-4: the calls that wait in the process are in the log.
async fn the_api_log_is_sent(is_vercel: bool) {
    let app = Setup::default().set("API_LOG", "full").at_machine_time().start().await;
    let host = Host::start("health", &app, is_vercel).await;
    let (client, url) = (reqwest::Client::new(), format!("{}/api/health", host.base()));
    let burst = (0..CLIENTS).map(async |_| {
        for _ in 0..LOGGED_CALLS / CLIENTS {
            assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
        }
    });
    join_all(burst).await;
    host.terminate();
    host.ended().await;
    assert_eq!(app.calls_in_redis().await, i64::try_from(LOGGED_CALLS).unwrap());
}

#[tokio::test]
async fn a_stopping_function_sends_its_api_log() {
    the_api_log_is_sent(true).await;
}

#[tokio::test]
async fn a_stopping_server_sends_its_api_log() {
    the_api_log_is_sent(false).await;
}
