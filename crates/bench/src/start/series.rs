//! The starts of one executable, and what each of them measures.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use platforms::{Function, Platform, Request};
use shared::billing::entitlement_cache::Source;

use super::call::{Call, Callers};
use crate::machine::{kib, process_nanoseconds};
use crate::samples::Samples;

/// Every start of one executable for one call, or for none.
#[derive(Debug)]
pub struct Series {
    /// The name of the executable.
    binary: String,
    platform: Platform,
    path: PathBuf,
    call: Option<&'static Call>,
    starts: Vec<Start>,
}

/// The measurements of one start.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// Milliseconds from exec until it is ready for a request.
    pub ready: f64,
    /// None if it was not called.
    pub answer: Option<Answer>,
}

/// The measurements at the end of the first answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// Milliseconds from exec.
    pub after: f64,
    /// Milliseconds of processor time. A function with a small share of a processor needs many
    /// times as long. A busy machine affects this figure least.
    pub cpu: f64,
    pub resident_kib: f64,
}

impl Series {
    pub fn new(
        binary: String,
        platform: Platform,
        path: &Path,
        call: Option<&'static Call>,
    ) -> Self {
        Self { binary, platform, path: path.to_owned(), call, starts: Vec::new() }
    }

    pub fn name(&self) -> String {
        format!("{}{}", self.binary, self.call.map_or("", Call::detail))
    }

    /// Whether it is of this binary.
    pub fn is_of(&self, binary: &str) -> bool {
        self.binary == binary
    }

    /// Whether it reads an entitlement from this source.
    pub fn reads(&self, source: Source) -> bool {
        self.call.is_some_and(|call| call.source == Some(source))
    }

    /// Starts the executable once. The first run fills the page cache and does not count.
    pub async fn start(&mut self, run: u32, callers: &Callers) -> anyhow::Result<()> {
        let user = format!("{}-{run}", self.binary);
        let request = self.call.map(|call| callers.request(call, &user)).transpose()?;
        let settings = callers.settings(self.call);
        let function = self.platform.start(&self.path, settings).await?;
        let start = Start::measure(&function, request.as_ref()).await;
        // The log is complete when the process has ended.
        let killed = function.process().kill().await;
        let log = function.process().log();
        let start = start.with_context(|| format!("{} failed; its log:\n{log}", self.name()))?;
        killed?;
        if let Some(source) = self.call.and_then(|call| call.source) {
            let line = format!(r#""source":"{}""#, source.as_str());
            ensure!(log.contains(&line), "{} read elsewhere; its log:\n{log}", self.name());
        }
        if run > 0 {
            self.starts.push(start);
        }
        Ok(())
    }

    pub fn ready(&self) -> anyhow::Result<Samples> {
        self.samples(|start| Some(start.ready)).context("no runs")
    }

    /// A figure of the answers; none if there was no call.
    pub fn answers(&self, figure: fn(&Answer) -> f64) -> Option<Samples> {
        self.samples(|start| start.answer.as_ref().map(figure))
    }

    fn samples(&self, figure: impl Fn(&Start) -> Option<f64>) -> Option<Samples> {
        Samples::new(self.starts.iter().filter_map(figure))
    }
}

impl Start {
    async fn measure(function: &Function, request: Option<&Request>) -> anyhow::Result<Self> {
        let exec = function.process().exec();
        let ready = milliseconds(function.ready() - exec);
        let answer = match request {
            Some(request) => Some(Answer::measure(function, request).await?),
            None => None,
        };
        Ok(Self { ready, answer })
    }
}

impl Answer {
    async fn measure(function: &Function, request: &Request) -> anyhow::Result<Self> {
        let answer = function.send(request).await?;
        let answered = Instant::now();
        let process = function.process();
        let cpu = Duration::from_nanos(process_nanoseconds(process.id())?);
        let resident = kib(&format!("/proc/{}/status", process.id()), "VmRSS")?;
        let body = String::from_utf8_lossy(&answer.body);
        ensure!(answer.status.is_success(), "the answer is {}: {body}", answer.status);
        Ok(Self {
            after: milliseconds(answered - process.exec()),
            cpu: milliseconds(cpu),
            resident_kib: resident as f64,
        })
    }
}

pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
