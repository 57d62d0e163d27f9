//! Connections to Postgres: through a transaction-mode pooler, encrypted, and after a freeze.

mod idle;

use futures_util::future::join_all;
use serde_json::json;
use shared::adapters::postgres::{NewEntry, Postgres};
use shared::config::Database;
use shared::domain::UserId;
use tokio::sync::OnceCell;
use tokio_postgres::Client;

use crate::support::{Mode, Setup, Stack, TestApp, execute, pooler, settings, until};

pub const POOLED: &str = "farebox_pooled";

/// A login for the pooler that needs no password. It is created once for all tests, because roles
/// and pg_hba.conf belong to the whole cluster.
pub async fn allow_without_password(stack: &Stack) {
    static ALLOWED: OnceCell<()> = OnceCell::const_new();
    ALLOWED.get_or_init(|| write_rule(stack)).await;
}

async fn write_rule(stack: &Stack) {
    let superuser = stack.superuser("postgres").await;
    let line = format!("host all {POOLED} 127.0.0.1/32 trust");
    execute(
        &superuser,
        &format!(
            "do $$
             begin
               create role {POOLED} login in role farebox_app;
             exception
               when duplicate_object or unique_violation then null;
             end
             $$;
             alter role {POOLED} set statement_timeout to '5s';
             copy (select 1) to program
               'grep -q {POOLED} pg_hba.conf || sed -i \"1i {line}\" pg_hba.conf';
             select pg_reload_conf()"
        ),
    )
    .await;
    // Postgres reads the file a moment later; only an attempt shows when.
    let url = format!("postgres://{POOLED}@{}/postgres?sslmode=disable", stack.postgres_address());
    until(async || shared::adapters::postgres::connect(&settings(&url)).await.is_ok()).await;
}

/// A Farebox whose Postgres is behind a pooler with this many backends.
async fn pooled(size: usize) -> (TestApp, Database) {
    let stack = Stack::start().await;
    allow_without_password(stack).await;
    let urls = stack.database().await;
    let name = urls.owner.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    let address = pooler::start(stack.postgres_address(), POOLED, &name, size).await;
    let url = format!("postgres://{POOLED}@{address}/{name}?sslmode=disable&pgbouncer=true");
    let app = Setup::default().set("DATABASE_URL", &url).start().await;
    (app, settings(&url))
}

/// An empty database behind a pooler, with the owner's connection.
pub async fn pooled_empty_database(size: usize) -> Database {
    let stack = Stack::start().await;
    allow_without_password(stack).await;
    let urls = stack.empty_database().await;
    let name = urls.owner.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    let superuser = stack.superuser(&name).await;
    execute(&superuser, &format!("alter database {name} owner to {POOLED}")).await;
    let address = pooler::start(stack.postgres_address(), POOLED, &name, size).await;
    settings(&format!("postgres://{POOLED}@{address}/{name}?sslmode=disable"))
}

#[tokio::test]
async fn everything_works_through_a_transaction_mode_pooler() {
    let (app, _) = pooled(3).await;
    let save = |n: usize| {
        let user = format!("user-{}", n % 7);
        let body = json!({ "summary": "a", "content": "b" });
        let call = app.post("/api/chat/save").bearer(&app.token(&user)).json(body);
        call.header("idempotency-key", &format!("{}", n % 50)).send()
    };
    for answer in join_all((0..200).map(save)).await {
        answer.expect_status(200);
    }
    app.get("/api/cron/daily").cron().send().await.expect_status(200);
    app.delete("/api/account").bearer(&app.token("user-0")).send().await.expect_status(204);
    app.get("/api/health/ready").send().await.expect_status(200);
}

/// The tests' pooler is strict: the calls that clippy bans fail behind it.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "it is shown to fail")]
async fn prepared_statements_fail_behind_the_pooler() {
    let (_, database) = pooled(2).await;
    let client = shared::adapters::postgres::connect(&database).await.unwrap();
    client
        .query("select 1 from accounts where id = $1", &[&"ann"])
        .await
        .expect_err("a prepared statement works behind the pooler");
}

#[tokio::test]
async fn doctor_recognizes_a_pooler() {
    let (app, database) = pooled(1).await;
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_farebox"));
    command.arg("doctor").env_clear().envs(&app.settings);
    let output = command.env("DATABASE_URL", database.url.expose()).output().await.unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(report.contains("through a transaction-mode pooler"), "{report}");
    assert!(report.contains("FAIL  catalog: no catalog is published"), "{report}");
    assert!(report.contains("1 check failed."), "{report}");
}

