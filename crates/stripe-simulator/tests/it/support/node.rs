//! Installs npm packages and runs scripts in Node.js.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

/// The time limit of an installation or a script.
const LIMIT: Duration = Duration::from_secs(120);

/// Installs the packages of a lock file below the target folder. An existing installation is
/// reused: its folder is named after the lock file's hash.
pub async fn install(name: &str, package: &str, lock: &str) -> PathBuf {
    let base = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let name = format!("{name}-{:016x}", fingerprint(&[package, lock]));
    let installed = base.join(&name);
    // Another test process may be installing.
    let claim = File::create(base.join(format!("{name}.lock"))).unwrap();
    claim.lock().unwrap();
    if !installed.exists() {
        let unfinished = base.join(format!("{name}.new"));
        npm_ci(&unfinished, package, lock).await;
        fs::rename(&unfinished, &installed).unwrap();
    }
    installed
}

/// A hash that identifies a lock file. It may differ between Rust releases.
fn fingerprint(texts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    texts.hash(&mut hasher);
    hasher.finish()
}

async fn npm_ci(folder: &Path, package: &str, lock: &str) {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => panic!("{error}"),
        _ => fs::create_dir(folder).unwrap(),
    }
    fs::write(folder.join("package.json"), package).unwrap();
    fs::write(folder.join("package-lock.json"), lock).unwrap();
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder);
    let output = run(npm, "").await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "npm could not install the client: {stderr}");
}

/// A Node.js command in a folder. A script from standard input resolves packages from the current
/// directory.
pub fn node(folder: &Path) -> Command {
    let mut node = Command::new("node");
    node.arg("--input-type=module").current_dir(folder);
    node
}

/// Runs a script and compares its output.
pub async fn expect_output(expected: &str, node: Command, script: &str) {
    assert_eq!(output_of(node, script).await, expected);
}

/// Runs a script and returns its output.
pub async fn output_of(node: Command, script: &str) -> String {
    let Output { status, stdout, stderr } = run(node, script).await;
    let (output, problem) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{output}\n{problem}");
    output.into_owned()
}

/// Runs a program with this standard input.
async fn run(mut command: Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().unwrap_or_else(|error| {
        let program = command.as_std().get_program().display();
        panic!("the tests need Node.js 20 or later with npm, but {program} did not start: {error}")
    });
    let mut stdin = child.stdin.take().unwrap();
    let ends = async {
        // A program that ends without reading reports the reason on stderr.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        child.wait_with_output().await.unwrap()
    };
    timeout(LIMIT, ends).await.expect("the program did not end in time")
}
