//! Starts child processes that end with this one.
//!
//! - The kernel signals the child when this process dies, even after a `kill -9`. This works on
//!   Linux only; on other systems a `kill -9` leaves the child running.
//! - Each child has its own process group, so a terminal's Ctrl-C reaches this process alone, which
//!   then stops its children in order.
//! - File locks (`process/locks.rs`) let the next run detect children that are still alive.
//!
//! Deliberately absent: a watchdog process, restarts, supervision, and reading a child's output.

mod locks;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{LazyLock, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use ring::rand::{SecureRandom as _, SystemRandom};

pub use self::locks::{ChildLog, Claim};

/// Receives one line about a slow step or about a choice that the user may want to know.
pub type Progress<'a> = &'a (dyn Fn(&str) + Send + Sync);

const POLL: Duration = Duration::from_millis(10);
const CAPTURE_LIMIT: Duration = Duration::from_secs(10);
/// How long a dropped process may take to end before it is killed.
const DROP_GRACE: Duration = Duration::from_millis(500);
const LOG_TAIL_BYTES: u64 = 4096;
const LOG_TAIL_LINES: usize = 15;
/// A pipe holds this many bytes before the child reads it, on every supported system.
const STDIN_LIMIT_BYTES: usize = 4096;

/// The user a child runs as. Its supplementary groups are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunAs {
    pub uid: u32,
    pub gid: u32,
}

