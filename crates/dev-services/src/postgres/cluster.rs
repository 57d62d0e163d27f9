//! The files of one cluster. initdb creates them once; a run takes them over from an earlier run
//! that was killed.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::SUPERUSER;
use super::binaries::Binaries;
use super::home::Home;
use crate::process::{ChildLog, ChildSpec, Process, Progress, capture, random_password};

const INITDB_LIMIT: Duration = Duration::from_secs(120);
const PREVIOUS_LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// Sets English messages, because [`Process::lost_its_port`] searches the log, and a time zone, so
/// that Postgres does not look for the system's.
pub(super) fn child_envs() -> Vec<(&'static str, String)> {
    vec![("LC_ALL", "C".to_owned()), ("TZ", "UTC".to_owned())]
}

pub(super) async fn open_log(home: &Home) -> anyhow::Result<ChildLog> {
    ChildLog::open(&home.log(), PREVIOUS_LIMIT).await
}

/// The major version of the cluster, if there is one.
pub(super) fn major_version(home: &Home) -> anyhow::Result<Option<u32>> {
    let data = home.data();
    if !data.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(data.join("PG_VERSION"))
        .with_context(|| format!("{} is not a Postgres cluster: move it away", data.display()))?;
    let major = text
        .trim()
        .parse()
        .with_context(|| format!("the version of {} is unknown", data.display()))?;
    Ok(Some(major))
}

/// Creates the cluster if it is missing, and returns the superuser's password.
///
/// initdb works in a directory of another name, which is renamed to `data` at the end. So an
/// existing `data` is complete, and no directory called `data` is ever removed.
pub(super) async fn create_once(
    home: &Home,
    binaries: &Binaries,
    durable: bool,
    progress: Progress<'_>,
) -> anyhow::Result<String> {
    if home.data().exists() {
        return fs::read_to_string(home.password_file()).with_context(|| {
            format!(
                "cannot read the cluster's password: remove {} to start with an empty cluster",
                home.dir.display()
            )
        });
    }
    progress(&format!(
        "creating a Postgres {} cluster in {}",
        binaries.version.text,
        home.dir.display()
    ));
    let unfinished = home.dir.join("data.new");
    remove_if_there(fs::remove_dir_all(&unfinished), &unfinished)?;
    let password = random_password()?;
    write_password(home, &password)?;
    DirBuilder::new()
        .mode(0o700)
        .create(&unfinished)
        .with_context(|| format!("cannot make {}", unfinished.display()))?;
    home.chown_to_server(&unfinished)?;

    run_initdb(home, binaries, &unfinished, durable).await?;
    fs::rename(&unfinished, home.data()).context("cannot rename the new cluster")?;
    Ok(password)
}

async fn run_initdb(
    home: &Home,
    binaries: &Binaries,
    dir: &Path,
    durable: bool,
) -> anyhow::Result<()> {
    let mut args =
        ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"].map(OsString::from).to_vec();
    args.push(format!("--username={SUPERUSER}").into());
    args.push(flag("--pwfile=", &home.password_file()));
    args.push(flag("--pgdata=", dir));
    if !durable {
        args.push("--no-sync".into());
    }
    let mut process = Process::spawn(ChildSpec {
        program: binaries.bin.join("initdb"),
        args,
        envs: child_envs(),
        cwd: home.dir.clone(),
        run_as: home.run_as,
        log: open_log(home).await?,
        stdin: None,
        death_signal: Signal::SIGTERM,
    })?;
    match process.wait(INITDB_LIMIT).await? {
        Some(status) if status.success() => Ok(()),
        Some(status) => bail!("initdb failed ({status}); {}", process.log_tail()),
        None => bail!("initdb did not end in {INITDB_LIMIT:?}; {}", process.log_tail()),
    }
}

fn flag(name: &str, path: &Path) -> OsString {
    let mut flag = OsString::from(name);
    flag.push(path);
    flag
}

fn write_password(home: &Home, password: &str) -> anyhow::Result<()> {
    let path = home.password_file();
    remove_if_there(fs::remove_file(&path), &path)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(password.as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))?;
    home.chown_to_server(&path)
}

fn remove_if_there(removed: std::io::Result<()>, path: &Path) -> anyhow::Result<()> {
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Removes the cluster. It is renamed first: an existing `data` is always complete.
pub(super) fn remove(home: &Home) -> anyhow::Result<()> {
    let unfinished = home.dir.join("data.new");
    remove_if_there(fs::remove_dir_all(&unfinished), &unfinished)?;
    let data = home.data();
    remove_if_there(fs::rename(&data, &unfinished), &data)?;
    remove_if_there(fs::remove_dir_all(&unfinished), &unfinished)
}

/// Stops a server that an earlier run left on this cluster. The kernel signals it when that run
/// dies, so it usually ends within a moment.
pub(super) async fn end_previous(home: &Home, progress: Progress<'_>) -> anyhow::Result<()> {
    if let Some(pid) = live_postmaster(home).await? {
        progress(&format!("waiting for the Postgres of an earlier run (pid {pid}) to stop"));
        if !is_gone_within(home, PREVIOUS_LIMIT).await? {
            kill(pid, Signal::SIGINT)
                .with_context(|| format!("cannot stop the earlier Postgres (pid {pid})"))?;
            if !is_gone_within(home, PREVIOUS_LIMIT).await? {
                bail!(
                    "the Postgres of an earlier run (pid {pid}) does not stop: kill it, then try again"
                );
            }
        }
    }
    // Sessions can outlive a killed postmaster, and they hold the lock on the log too.
    open_log(home).await?;
    // Postgres refuses to start if the pid in this file now belongs to another process.
    let pid_file = pid_file(home);
    remove_if_there(fs::remove_file(&pid_file), &pid_file)
}

async fn is_gone_within(home: &Home, limit: Duration) -> anyhow::Result<bool> {
    let deadline = Instant::now() + limit;
    while live_postmaster(home).await?.is_some() {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(true)
}

fn pid_file(home: &Home) -> PathBuf {
    home.data().join("postmaster.pid")
}

/// Returns the pid of this cluster's postmaster, if it runs. The system reuses pids, so a live
/// process counts only if its command line names this data directory.
async fn live_postmaster(home: &Home) -> anyhow::Result<Option<Pid>> {
    let path = pid_file(home);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let Some(pid) = parse_pid(&text) else {
        return Ok(None);
    };
    if kill(pid, None) == Err(Errno::ESRCH) {
        return Ok(None);
    }
    let data = home.data();
    Ok(command_line(pid).await.contains(&*data.to_string_lossy()).then_some(pid))
}

fn parse_pid(text: &str) -> Option<Pid> {
    let pid: i32 = text.lines().next()?.trim().parse().ok()?;
    (pid > 1).then(|| Pid::from_raw(pid))
}

/// Returns the command line of a process. It is empty if the process has ended, even if its parent
/// has not waited for it yet.
async fn command_line(pid: Pid) -> String {
    if cfg!(target_os = "linux") {
        let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    match capture(
        Path::new("ps"),
        &["-o", "command=", "-p", &pid.to_string()],
        Path::new("/"),
        None,
    )
    .await
    {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_is_the_first_line() {
        assert_eq!(parse_pid("4711\n/data\n1789\n"), Some(Pid::from_raw(4711)));
    }

    #[test]
    fn a_pid_that_would_signal_a_group_or_init_is_none() {
        for text in ["", "x", "0\n", "1\n", "-4711\n"] {
            assert_eq!(parse_pid(text), None, "{text:?}");
        }
    }
}
