//! The platforms' tools, in the versions that deploy/tools pins, and commands in general.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::clone::{root, workshop};

/// Installs the Vercel CLI, and returns its path.
pub(crate) fn vercel() -> anyhow::Result<PathBuf> {
    let folder = workshop().join("node");
    fs::create_dir_all(&folder)?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(root().join("deploy/tools").join(file), folder.join(file))?;
    }
    let mut npm = Command::new("npm");
    // `npm ci` refuses a lockfile without the CLI's optional packages for other systems.
    npm.args([
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--prefer-offline",
        "--prefix",
    ]);
    run(npm.arg(&folder)).context("cannot install the Vercel CLI")?;
    Ok(folder.join("node_modules/.bin/vercel"))
}

/// Installs AWS's tools, and returns the folder of their programs.
pub(crate) fn aws() -> anyhow::Result<PathBuf> {
    let folder = workshop().join("python");
    let wanted = fs::read_to_string(root().join("deploy/tools/requirements.txt"))?;
    let installed = folder.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(folder.join("bin"));
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder)).context("needs Python 3")?;
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--quiet", "--requirement"]);
    run(pip.arg(root().join("deploy/tools/requirements.txt"))).context("cannot install")?;
    fs::write(installed, wanted)?;
    Ok(folder.join("bin"))
}

/// The search path for programs, with a folder before all others.
pub(crate) fn path_with(folder: &Path) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [folder.to_owned()].into_iter().chain(std::env::split_paths(&path));
    std::env::join_paths(folders).unwrap_or_else(|_| path.clone())
}

/// Runs a command. Its output is shown only if it fails.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot run {:?}", command.get_program()))?;
    ensure!(
        output.status.success(),
        "{command:?} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The processor time of all commands that have ended.
pub(crate) fn cpu() -> anyhow::Result<Duration> {
    // The name of the program, in parentheses, can contain spaces.
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').context("/proc/self/stat has no name")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    // proc_pid_stat(5): the 16th and 17th fields of the line, in hundredths of a second.
    let ticks = |index: usize| -> anyhow::Result<u64> { Ok(fields[index].parse()?) };
    Ok(Duration::from_millis((ticks(13)? + ticks(14)?) * 10))
}
