//! A list of checks with their results, as text or as JSON: `farebox doctor` and `farebox smoke`.

use std::fmt::Display;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;

use super::progress::Progress;
use super::{Palette, Style, count, error, print_json};
use crate::outln;

/// The checks so far. As text, each is printed at once.
#[derive(Debug)]
pub struct CheckReport {
    /// The name of the subject in JSON, and its description.
    subject: (&'static str, String),
    output: Output,
    palette: Palette,
    checks: Vec<Check>,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Output {
    /// A line for each check, as soon as it has a result.
    Text,
    /// One JSON object, at the end.
    Json,
    /// Nothing; the caller reads the checks.
    Silent,
}

/// One check.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    pub name: String,
    /// Null if the check was skipped.
    pub ok: Option<bool>,
    pub found: String,
    /// Null unless the check failed.
    pub fix: Option<String>,
}

impl CheckReport {
    pub fn new(name: &'static str, description: String, output: Output) -> Self {
        if output == Output::Text {
            outln!("{description}");
        }
        let palette = Palette::of_stdout();
        Self { subject: (name, description), output, palette, checks: Vec::new() }
    }

    pub fn passed(&mut self, check: &str, found: impl Display) {
        self.add(check, Some(true), &found, None);
    }

    pub fn failed(&mut self, check: &str, found: impl Display, fix: &str) {
        self.add(check, Some(false), &found, Some(fix.to_owned()));
    }

    pub fn skipped(&mut self, check: &str, why: impl Display) {
        self.add(check, None, &why, None);
    }

    /// Prints a detail of the next check.
    pub fn note(&self, detail: impl Display) {
        if self.output == Output::Text {
            outln!("      {detail}");
        }
    }

    /// Shows that a check takes a while.
    pub fn progress(&self, check: &str) -> Option<Progress> {
        (self.output != Output::Silent).then(|| Progress::start(format!("Checking: {check}")))
    }

    fn add(&mut self, check: &str, ok: Option<bool>, found: &dyn Display, fix: Option<String>) {
        let found = error::plain(&found.to_string());
        if self.output == Output::Text {
            let (word, style) = match ok {
                Some(true) => ("ok  ", Style::Green),
                Some(false) => ("FAIL", Style::Red),
                None => ("skip", Style::Yellow),
            };
            outln!("{}  {check}: {found}", self.palette.paint(style, word));
            if let Some(fix) = &fix {
                outln!("      {fix}");
            }
        }
        self.checks.push(Check { name: check.to_owned(), ok, found, fix });
    }

    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// True if a check passed and none failed.
    pub fn is_well(&self) -> bool {
        let has = |ok: bool| self.checks.iter().any(|check| check.ok == Some(ok));
        has(true) && !has(false)
    }

    /// Prints the result. The code is that of a failure unless all is well.
    pub fn finish(self) -> anyhow::Result<ExitCode> {
        let is_well = self.is_well();
        let count_of = |ok| self.checks.iter().filter(|check| check.ok == ok).count() as u64;
        let (failures, skipped) = (count_of(Some(false)), count_of(None));
        match self.output {
            Output::Json => {
                let Self { subject: (name, description), checks, .. } = &self;
                print_json(&json!({ "ok": is_well, *name: description, "checks": checks }))?;
            }
            Output::Text if failures > 0 => {
                let failed = format!("{} failed.", count(failures, "check"));
                outln!("{}", self.palette.paint(Style::Red, failed));
            }
            Output::Text if is_well => {
                let passed = match skipped {
                    0 => "All checks passed.".to_owned(),
                    _ => format!("All checks passed, {skipped} skipped."),
                };
                outln!("{}", self.palette.paint(Style::Green, passed));
            }
            Output::Text | Output::Silent => {}
        }
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
