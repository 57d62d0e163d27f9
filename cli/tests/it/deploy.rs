//! `deploy/`: the container image and the services of `deploy/compose.yaml`, run step by step without
//! Docker.

mod image;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use dev_services::postgres::{self, Postgres};
use dev_services::redis::{self, RedisServer};
use serde_json::Value;
use shared::config::{Config, SETTINGS};
use tokio::process::Command;

use crate::support::{Process, TestApp, execute, settings, until};
use image::{Dockerfile, Image};

const COMPOSE: &str = include_str!("../../../deploy/compose.yaml");
const EXAMPLE: &str = include_str!("../../../deploy/farebox.env.example");
const ROLES: &str = include_str!("../../../deploy/roles.sql");
const PASSWORD: &str = "for-tests-alone";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The lines of a service of `compose.yaml`.
fn service(name: &str) -> Vec<&'static str> {
    let services = COMPOSE.lines().skip_while(|line| *line != "services:").skip(1);
    let mut lines = services.skip_while(|line| *line != format!("  {name}:"));
    lines.next().unwrap_or_else(|| panic!("there is no service {name}"));
    lines.take_while(|line| line.is_empty() || line.starts_with("   ")).collect()
}

/// The environment of a service, with a password in the place of each variable.
fn environment(name: &str) -> BTreeMap<&'static str, String> {
    let pairs = service(name).into_iter().filter_map(|line| line.trim_start().split_once(": "));
    let is_variable = |name: &str| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    pairs.filter(|(name, _)| is_variable(name)).map(|(name, value)| (name, filled(value))).collect()
}

/// Replaces each `${NAME}` and `${NAME:?message}`.
fn filled(value: &str) -> String {
    let mut parts = value.split("${");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + PASSWORD + part.split_once('}').unwrap().1)
}

/// The names of a service's environment variables.
fn variables(name: &str) -> BTreeSet<&'static str> {
    environment(name).into_keys().collect()
}

/// The settings that `farebox.env.example` leaves empty.
fn example() -> BTreeSet<&'static str> {
    let lines = EXAMPLE.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| Some(line.split_once('=')?.0)).collect()
}

/// The arguments with which a service runs the image.
fn arguments(name: &str) -> Vec<String> {
    let lines = service(name);
    let command = lines.iter().find_map(|line| line.trim_start().strip_prefix("command: "));
    serde_json::from_str(command.unwrap()).unwrap()
}

#[test]
fn the_services_set_known_settings() {
    let known: BTreeSet<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    let given: BTreeSet<&str> = variables("farebox").union(&example()).copied().collect();
    assert!(given.is_subset(&known), "{given:?}");
    for setting in SETTINGS.iter().filter(|setting| setting.required) {
        assert!(given.contains(setting.name), "{} is required", setting.name);
    }
    assert_eq!(variables("migrate"), ["DIRECT_URL"].into());
    assert_eq!(variables("redis-front"), ["REDIS_PASSWORD", "UPSTASH_REDIS_REST_TOKEN"].into());
    for line in ROLES.lines().filter(|line| line.starts_with("\\getenv")) {
        let name = line.rsplit(' ').next().unwrap();
        assert!(variables("postgres").contains(name), "roles.sql reads {name}");
    }
}