#[derive(Debug)]
pub struct ChildSpec {
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub envs: Vec<(&'static str, String)>,
    pub cwd: PathBuf,
    pub run_as: Option<RunAs>,
    /// Receives stdout and stderr.
    pub log: ChildLog,
    /// Written to the child's stdin, which is then closed. Keeps a secret out of `ps`.
    pub stdin: Option<String>,
    /// The kernel sends this signal when this process dies. Dropping the [`Process`] also sends it,
    /// before it kills the child.
    pub death_signal: Signal,
}

/// A running child. Dropping it stops the child.
#[derive(Debug)]
pub struct Process {
    child: Child,
    program: PathBuf,
    log: PathBuf,
    death_signal: Signal,
}

impl Process {
    pub fn spawn(spec: ChildSpec) -> anyhow::Result<Process> {
        let stderr = spec.log.file.try_clone().context("cannot share the child's log")?;
        let mut command = Command::new(&spec.program);
        command
            .args(&spec.args)
            .envs(spec.envs)
            .current_dir(&spec.cwd)
            .stdin(if spec.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(spec.log.file)
            .stderr(stderr)
            .process_group(0);
        if let Some(run_as) = spec.run_as {
            command.uid(run_as.uid).gid(run_as.gid);
        }
        die_with_parent(&mut command, spec.death_signal);

        let child = spawn_on_keeper(command)
            .with_context(|| format!("cannot start {}", spec.program.display()))?;
        let mut process = Process {
            child,
            program: spec.program,
            log: spec.log.path,
            death_signal: spec.death_signal,
        };
        if let Some(text) = spec.stdin {
            process.feed(&text)?;
        }
        Ok(process)
    }

    /// Writes all of stdin. A broken pipe is no error here: the child has died, and its exit status
    /// and its log say why.
    fn feed(&mut self, text: &str) -> anyhow::Result<()> {
        if text.len() > STDIN_LIMIT_BYTES {
            bail!(
                "{} receives at most {STDIN_LIMIT_BYTES} bytes on stdin, not {}",
                self.program.display(),
                text.len()
            );
        }
        match self.child.stdin.take().map(|mut stdin| stdin.write_all(text.as_bytes())) {
            Some(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error)
                .with_context(|| {
                    format!("cannot write to the stdin of {}", self.program.display())
                }),
            _ => Ok(()),
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn try_wait(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("cannot wait for {}", self.program.display()))
    }

    /// Waits at most `limit`. `None` means that the child is still running.
    pub async fn wait(&mut self, limit: Duration) -> anyhow::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Sends `signal`, waits at most `grace`, then kills the process group.
    pub async fn stop(&mut self, signal: Signal, grace: Duration) -> anyhow::Result<ExitStatus> {
        self.signal(signal);
        if let Some(status) = self.wait(grace).await? {
            return Ok(status);
        }
        self.kill_group();
        self.wait(grace.max(DROP_GRACE)).await?.ok_or_else(|| {
            anyhow!("{} (pid {}) survived SIGKILL", self.program.display(), self.id())
        })
    }

    /// The last lines the child wrote, for an error message.
    pub fn log_tail(&self) -> String {
        let tail = read_tail(&self.log).unwrap_or_else(|error| format!("(no log: {error})"));
        let lines: Vec<&str> = tail.lines().collect();
        let start = lines.len().saturating_sub(LOG_TAIL_LINES);
        format!("the end of {}:\n{}", self.log.display(), lines[start..].join("\n"))
    }

    /// Returns true if the child logged that its port was taken. The caller then tries another
    /// port.
    pub fn lost_its_port(&self) -> bool {
        self.log_tail().contains("Address already in use")
    }

    /// Returns true while the child owns its pid, which ends when the child has been waited for.
    fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn signal(&mut self, signal: Signal) {
        if self.is_running() {
            // Fails only if the child has just ended, which is the goal.
            let _ = kill(pid_of(&self.child), signal);
        }
    }

    fn kill_group(&mut self) {
        if self.is_running() {
            let _ = killpg(pid_of(&self.child), Signal::SIGKILL);
        }
    }

    fn wait_blocking(&mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.is_running() && Instant::now() < deadline {
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(self.death_signal);
        self.wait_blocking(DROP_GRACE);
        self.kill_group();
        self.wait_blocking(DROP_GRACE);
    }
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

type Job = (Command, mpsc::Sender<io::Result<Child>>);

/// The thread that starts every child. The kernel sends the parent-death signal when the *thread*
/// that forked ends, so the short-lived threads of a runtime or a test must not start children.
/// This thread waits for jobs until the process ends.
static KEEPER: LazyLock<io::Result<mpsc::Sender<Job>>> = LazyLock::new(|| {
    let (sender, jobs) = mpsc::channel::<Job>();
    std::thread::Builder::new().name("process-keeper".to_owned()).spawn(move || {
        for (mut command, answer) in jobs {
            // The send fails only if the caller has panicked. Nothing else would stop the child
            // then.
            if let Err(mpsc::SendError(Ok(mut child))) = answer.send(command.spawn()) {
                let _ = child.kill();
            }
        }
    })?;
    Ok(sender)
});

fn spawn_on_keeper(command: Command) -> anyhow::Result<Child> {
    let keeper =
        KEEPER.as_ref().map_err(|error| anyhow!("cannot start the keeper thread: {error}"))?;
    let (answer, child) = mpsc::channel();
    keeper.send((command, answer)).map_err(|_| anyhow!("the keeper thread has ended"))?;
    Ok(child.recv().context("the keeper thread has ended")??)
}

#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command, signal: Signal) {
    let parent = Pid::this();
    // The standard library runs this after the change of user, which would clear the signal.
    let arm = move || {
        nix::sys::prctl::set_pdeathsig(signal)?;
        // The parent may have died between the fork and the line above. No signal arrives then.
        if nix::unistd::getppid() != parent {
            return Err(io::Error::from_raw_os_error(nix::libc::ESRCH));
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes two system calls (prctl, getppid), both
    // async-signal-safe, and touches nothing but the two integers it captured: no allocation, no
    // lock, no memory that another thread could have left half-changed.
    unsafe {
        command.pre_exec(arm);
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_command: &mut Command, _signal: Signal) {}

/// Runs a command that ends by itself within a few seconds, and returns its output.
pub async fn capture(
    program: &Path,
    args: &[&str],
    cwd: &Path,
    run_as: Option<RunAs>,
) -> anyhow::Result<Output> {
    let mut command = tokio::process::Command::new(program);
    command.args(args).current_dir(cwd).stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    if let Some(run_as) = run_as {
        command.uid(run_as.uid).gid(run_as.gid);
    }
    tokio::time::timeout(CAPTURE_LIMIT, command.output())
        .await
        .with_context(|| format!("{} did not end in time", program.display()))?
        .with_context(|| format!("cannot run {}", program.display()))
}

/// Returns a free port of 127.0.0.1. Another process may take the port before the child does, so
/// the caller tries again if [`Process::lost_its_port`] returns true.
pub fn free_port() -> anyhow::Result<u16> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot find a free port")?;
    Ok(listener.local_addr()?.port())
}

/// Returns 192 random bits in characters that need no quoting in a URL, a shell or a configuration
/// file.
pub fn random_password() -> anyhow::Result<String> {
    let mut bytes = [0; 24];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow!("cannot generate a password"))?;
    Ok(hex(&bytes))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
