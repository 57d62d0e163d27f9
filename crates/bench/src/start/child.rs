//! One process of a function, from exec to its first answer.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::process::{Child, Command};

use crate::machine::{kib, process_nanoseconds};
use crate::stack::Stack;

/// The time after which a start fails.
pub const START_LIMIT: Duration = Duration::from_secs(10);

/// The measurements of one start.
#[derive(Debug)]
pub struct Start {
    /// From exec until it is ready for a request.
    pub ready: Duration,
    /// From exec to the end of its first answer.
    pub answered: Duration,
    /// Processor time until then. A function with a small share of a processor needs many times as
    /// long. A busy machine affects this figure least.
    pub cpu: Duration,
    pub resident_kib: u64,
    /// Its private pages, without pages of files.
    pub private_kib: u64,
}

/// A started process; dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    exec: Instant,
}

impl Running {
    /// Starts a process. Its environment is only the stack's settings and `host`.
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

    /// Reads the resources that the process used, and kills it.
    pub async fn finish(mut self, ready: Instant, answered: Instant) -> anyhow::Result<Start> {
        let id = self.child.id().context("the function has ended")?;
        let status = format!("/proc/{id}/status");
        // The first thread does all of a function's work.
        let cpu = Duration::from_nanos(process_nanoseconds(id)?);
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
