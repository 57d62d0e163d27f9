//! Upstash's own client for JavaScript against the local front: what the front understands is what
//! Upstash's clients say, and not just what ours does.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use farebox::standins::upstash::{Backend, Tokens, router};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::support::{Stack, listen};

const PACKAGE: &str = include_str!("fixtures/official-client/package.json");
const LOCK: &str = include_str!("fixtures/official-client/package-lock.json");
const SCRIPT: &str = include_str!("fixtures/official-client.mjs");

/// Fetching two small packages, or a hundred commands.
const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test]
async fn the_official_client_gets_what_it_expects_of_redis() {
    expect_all_of_it_to_work(Stack::start().await.redis()).await;
}

#[tokio::test]
async fn the_official_client_gets_what_it_expects_of_the_engine() {
    expect_all_of_it_to_work(Backend::in_process(None).unwrap()).await;
}

async fn expect_all_of_it_to_work(backend: Backend) {
    static INSTALLED: OnceCell<PathBuf> = OnceCell::const_new();
    let client = INSTALLED.get_or_init(install).await;
    let tokens = Tokens { full: "full".to_owned(), read_only: "read-only".to_owned() };
    let front = listen(router(backend, tokens)).await;

    let mut node = Command::new("node");
    // A script from standard input finds its packages below the current directory.
    node.arg("--input-type=module").current_dir(client);
    node.env("URL", format!("http://{}", front.address));
    node.env("TOKEN", "full").env("READ_ONLY_TOKEN", "read-only");
    let limiter = shared::rate_limit::TAKE.source();
    node.env("LIMITER", limiter);
    let output = run(node, SCRIPT).await;
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said == "all of it works\n", "{said}\n{complaint}");
}

/// Installs the client, in the version of the lock file, where build products go. What is there
/// already is what the lock file says: its directory is named after it.
async fn install() -> PathBuf {
    let base = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let name = format!("official-client-{}", &shared::hash::sha256_hex([PACKAGE, LOCK])[..16]);
    let installed = base.join(&name);
    // Another test process may be at it.
    let claim = File::create(base.join(format!("{name}.lock"))).unwrap();
    claim.lock().unwrap();
    if !installed.exists() {
        let unfinished = base.join(format!("{name}.new"));
        npm_ci(&unfinished).await;
        fs::rename(&unfinished, &installed).unwrap();
    }
    installed
}

async fn npm_ci(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => panic!("{error}"),
        _ => fs::create_dir(folder).unwrap(),
    }
    fs::write(folder.join("package.json"), PACKAGE).unwrap();
    fs::write(folder.join("package-lock.json"), LOCK).unwrap();
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder);
    let output = run(npm, "").await;
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "npm could not install Upstash's client: {complaint}");
}

/// Runs a program to its end with this as its standard input.
async fn run(mut command: Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().unwrap_or_else(|error| {
        let program = command.as_std().get_program().display();
        panic!("the tests need Node.js 20 or later with npm, but {program} did not start: {error}")
    });
    let mut stdin = child.stdin.take().unwrap();
    let ends = async {
        // A program that ends without reading it says why.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        child.wait_with_output().await.unwrap()
    };
    timeout(LIMIT, ends).await.expect("it takes too long")
}
