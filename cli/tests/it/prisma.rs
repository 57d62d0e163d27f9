//! `docs/schema.prisma`: it matches the migrated database, and Prisma's own tools accept it.

use std::path::{Path, PathBuf};

use farebox::migrate::{self, Files};
use farebox::render::prisma;
use serde_json::json;
use shared::config::{Database, Schema};
use tokio::process::Command;

use crate::support::{Stack, TestApp, node, settings};

const PACKAGE: &str = include_str!("fixtures/prisma/package.json");
const LOCK: &str = include_str!("fixtures/prisma/package-lock.json");
const SCRIPT: &str = include_str!("fixtures/prisma.mjs");

fn committed() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(prisma::PATH);
    std::fs::read_to_string(path).unwrap_or_default()
}

/// PT-13: the models follow the migrations.
#[tokio::test]
async fn the_prisma_schema_matches_the_migrated_database() {
    let database = settings(&Stack::start().await.database().await.owner);
    let client = shared::adapters::postgres::connect(&database).await.unwrap();
    let rendered = prisma::render(&client, &database.schema).await.unwrap();
    assert!(rendered == committed(), "{} is out of date: run `farebox render`", prisma::PATH);
    for named in ["model Subscription {", "view UsageTracking {", "model BillingEvent {"] {
        assert!(rendered.contains(named), "{named}");
    }
}

/// Prisma's command line. It checks and generates without its schema engine, which it would
/// download from another server than npm's; a path that exists stops it.
async fn run_prisma(installed: &Path, arguments: &[&str]) {
    let mut prisma = Command::new("node");
    prisma.arg("node_modules/prisma/build/index.js").args(arguments).current_dir(installed);
    prisma.env("PRISMA_SCHEMA_ENGINE_BINARY", std::env::current_exe().unwrap());
    prisma.env("CHECKPOINT_DISABLE", "1").env("PRISMA_HIDE_UPDATE_MESSAGE", "1");
    let output = prisma.output().await.unwrap();
    let printed = [&*output.stdout, &*output.stderr].map(String::from_utf8_lossy).concat();
    assert!(output.status.success(), "prisma {arguments:?}: {printed}");
}

/// Generates the client of the committed schema into a new folder of the installation. Returns the
/// folder.
async fn generate(installed: &Path) -> PathBuf {
    let folder = installed.join(format!("client-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("schema.prisma");
    let schema = file.to_str().unwrap();
    std::fs::write(&file, committed()).unwrap();
    run_prisma(installed, &["validate", "--schema", schema]).await;
    run_prisma(installed, &["format", "--check", "--schema", schema]).await;

    let output = r#"provider        = "prisma-client-js"
  output          = "./generated""#;
    let provider = output.lines().next().unwrap();
    std::fs::write(&file, committed().replace(provider, output)).unwrap();
    run_prisma(installed, &["generate", "--schema", schema]).await;
    folder
}

/// PT-13: an app in TypeScript reads subscriptions, usage and billing events with Prisma's client.
#[tokio::test]
async fn prismas_client_reads_every_table_and_view() {
    let installed = node::install("prisma", PACKAGE, LOCK).await;
    let folder = generate(&installed).await;

    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "tier": "starter", "interval": "monthly" })).await;
    let entry = json!({ "feature": "exports", "metadata": { "file": "report" } });
    let call = app.post("/api/usage").bearer(&app.token("ann")).json(entry);
    call.send().await.expect_status(200);

    // The same models read a schema of another name.
    let owner = settings(&app.owner_url);
    let apart = Database { schema: "farebox".parse::<Schema>().unwrap(), ..owner };
    migrate::run(&apart, &Files::embedded()).await.unwrap();

    for schema in ["public", "farebox"] {
        let mut script = node::node(&installed);
        script.env("CLIENT", folder.join("generated/index.js")).env("SCHEMA", schema);
        script.env("URL", &app.settings["DATABASE_URL"]);
        node::expect_output("Prisma reads every table\n", script, SCRIPT).await;
    }
    std::fs::remove_dir_all(folder).unwrap();
}