/// The server starts with the environment of `compose.yaml` and the settings of the example.
#[test]
fn the_server_accepts_its_environment() {
    let hash = "ab".repeat(32);
    let keys = format!("service:{hash},admin:{hash}");
    let filled_in = BTreeMap::from([
        ("STRIPE_SECRET_KEY", "sk_test_1"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_1"),
        ("AUTH_JWKS_URL", "https://id.example/.well-known/jwks.json"),
        ("AUTH_ISSUER", "https://id.example"),
        ("SERVICE_KEYS", &keys),
        ("ALLOWED_ORIGINS", "https://app.example"),
        ("TRUSTED_PROXIES", "172.16.0.0/12"),
    ]);
    assert_eq!(filled_in.keys().copied().collect::<BTreeSet<_>>(), example());
    let environment = environment("farebox");
    let config = Config::from_vars(|name| {
        let given = environment.get(name).map(String::as_str);
        given.or_else(|| filled_in.get(name).copied()).map(str::to_owned)
    });
    assert_eq!(config.unwrap().redis.url.as_str(), "http://redis-front:8079/");
}

/// The build uses the project's compiler, and gets no secret of a working copy.
#[test]
fn the_image_has_its_toolchain_its_user_and_no_secret() {
    let read = |path: &str| fs::read_to_string(repository().join(path)).unwrap();
    let toolchain: toml::Table = read("rust-toolchain.toml").parse().unwrap();
    let channel = toolchain["toolchain"]["channel"].as_str().unwrap();
    let file = Dockerfile::read();
    let base = format!("rust:{channel}-slim-bookworm AS build");
    assert_eq!(file.values("FROM"), [base.as_str(), "gcr.io/distroless/cc-debian12:nonroot"]);
    assert_eq!(file.values("ENV"), [format!("RUSTUP_TOOLCHAIN={channel}")]);
    assert_eq!(file.values("USER"), ["65532:65532"], "the user nonroot of the base image");

    let ignored = read("deploy/Dockerfile.dockerignore");
    for pattern in [
        ".git",
        "**/.env*",
        "**/farebox.env",
        "**/.farebox",
        "**/.vercel",
        "**/.aws-sam",
        "**/target",
    ] {
        assert!(ignored.lines().any(|line| line == pattern), "{pattern} is not ignored");
    }
    let uncommitted = read(".gitignore");
    assert!(uncommitted.lines().any(|line| line == "/deploy/farebox.env"));
}

/// The steps of `compose.yaml`, in the files of the image alone: the roles, the migrations, the
/// catalog, the front of Redis, and the server with its jobs.
#[tokio::test]
async fn the_image_migrates_and_serves() {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("deploy");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    let image = Image::assemble(&dir.join("image")).await;
    let version = stdout_of(&mut image.command(&["--version"])).await;
    assert_eq!(version, format!("farebox {}\n", env!("CARGO_PKG_VERSION")));

    // Its simulator takes the place of Stripe.
    let app = TestApp::new().await;
    let options =
        postgres::Options { durable: false, max_connections: 50, extra_settings: Vec::new() };
    let postgres = Postgres::start(&dir.join("postgres"), options, &|_| {}).await.unwrap();
    let url = |role: &str| {
        let address = format!("127.0.0.1:{}", postgres.port());
        format!("postgres://{role}:{PASSWORD}@{address}/farebox?sslmode=disable")
    };
    create_roles(&postgres).await;
    let migrated = stdout_of(image.run("migrate").env("DIRECT_URL", url("farebox_owner"))).await;
    assert!(migrated.contains("applied   0001_accounts"), "{migrated}");

    image.mount(&repository().join("catalogs/demo.toml"), "/catalogs/demo.toml");
    let mut push = image.command(&["catalog", "push", "--yes", "/catalogs/demo.toml"]);
    push.envs(&app.settings).env("DIRECT_URL", url("farebox_owner"));
    stdout_of(&mut push).await;

    let (redis, token) = (redis_front(&image, &dir, &app).await, "UPSTASH_REDIS_REST_TOKEN");
    let mut server = image.run("farebox");
    server.envs(&app.settings).env("DATABASE_URL", url("farebox")).env("PORT", "0");
    server.env("UPSTASH_REDIS_REST_URL", &redis.base).env(token, PASSWORD);
    let server = Process::start(&mut server).await;
    let base = server.base.replace("0.0.0.0", "127.0.0.1");
    let get = async |path: &str| {
        let answer = reqwest::get(format!("{base}{path}")).await.unwrap();
        answer.error_for_status().unwrap().json::<Value>().await.unwrap()
    };
    let ready = get("/api/health/ready").await;
    assert_eq!((&ready["postgres"], &ready["redis"]), (&"up".into(), &"up".into()));
    assert!(!get("/api/plans").await["plans"].as_array().unwrap().is_empty());

    let port = base.rsplit(':').next().unwrap();
    stdout_of(image.health_check().env("PORT", port)).await;
    let owner =
        shared::adapters::postgres::connect(&settings(&url("farebox_owner"))).await.unwrap();
    let ended = "select count(*) from job_runs where leased_until is null";
    until(async || owner.query_typed_one(ended, &[]).await.unwrap().get::<_, i64>(0) == 2).await;
    server.end().await;
    let failed = image.health_check().env("PORT", port).output().await.unwrap();
    assert_eq!(failed.status.code(), Some(1), "no server answers");
}

/// Runs roles.sql as psql does.
async fn create_roles(postgres: &Postgres) {
    let superuser = async |database: &str| {
        let url = postgres.superuser_url(database) + "?sslmode=disable";
        shared::adapters::postgres::connect(&settings(&url)).await.unwrap()
    };
    execute(&superuser("postgres").await, "create database farebox").await;
    let lines = ROLES.lines().filter(|line| !line.starts_with("\\getenv"));
    let sql = lines.collect::<Vec<_>>().join("\n");
    let password = format!("'{PASSWORD}'");
    let sql = sql.replace(":'owner_password'", &password).replace(":'app_password'", &password);
    execute(&superuser("farebox").await, &sql).await;
}

/// The front with a Redis behind it. On a machine without Redis, that is the engine of a local stack.
async fn redis_front(image: &Image, dir: &Path, app: &TestApp) -> Front {
    let options = redis::Options { persist: false, databases: 1 };
    let server = RedisServer::start(&dir.join("redis"), options, &|_| {}).await.unwrap();
    let Some(server) = server else {
        return Front { base: app.settings["UPSTASH_REDIS_REST_URL"].clone(), _running: None };
    };
    let mut arguments = arguments("redis-front");
    for (option, value) in [("--port", "0".to_owned()), ("--redis", server.addr().to_string())] {
        let at = arguments.iter().position(|argument| argument == option).unwrap();
        arguments[at + 1] = value;
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = image.command(&arguments);
    command.env("REDIS_PASSWORD", server.password()).env("UPSTASH_REDIS_REST_TOKEN", PASSWORD);
    let front = Process::start(&mut command).await;
    let base = front.base.replace("0.0.0.0", "127.0.0.1");
    Front { base, _running: Some((server, front)) }
}

struct Front {
    base: String,
    _running: Option<(RedisServer, Process)>,
}

async fn stdout_of(command: &mut Command) -> String {
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
