//! The process of a function, with only the environment that a platform provides.

use std::future::Future;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::watch;
use tokio::time::timeout;

/// Longer than any start or answer takes.
const LIMIT: Duration = Duration::from_secs(30);

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: Pid,
    exec: Instant,
    log: Arc<Mutex<Vec<String>>>,
    ended: watch::Receiver<Option<ExitStatus>>,
    /// The task that owns the process.
    owner: tokio::task::AbortHandle,
}

impl Process {
    pub fn start(
        path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        let mut command = command(path, environment);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let exec = Instant::now();
        let mut child =
            command.spawn().with_context(|| format!("cannot run {}", path.display()))?;
        let pid = child.id().context("the function has ended")?;
        let stderr = child.stderr.take().context("the function has no standard error")?;
        let log = Arc::<Mutex<Vec<String>>>::default();
        let (sender, ended) = watch::channel(None);
        let owner = tokio::spawn(own(child, stderr, Arc::clone(&log), sender)).abort_handle();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, pid: Pid::from_raw(pid.cast_signed()), exec, log, ended, owner })
    }

    /// The future's value. An error if the process ends first, or if it takes too long.
    pub async fn unless_it_ends<T>(&self, future: impl Future<Output = T>) -> anyhow::Result<T> {
        let mut ended = self.ended.clone();
        let first = async {
            tokio::select! {
                biased;
                value = future => Some(value),
                _ = ended.wait_for(Option::is_some) => None,
            }
        };
        match timeout(LIMIT, first).await {
            Ok(Some(value)) => Ok(value),
            Ok(None) => bail!("{} ended; its log:\n{}", self.name, self.log()),
            Err(_) => bail!("{} took more than {LIMIT:?}; its log:\n{}", self.name, self.log()),
        }
    }

    /// Waits until the process has ended.
    pub async fn ended(&self) -> anyhow::Result<ExitStatus> {
        let mut ended = self.ended.clone();
        let status = timeout(LIMIT, ended.wait_for(Option::is_some)).await;
        let status = *status.with_context(|| format!("{} does not exit", self.name))??;
        status.context("the process has no status")
    }

    pub fn terminate(&self) -> anyhow::Result<()> {
        kill(self.pid, Signal::SIGTERM).context("cannot stop the function")
    }

    /// Kills the process, and waits until it has ended.
    pub async fn kill(&self) -> anyhow::Result<ExitStatus> {
        kill(self.pid, Signal::SIGKILL).context("cannot end the function")?;
        self.ended().await
    }

    /// Everything written to standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// The most memory that the process has used so far. `None` on systems that do not report it.
    pub fn peak_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        peak.trim().strip_suffix(" kB")?.parse().ok()
    }

    pub fn id(&self) -> u32 {
        self.pid.as_raw().cast_unsigned()
    }

    /// The moment at which the process began.
    pub fn exec(&self) -> Instant {
        self.exec
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.owner.abort();
        if std::thread::panicking() {
            eprintln!("the log of {}:\n{}", self.name, self.log());
        }
    }
}

/// Keeps what the process writes, and its exit status.
async fn own(
    mut child: Child,
    stderr: ChildStderr,
    log: Arc<Mutex<Vec<String>>>,
    ended: watch::Sender<Option<ExitStatus>>,
) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
    if let Ok(status) = child.wait().await {
        ended.send_replace(Some(status));
    }
}

/// Runs a function that exits by itself.
pub async fn run(
    path: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> anyhow::Result<Output> {
    let output = timeout(LIMIT, command(path, environment).output()).await;
    Ok(output.context("the function does not exit")??)
}

fn command(path: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Command {
    let mut command = Command::new(path);
    command.env_clear().envs(environment).stdin(Stdio::null()).kill_on_drop(true);
    command
}
