//! Connections that are lost while they are idle. Reads and writes then use new connections, wait
//! less than a statement's time limit, and each write counts once.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use farebox::dev::database::Urls;
use futures_util::future::join_all;
use nix::sys::signal::Signal;
use serde_json::json;
use shared::adapters::postgres::{Postgres, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{POOLED, allow_without_password};
use crate::support::{
    Call, Mode, PgBouncer, Process, Proxy, Setup, Stack, TestApp, execute, is_postgres, pooler,
    settings,
};

/// Farebox checks connections that were idle for more than two seconds. Only time makes them idle.
const IDLE: Duration = Duration::from_millis(2_100);
/// Longer than a check and a new connection; a statement's time limit is five seconds.
const SOON: Duration = Duration::from_secs(2);

const USERS: [&str; 4] = ["ann", "bob", "cid", "dot"];

fn track(call: Call, app: &TestApp, user: &str, key: &str) -> Call {
    let call = call.bearer(&app.token(user)).header("idempotency-key", key);
    call.json(json!({ "feature": "reports", "quantity": 1 }))
}

/// Every user reads and writes at once, so that several connections are used. Returns the answers
/// to the writes.
async fn everyone_calls(app: &TestApp, key: &str) -> Vec<String> {
    let read = async |user| {
        app.get("/api/usage").bearer(&app.token(user)).send().await.expect_status(200);
    };
    let write = async |user| {
        let answer = track(app.post("/api/usage"), app, user, key).send().await;
        answer.expect_status(200).text
    };
    let both = async |user| tokio::join!(read(user), write(user)).1;
    join_all(USERS.map(both)).await
}

/// Loses idle connections, and lets every user call again. The owner's URL is that of the database.
async fn calls_survive(app: &TestApp, owner_url: &str, lose: impl AsyncFn()) {
    everyone_calls(app, "before").await;
    lose().await;
    tokio::time::sleep(IDLE).await;
    let started = Instant::now();
    let answers = everyone_calls(app, "after").await;
    let waited = started.elapsed();
    assert_eq!(everyone_calls(app, "after").await, answers, "the key returns the first answer");
    assert_eq!(users_with_count(owner_url, 2).await, 4, "each write counts once");
    assert!(waited < SOON, "{waited:?}");
}

async fn users_with_count(owner_url: &str, used: i64) -> i64 {
    let owner = connect(&settings(owner_url)).await.unwrap();
    let counted = format!("select count(*) from usage_tracking where used = {used}");
    owner.query_typed_one(&counted, &[]).await.unwrap().get(0)
}

/// Ends every session of Farebox in the test's database, as a restart of Postgres does.
async fn end_sessions(app: &TestApp) {
    let sessions =
        "from pg_stat_activity where datname = current_database() and usename = 'farebox'";
    let superuser = Stack::start().await.superuser(&app.database_name()).await;
    execute(&superuser, &format!("select pg_terminate_backend(pid) {sessions}")).await;
}

#[tokio::test]
async fn calls_survive_a_restart_of_postgres() {
    let app = TestApp::selling("demo").await;
    calls_survive(&app, &app.owner_url, async || end_sessions(&app).await).await;
}

/// The network forgets the connections, and neither end learns of it.
#[tokio::test]
async fn calls_survive_the_silent_loss_of_connections() {
    let app = TestApp::selling("demo").await;
    calls_survive(&app, &app.owner_url, async || app.postgres.forget_connections()).await;
}

#[tokio::test]
async fn calls_survive_the_silent_loss_of_connections_to_a_pooler() {
    let stack = Stack::start().await;
    allow_without_password(stack).await;
    let urls = stack.database().await;
    let name = urls.owner.rsplit('/').next().unwrap().split('?').next().unwrap();
    let pooler = pooler::start(stack.postgres_address(), POOLED, name, 3).await;
    loses_a_pooler(&urls, name, pooler).await;
}

/// Repeated with PgBouncer, where it is installed.
#[tokio::test]
async fn calls_survive_the_silent_loss_of_connections_to_pgbouncer() {
    let stack = Stack::start().await;
    allow_without_password(stack).await;
    let urls = stack.database().await;
    let name = urls.owner.rsplit('/').next().unwrap().split('?').next().unwrap();
    if let Some(pooler) = PgBouncer::start(stack.postgres_address(), POOLED, name).await {
        loses_a_pooler(&urls, name, pooler.address).await;
    }
}

async fn loses_a_pooler(urls: &Urls, name: &str, pooler: SocketAddr) {
    let proxy = Proxy::start(pooler, is_postgres).await;
    let url = format!("postgres://{POOLED}@{}/{name}?sslmode=disable", proxy.address());
    let app = Setup::default().set("DATABASE_URL", url).start().await;
    app.sell_in(&urls.owner, "demo").await;
    calls_survive(&app, &urls.owner, async || proxy.forget_connections()).await;
}

/// A process is frozen while it is idle, and its connections are closed. It resumes with the ends of
/// these connections and with new requests, all unread.
#[tokio::test]
async fn calls_survive_a_freeze() {
    let app = TestApp::selling("demo").await;
    let server = Process::serve(&app).await;
    let address = server.base.trim_start_matches("http://");
    let send = async |user: &str, key: &str| {
        let body = r#"{"feature": "reports"}"#;
        let request = format!(
            "POST /api/usage HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
             idempotency-key: {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            app.token(user),
            body.len(),
        );
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    };
    let receive = async |mut stream: TcpStream| {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    };
    let send_all = async |key: &str| join_all(USERS.map(|user| send(user, key))).await;
    let receive_all = async |streams: Vec<_>| join_all(streams.into_iter().map(receive)).await;
    for round in ["1", "2"] {
        receive_all(send_all(&format!("before-{round}")).await).await;
        server.signal(Signal::SIGSTOP);
        app.postgres.set(Mode::Down).await;
        app.postgres.set(Mode::Pass).await;
        let key = format!("after-{round}");
        let sent = send_all(&key).await;
        server.signal(Signal::SIGCONT);
        let answers = receive_all(sent).await;
        let repeated = receive_all(send_all(&key).await).await;
        assert_eq!(repeated, answers, "the key returns the first answer");
    }
    assert_eq!(users_with_count(&app.owner_url, 4).await, 4, "each write counts once");
    server.end().await;
}

/// A check costs a round trip, so a connection in use is not checked.
#[tokio::test]
async fn only_a_connection_that_was_idle_is_checked() {
    let stack = Stack::start().await;
    let urls = stack.database().await;
    // A check is a lone Sync message.
    let proxy = Proxy::start(stack.postgres_address(), |bytes| bytes.first() == Some(&b'S')).await;
    let direct = stack.postgres_address().to_string();
    let url = urls.app.replace(&direct, &proxy.address().to_string());
    let store = Postgres::new(&settings(&url), 1).unwrap();
    for _ in 0..3 {
        store.ping().await.unwrap();
    }
    assert_eq!(proxy.flights(), 0);
    tokio::time::sleep(IDLE).await;
    store.ping().await.unwrap();
    store.ping().await.unwrap();
    assert_eq!(proxy.flights(), 1);
}
