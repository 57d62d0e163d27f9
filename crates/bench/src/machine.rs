//! Describes the machine, and reads its figures from `/proc`.

use std::fs;
use std::process::Command;

use anyhow::Context as _;

use crate::table::Table;

pub fn describe() -> anyhow::Result<Table> {
    let cores = std::thread::available_parallelism()?.get();
    let processor = field("/proc/cpuinfo", "model name")?;
    let memory_kib: u64 = kib("/proc/meminfo", "MemTotal")?;
    let system = field("/etc/os-release", "PRETTY_NAME")?;
    let release = read("/proc/sys/kernel/osrelease")?;
    let kernel: Vec<&str> = release.split('.').take(2).collect();
    let rustc = Command::new("rustc").arg("--version").output().context("cannot run rustc")?;

    let mut table = Table::new(["measured on", ""]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row("processor", format!("{processor}, {cores} cores"));
    row("memory", format!("{} GiB", memory_kib.div_ceil(1024 * 1024)));
    row("system", format!("{}, Linux {}", system.trim_matches('"'), kernel.join(".")));
    row("compiler", String::from_utf8_lossy(&rustc.stdout).trim().to_owned());
    Ok(table)
}

/// Reads a size that the kernel writes as `name: 123 kB`.
pub fn kib(path: &str, name: &str) -> anyhow::Result<u64> {
    let value = field(path, name)?;
    let number = value.trim_end_matches("kB").trim();
    number.parse().with_context(|| format!("{name} in {path} is not a size"))
}

/// The processor time of this thread so far.
pub fn thread_nanoseconds() -> anyhow::Result<u64> {
    nanoseconds("/proc/thread-self/schedstat")
}

/// The processor time so far of a process, without that of threads that have ended.
pub fn process_nanoseconds(process: u32) -> anyhow::Result<u64> {
    let tasks = format!("/proc/{process}/task");
    let tasks = fs::read_dir(&tasks).with_context(|| format!("cannot read {tasks}"))?;
    // A thread may end between the listing and the reading of its time.
    let times = tasks
        .flatten()
        .filter_map(|task| nanoseconds(&task.path().join("schedstat").display().to_string()).ok());
    Ok(times.sum())
}

fn nanoseconds(path: &str) -> anyhow::Result<u64> {
    let text = read(path)?;
    let first = text.split_whitespace().next().and_then(|number| number.parse().ok());
    first.with_context(|| format!("{path} has no number"))
}

/// The value of the first `name: value` or `name=value`.
fn field(path: &str, name: &str) -> anyhow::Result<String> {
    let text = read(path)?;
    let value = text
        .lines()
        .filter_map(|line| line.split_once([':', '=']))
        .find_map(|(found, value)| (found.trim() == name).then(|| value.trim().to_owned()));
    value.with_context(|| format!("{path} has no {name}"))
}

fn read(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}