/// Neon's URLs require TLS with channel binding; a private authority is configured by its
/// certificate.
#[tokio::test]
async fn connections_are_encrypted_and_the_server_is_verified() {
    let stack = Stack::start().await;
    let names = vec!["127.0.0.1".to_owned()];
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(names).unwrap();
    let superuser = stack.superuser("postgres").await;
    for (file, pem) in [("server.crt", cert.pem()), ("server.key", signing_key.serialize_pem())] {
        let write = format!(
            "copy (select unnest(string_to_array('{}', E'\\n'))) to program
               'umask 077; cat > {file}'",
            pem.trim_end()
        );
        execute(&superuser, &write).await;
    }
    execute(&superuser, "alter system set ssl = on").await;
    execute(&superuser, "select pg_reload_conf()").await;

    let urls = stack.database().await;
    let url = urls.app.replace("sslmode=disable", "sslmode=verify-full&channel_binding=require");
    let trusting = Database { ca_certificate: Some(cert.pem()), ..settings(&url) };
    // Postgres reads its settings a moment later.
    until(async || shared::adapters::postgres::connect(&trusting).await.is_ok()).await;
    let client = shared::adapters::postgres::connect(&trusting).await.unwrap();
    let encrypted = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    assert!(client.query_typed_one(encrypted, &[]).await.unwrap().get::<_, bool>(0));

    let stranger = shared::adapters::postgres::connect(&settings(&url))
        .await
        .expect_err("an unknown authority's certificate is accepted");
    let cause = shared::domain::error::error_chain(&stranger);
    assert!(cause.contains("certificate"), "{cause}");

    let pem = cert.pem().replace('\n', "\\n");
    let app = Setup::default().set("DATABASE_URL", url).set("DATABASE_CA_CERT", pem).start().await;
    app.get("/api/health/ready").send().await.expect_status(200);
}

/// Waits until a statement in this client's database waits for a lock.
async fn until_someone_waits(watcher: Client) {
    let waiting = "select count(*) from pg_stat_activity
                   where datname = current_database() and wait_event_type = 'Lock'";
    until(async || watcher.query_typed_one(waiting, &[]).await.unwrap().get::<_, i64>(0) > 0).await;
}

/// A retry during its first call waits for it, and returns what the first call wrote. Without the
/// lock on the user's row it would look too early, and violate the key's index.
#[tokio::test]
async fn a_retry_waits_for_its_first_call() {
    let stack = Stack::start().await;
    let urls = stack.database().await;
    let name = urls.owner.rsplit('/').next().unwrap().split('?').next().unwrap();
    let entry = r#"'{"kind": "chat", "title": "talk"}'"#;
    let call = format!("select add_history('ann', null, {entry}, 'key', 'print', 'epoch')");
    let first = shared::adapters::postgres::connect(&settings(&urls.app)).await.unwrap();
    let retry = shared::adapters::postgres::connect(&settings(&urls.app)).await.unwrap();
    execute(&first, &format!("select add_history('ann', null, {entry}, null, null, 'epoch')"))
        .await;

    execute(&first, "begin").await;
    let written: serde_json::Value = first.query_typed_one(&call, &[]).await.unwrap().get(0);
    let commit = async {
        until_someone_waits(stack.superuser(name).await).await;
        execute(&first, "commit").await;
    };
    let (found, ()) = tokio::join!(retry.query_typed_one(&call, &[]), commit);
    assert_eq!(found.unwrap().get::<_, serde_json::Value>(0), written);
}

/// A canceled statement's answer is still to come, but no other call waits behind it.
#[tokio::test]
async fn a_canceled_statement_blocks_no_connection() {
    let stack = Stack::start().await;
    let urls = stack.database().await;
    let store = Postgres::new(&settings(&urls.app), 1).unwrap();
    let ann = UserId::try_from("ann".to_owned()).unwrap();
    let entry = NewEntry { kind: "chat", title: "talk", ..NewEntry::default() };
    let save = || store.add_history(&ann, None, &entry, None, jiff::Timestamp::UNIX_EPOCH);
    save().await.unwrap();
    let name = urls.owner.rsplit('/').next().unwrap().split('?').next().unwrap();
    let holder = stack.superuser(name).await;
    execute(&holder, "begin; select from accounts where id = 'ann' for update").await;

    let waits = until_someone_waits(stack.superuser(name).await);
    tokio::select! {
        saved = save() => panic!("the row is not locked: {saved:?}"),
        () = waits => {}
    }
    store.ping().await.expect("the pool's one connection is not free");
    execute(&holder, "rollback").await;
}

/// A frozen function wakes up with connections that the other end has closed.
#[tokio::test]
async fn connections_that_died_are_replaced() {
    let app = TestApp::new().await;
    let save = || {
        let body = json!({ "summary": "a", "content": "b" });
        app.post("/api/chat/save").bearer(&app.token("ann")).json(body).send()
    };
    for answer in join_all((0..8).map(|_| save())).await {
        answer.expect_status(200);
    }
    app.postgres.set(Mode::Down).await;
    app.postgres.set(Mode::Pass).await;
    app.redis.set(Mode::Down).await;
    app.redis.set(Mode::Pass).await;
    for answer in join_all((0..8).map(|_| save())).await {
        answer.expect_status(200);
    }
}
