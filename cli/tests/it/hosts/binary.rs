//! The functions' binaries, built once per test process.

use std::env::consts::ARCH;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use platforms::{Lambda, Platform, Response, Settings, Vercel};
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::support::ApiResponse;

/// Starts a function's binary on its platform.
pub async fn start(platform: Platform, name: &str, settings: &Settings) -> platforms::Function {
    platform.start(&path(&platform.binary(name)).await, settings).await.unwrap()
}

pub async fn on_vercel(name: &str, settings: &Settings) -> Vercel {
    Vercel::start(&path(&Platform::Vercel.binary(name)).await, settings).await.unwrap()
}

pub async fn on_lambda(name: &str, settings: &Settings) -> Lambda {
    Lambda::start(&path(&Platform::Lambda.binary(name)).await, settings).await.unwrap()
}

/// Runs a function that exits by itself.
pub async fn run(
    platform: Platform,
    name: &str,
    settings: impl IntoIterator<Item = (String, String)>,
) -> Output {
    platforms::run(&path(&platform.binary(name)).await, settings).await.unwrap()
}

/// The response in the form of the other tests.
pub fn api_response(response: Response) -> ApiResponse {
    let text = String::from_utf8(response.body.to_vec()).unwrap();
    let body = serde_json::from_str(&text).unwrap_or_default();
    ApiResponse { status: response.status.as_u16(), headers: response.headers, text, body }
}

async fn path(binary: &str) -> PathBuf {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    BUILT.get_or_init(build).await.join(binary)
}

/// Builds every function with the profile and target of this test; takes a second when nothing has
/// changed.
///
/// Builds only the functions, because other tests are running the `farebox` binary.
async fn build() -> PathBuf {
    let folder = Path::new(env!("CARGO_BIN_EXE_farebox")).parent().unwrap();
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--workspace", "--bin", "vercel-*", "--bin", "lambda-*", "--locked"]);
    command.args(same_place(folder)).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    // cargo sets these variables for a test. With them, build scripts would run again.
    let of_this_package =
        |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for name in std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()) {
        if of_this_package(&name) {
            command.env_remove(name);
        }
    }
    let built = command.stdin(Stdio::null()).output().await.unwrap();
    let stderr = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "the functions could not be built:\n{stderr}");
    folder.to_owned()
}

/// The options that make cargo write into `folder`: `target/debug`, or
/// `target/x86_64-unknown-linux-gnu/debug` if a target is set.
fn same_place(folder: &Path) -> Vec<OsString> {
    let profile = folder.file_name().unwrap();
    let profile = if profile == "debug" { "dev".into() } else { profile.to_owned() };
    let mut above = folder.parent().unwrap();
    let mut options = vec!["--profile".into(), profile];
    let name = above.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name.starts_with(&format!("{ARCH}-")) {
        options.extend(["--target".into(), name.into()]);
        above = above.parent().unwrap();
    }
    options.extend(["--target-dir".into(), above.into()]);
    options
}
