//! The report of `farebox doctor`, as text or as JSON.

use std::fmt::Display;
use std::process::ExitCode;

use farebox::outln;
use farebox::terminal::{Palette, Style, count, error, print_json};
use serde::Serialize;
use serde_json::json;

/// The checks so far. As text, each is printed at once.
#[derive(Debug)]
pub(super) struct DoctorReport {
    /// Where the settings come from.
    settings: String,
    is_json: bool,
    palette: Palette,
    checks: Vec<Check>,
}

#[derive(Debug, Serialize)]
struct Check {
    name: String,
    ok: bool,
    found: String,
    /// Null if the check passed.
    fix: Option<String>,
}

impl DoctorReport {
    pub(super) fn new(settings: String, is_json: bool) -> Self {
        if !is_json {
            outln!("{settings}");
        }
        Self { settings, is_json, palette: Palette::of_stdout(), checks: Vec::new() }
    }

    pub(super) fn passed(&mut self, check: &str, found: impl Display) {
        self.add(check, &found, None);
    }

    pub(super) fn failed(&mut self, check: &str, found: impl Display, fix: &str) {
        self.add(check, &found, Some(fix.to_owned()));
    }

    /// Prints a detail of the next check.
    pub(super) fn note(&self, detail: impl Display) {
        if !self.is_json {
            outln!("      {detail}");
        }
    }

    fn add(&mut self, check: &str, found: &dyn Display, fix: Option<String>) {
        let found = error::plain(&found.to_string());
        if !self.is_json {
            let (word, style) =
                if fix.is_none() { ("ok  ", Style::Green) } else { ("FAIL", Style::Red) };
            outln!("{}  {check}: {found}", self.palette.paint(style, word));
            if let Some(fix) = &fix {
                outln!("      {fix}");
            }
        }
        self.checks.push(Check { name: check.to_owned(), ok: fix.is_none(), found, fix });
    }

    /// Prints the result. The code is that of a failure if a check failed, or if none was made.
    pub(super) fn finish(self) -> anyhow::Result<ExitCode> {
        let failures = self.checks.iter().filter(|check| !check.ok).count() as u64;
        let is_well = failures == 0 && !self.checks.is_empty();
        if self.is_json {
            let Self { settings, checks, .. } = &self;
            print_json(&json!({ "ok": is_well, "settings": settings, "checks": checks }))?;
        } else if is_well {
            outln!("{}", self.palette.paint(Style::Green, "All checks passed."));
        } else if failures > 0 {
            let failed = format!("{} failed.", count(failures, "check"));
            outln!("{}", self.palette.paint(Style::Red, failed));
        }
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
