//! `farebox doctor` (CR-2): checks every connection as a function uses it, and says what to fix.

use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};
use url::Url;

use super::{Dev, Redis, directory, farebox, run, stdout_of};
use crate::auth::provider::Signer;
use crate::support::{self, Mode, Setup, Stack, TestApp, listen};

#[tokio::test]
async fn doctor_reports_a_healthy_stack() {
    let dir = directory("doctor");
    let dev = Dev::start(&dir, Redis::Found).await;
    let report = stdout_of(&dir, &["doctor"]).await;
    for line in [
        "request 1: allowed, remaining 4",
        "request 5: allowed, remaining 0",
        "request 6: blocked, remaining 0",
        "request 7: blocked, remaining 0",
        "ok    migrations: all applied",
        "ok    rights: as expected",
        "ok    time limit: Postgres ends a statement after 5s",
        "ok    clock: that of Postgres agrees with this machine's",
        "ok    dead letters: none",
        "ok    cron: a secret is set",
        "ok    origins: ",
        "as farebox, directly",
        "All checks passed.",
    ] {
        assert!(report.contains(line), "{line}: {report}");
    }
    assert!(!report.contains("FAIL"), "{report}");
    dev.stop(&dir).await;
}

#[tokio::test]
async fn doctor_suggests_fixes() {
    let dir = directory("sick");
    let nothing = run(&dir, &["doctor", "--data", "elsewhere"]).await;
    assert_eq!(nothing.status.code(), Some(1));
    let report = String::from_utf8_lossy(&nothing.stdout).into_owned();
    let start = "run `cargo run -- --data elsewhere`, or set DATABASE_URL";
    assert!(report.starts_with("No settings and no local stack: "), "{report}");
    assert!(report.contains(start) && report.lines().count() == 1, "{report}");

    let mut half = farebox(&dir, &["doctor"]);
    let half = half.env("DATABASE_URL", "postgres://h/d").output().await.unwrap();
    assert!(!half.status.success());
    let report = String::from_utf8_lossy(&half.stdout).into_owned();
    for name in ["UPSTASH_REDIS_REST_URL", "STRIPE_SECRET_KEY", "AUTH_ISSUER"] {
        assert!(report.contains(&format!("FAIL  settings: {name}: must be set")), "{report}");
    }

    let app = TestApp::new().await;
    app.redis.set(Mode::Down).await;
    app.postgres.set(Mode::Down).await;
    app.stripe.set(Mode::Down).await;
    let mut command = farebox(&dir, &["doctor"]);
    let output = command.envs(&app.settings).output().await.unwrap();
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success());
    assert!(report.contains("FAIL  redis: ") && report.contains("Check UPSTASH_"), "{report}");
    assert!(report.contains("FAIL  postgres: ") && report.contains("Check DATABASE_"), "{report}");
    assert!(report.contains("FAIL  stripe: ") && report.contains("STRIPE_SECRET_KEY"), "{report}");
    assert!(report.contains("3 checks failed."), "{report}");
    app.stripe.set(Mode::Pass).await;
    let report = doctor(&app, &[]).await;
    assert!(report.contains("ok    stripe: ") && report.contains("2 checks failed."), "{report}");
    assert!(report.contains("skip  catalog: Farebox's tables cannot be read"), "{report}");
    app.stripe.set(Mode::Down).await;
    assert!(!report.contains("os error"), "{report}");

    let mut command = farebox(&dir, &["doctor", "--json"]);
    let output = command.envs(&app.settings).output().await.unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let failed = report["checks"].as_array().unwrap().iter().filter(|check| check["ok"] == false);
    let failed: Vec<_> = failed.map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!((failed, &report["ok"]), (vec!["redis", "postgres", "stripe"], &json!(false)));
}

/// A login that was created without its role can read nothing. The fix names the role, and no check
/// suggests to migrate or to push a catalog.
#[tokio::test]
async fn doctor_finds_a_login_outside_the_role() {
    let app = Setup::default().sells("demo").start().await;
    let superuser = Stack::start().await.superuser("postgres").await;
    let role = "doctor_outsider";
    let create = format!(
        "drop role if exists {role};
         create role {role} login password 'outside';
         alter role {role} set statement_timeout to '5s'"
    );
    support::execute(&superuser, &create).await;
    let mut url: Url = app.settings["DATABASE_URL"].parse().unwrap();
    url.set_username(role).unwrap();
    url.set_password(Some("outside")).unwrap();
    let settings = [("DATABASE_URL", url.as_str())];
    let report = doctor(&app, &settings).await;
    let line = format!("FAIL  rights: the connecting role {role} is not a member of farebox_app");
    assert!(report.contains(&line), "{report}");
    let grant = format!("grant farebox_app to {role}");
    assert!(report.contains(&grant) && report.contains("1 check failed."), "{report}");
    assert!(report.contains("skip  catalog: ") && !report.contains("farebox migrate"), "{report}");

    support::execute(&superuser, &grant).await;
    let report = doctor(&app, &settings).await;
    assert!(report.contains("ok    rights: ") && report.contains("ok    catalog: "), "{report}");
}

