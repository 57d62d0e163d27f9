//! One process of a function, from exec to its first answer.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::process::{Child, Command};

use crate::machine::kib;
use crate::stack::Stack;

/// A function that takes longer never answers.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The measurements of one start.
#[derive(Debug)]
pub struct Start {
    /// From exec to the moment it is ready for a request.
    pub ready: Duration,
    /// From exec to the end of its first answer.
    pub answered: Duration,
    /// Processor time until then. A function with a small share of a processor waits many times as
    /// long; a busy machine changes this figure least.
    pub cpu: Duration,
    pub resident_kib: u64,
    /// Its private pages, without those of files.
    pub private_kib: u64,
}

/// A started process; dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    exec: Instant,
}

impl Running {
    /// The environment is the stack's settings and `host` alone.
    pub fn exec(
        path: &Path,
        stack: &Stack,
        host: &[(&str, String)],
        encrypted: bool,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(path);
        command.env_clear().envs(stack.settings(encrypted)).envs(host.iter().cloned());
        let log = stack.log()?;
        command.stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let exec = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot run {}", path.display()))?;
        Ok(Self { child, exec })
    }

    /// Reads the resources that it used, and ends it.
    pub async fn finish(mut self, ready: Instant, answered: Instant) -> anyhow::Result<Start> {
        let id = self.child.id().context("the function has ended")?;
        let status = format!("/proc/{id}/status");
        let cpu = cpu_time(id)?;
        let (resident_kib, private_kib) = (kib(&status, "VmRSS")?, kib(&status, "RssAnon")?);
        self.child.kill().await.context("cannot end the function")?;
        Ok(Start {
            ready: ready - self.exec,
            answered: answered - self.exec,
            cpu,
            resident_kib,
            private_kib,
        })
    }
}

/// Of the first thread, which does all of a function's work.
fn cpu_time(process: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{process}/schedstat");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let nanoseconds = text.split_whitespace().next().and_then(|number| number.parse().ok());
    nanoseconds.map(Duration::from_nanos).with_context(|| format!("{path} has no number"))
}
