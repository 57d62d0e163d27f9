//! The functions' binaries: built once per test process, and started with only the environment that
//! a platform provides.

use std::env::consts::ARCH;
use std::ffi::OsString;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{OnceCell, watch};
use tokio::time::timeout;

/// Longer than any start or answer takes.
const LIMIT: Duration = Duration::from_secs(30);

/// A running function, which is killed when the test ends.
pub struct Binary {
    pid: Pid,
    log: Arc<Mutex<Vec<String>>>,
    ended: watch::Receiver<Option<ExitStatus>>,
}

impl Binary {
    pub async fn start(name: &str, settings: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut command = command(name, settings).await;
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_raw(child.id().unwrap().cast_signed());
        let log = Arc::<Mutex<Vec<String>>>::default();
        let (sender, ended) = watch::channel(None);
        let stderr = child.stderr.take().unwrap();
        let kept = Arc::clone(&log);
        let name = name.to_owned();
        tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            while let Some(line) = lines.next_line().await.unwrap() {
                // Printed if the test fails.
                eprintln!("{name}: {line}");
                kept.lock().unwrap().push(line);
            }
            watch_over(child, &sender).await;
        });
        Self { pid, log, ended }
    }

    /// The future's value, or `None` if the process ends first.
    pub async fn unless_it_ends<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut ended = self.ended.clone();
        let first = async {
            tokio::select! {
                biased;
                value = future => Some(value),
                _ = ended.wait_for(Option::is_some) => None,
            }
        };
        timeout(LIMIT, first).await.expect("the function takes too long")
    }

    /// Waits until the process has ended.
    pub async fn ended(&self) -> ExitStatus {
        let mut ended = self.ended.clone();
        let status = timeout(LIMIT, ended.wait_for(Option::is_some)).await;
        status.expect("the function does not exit").unwrap().unwrap()
    }

    pub fn terminate(&self) {
        kill(self.pid, Signal::SIGTERM).unwrap();
    }

    /// The most memory that the process has used so far. None on systems that do not report it.
    pub fn peak_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        peak.trim().strip_suffix(" kB")?.parse().ok()
    }

    /// Everything written to standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }
}

async fn watch_over(mut child: Child, ended: &watch::Sender<Option<ExitStatus>>) {
    let status = child.wait().await.unwrap();
    ended.send_replace(Some(status));
}

/// Runs a function that exits by itself.
pub async fn run(name: &str, settings: impl IntoIterator<Item = (String, String)>) -> Output {
    let mut command = command(name, settings).await;
    timeout(LIMIT, command.output()).await.expect("the function does not exit").unwrap()
}

async fn command(name: &str, settings: impl IntoIterator<Item = (String, String)>) -> Command {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    let mut command = Command::new(BUILT.get_or_init(build).await.join(name));
    command.env_clear().envs(settings).stdin(Stdio::null()).kill_on_drop(true);
    command
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