/// The owner's URL is enough: the functions' login need not exist yet.
#[tokio::test]
async fn the_direct_url_alone_is_enough_to_migrate() {
    let dir = directory("direct");
    let output = farebox(&dir, &["migrate"]).env_remove("DIRECT_URL").output().await.unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && message.contains("set DIRECT_URL"), "{message}");
    let empty = Stack::start().await.empty_database().await;
    for expected in ["applied   0001_accounts", "The schema public is up to date."] {
        let mut migrate = farebox(&dir, &["migrate"]);
        let output = migrate.env("DIRECT_URL", &empty.owner).output().await.unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && printed.contains(expected), "{output:?}");
    }
}

#[tokio::test]
async fn doctor_finds_a_wrong_role_and_missing_migrations() {
    let dir = directory("role");
    let app = TestApp::new().await;
    let empty = Stack::start().await.empty_database().await;
    let doctor = async |url: &str| {
        let mut command = farebox(&dir, &["doctor"]);
        let output = command.envs(&app.settings).env("DATABASE_URL", url).output().await.unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let report = doctor(&empty.owner).await;
    assert!(
        report.contains("FAIL  migrations: ") && report.contains("farebox migrate"),
        "{report}"
    );

    let mut migrate = farebox(&dir, &["migrate"]);
    let output = migrate.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
    let output = output.env("DIRECT_URL", &empty.owner).output().await.unwrap();
    let applied = String::from_utf8(output.stdout).unwrap();
    assert!(applied.contains("applied   0001_accounts"), "{applied}");
    let report = doctor(&empty.owner).await;
    assert!(report.contains("ok    migrations: all applied"), "{report}");
    assert!(report.contains("FAIL  rights: the connecting role farebox_owner"), "{report}");
    assert!(report.contains(" more\n      Set DATABASE_URL to a login in the role"), "{report}");
    assert!(report.contains("FAIL  time limit: the role farebox_owner has no"), "{report}");
    assert!(report.contains("alter role farebox_owner set statement_timeout"), "{report}");
}

/// The report of `farebox doctor` with a test's settings, some of them changed.
async fn doctor(app: &TestApp, changes: &[(&str, &str)]) -> String {
    let mut command = support::farebox(app);
    command.arg("doctor").envs(changes.iter().copied());
    String::from_utf8(command.output().await.unwrap().stdout).unwrap()
}

#[tokio::test]
async fn doctor_finds_settings_that_do_not_fit() {
    let app = Setup::default().sells("demo").start().await;
    let report = doctor(&app, &[]).await;
    assert!(report.contains("All checks passed.") && !report.contains("Lambda"), "{report}");
    let pooler =
        "postgres://farebox.abc:secret@aws-0-eu-central-1.pooler.supabase.com:5432/postgres";
    let many = vec!["https://app.example"; 250].join(",");
    for (name, value, line) in [
        ("CRON_SECRET", "", "skip  cron: CRON_SECRET is not set"),
        ("ALLOWED_ORIGINS", "", "FAIL  origins: no page may call"),
        ("DATABASE_URL", pooler, "FAIL  pooler: DATABASE_URL is Supabase's pooler in session mode"),
        ("ALLOWED_ORIGINS", &many, "exceed the 4 KB of a Lambda function"),
    ] {
        let report = doctor(&app, &[(name, value)]).await;
        assert!(report.contains(line), "{line}: {report}");
        assert!(!report.contains("secret@"), "{report}");
    }
    let report = doctor(&app, &[("DATABASE_URL", &pooler.replace("5432", "6543"))]).await;
    assert!(!report.contains("pooler: "), "{report}");
}

#[tokio::test]
async fn doctor_finds_dead_letters_and_a_missing_catalog() {
    let app = TestApp::new().await;
    let report = doctor(&app, &[]).await;
    assert!(report.contains("FAIL  catalog: no catalog is published"), "{report}");
    app.create_dead_letters(2).await;
    let report = doctor(&app, &[]).await;
    assert!(report.contains("FAIL  dead letters: 2 events of Stripe"), "{report}");
    assert!(report.contains("farebox webhooks list"), "{report}");
}

/// Tokens are compared to the last character of their issuer.
#[tokio::test]
async fn doctor_compares_the_issuer_with_the_providers() {
    let app = Setup::default().sells("demo").start().await;
    let keys = json!({ "keys": [Signer::p256().jwk("1")] }).to_string();
    let discovery = json!({ "issuer": "https://id.example/" }).to_string();
    let provider = Router::new()
        .route("/.well-known/jwks.json", get(async move || keys))
        .route("/.well-known/openid-configuration", get(async move || discovery));
    let url = format!("http://{}/.well-known/jwks.json", listen(provider).await.address);
    let issuer = async |issuer: &str| {
        doctor(&app, &[("AUTH_JWKS_URL", url.as_str()), ("AUTH_ISSUER", issuer)]).await
    };
    let report = issuer("https://id.example/").await;
    assert!(report.contains("ok    issuer: ") && report.contains("ok    identity: 1"), "{report}");
    let report = issuer("https://id.example").await;
    assert!(report.contains("FAIL  issuer: AUTH_ISSUER is https://id.example, but"), "{report}");
    assert!(report.contains("Set AUTH_ISSUER to https://id.example/"), "{report}");

    let keys = json!({ "keys": [Signer::p256().jwk("1")] }).to_string();
    let silent = Router::new().route("/keys", get(async move || keys));
    let url = format!("http://{}/keys", listen(silent).await.address);
    let report = doctor(&app, &[("AUTH_JWKS_URL", &url)]).await;
    assert!(report.contains("skip  issuer: ") && report.contains("1 skipped."), "{report}");
}
