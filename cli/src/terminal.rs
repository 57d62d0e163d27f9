//! The terminal: output that survives a closed pipe, colour, tables, progress and questions.

pub mod checks;
pub mod error;
pub mod progress;
pub mod table;

use std::fmt;
use std::io::{self, ErrorKind, IsTerminal, Write as _};

use anyhow::bail;
use jiff::Timestamp;

/// Prints a line to standard output. If its reader has gone, as after `| head -1`, the process ends
/// with success.
#[macro_export]
macro_rules! outln {
    () => { $crate::terminal::print(format_args!("\n")) };
    ($($argument:tt)*) => {
        $crate::terminal::print(format_args!("{}\n", format_args!($($argument)*)))
    };
}

/// Prints a line to standard error, and ignores that its reader has gone.
#[macro_export]
macro_rules! errln {
    ($($argument:tt)*) => {
        $crate::terminal::print_error(format_args!("{}\n", format_args!($($argument)*)))
    };
}

/// Prints to standard output. Ends the process with success if the reader has gone.
pub fn print(text: fmt::Arguments<'_>) {
    if !try_print(text) {
        std::process::exit(0);
    }
}

/// Prints to standard output. Returns false if the reader has gone.
pub fn try_print(text: fmt::Arguments<'_>) -> bool {
    let mut out = io::stdout().lock();
    let written = out.write_fmt(text).and_then(|()| out.flush());
    !matches!(written, Err(error) if error.kind() == ErrorKind::BrokenPipe)
}

/// Prints to standard error, if it has a reader.
pub fn print_error(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
}

/// Whether and how text is coloured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Palette {
    is_on: bool,
}

/// A colour or a weight.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
}

impl Palette {
    pub const PLAIN: Self = Self { is_on: false };
    pub const COLOURED: Self = Self { is_on: true };

    /// The palette of standard output.
    pub fn of_stdout() -> Self {
        Self::of(&io::stdout())
    }

    /// The palette of standard error.
    pub fn of_stderr() -> Self {
        Self::of(&io::stderr())
    }

    /// Colour is for a terminal, unless `NO_COLOR` is set or the terminal has none.
    fn of(stream: &impl IsTerminal) -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { is_on: stream.is_terminal() && !is_set("NO_COLOR") && !is_dumb }
    }

    /// Returns the text in this style.
    pub fn paint(self, style: Style, text: impl fmt::Display) -> String {
        if !self.is_on {
            return text.to_string();
        }
        let code = match style {
            Style::Bold => 1,
            Style::Dim => 2,
            Style::Red => 31,
            Style::Green => 32,
            Style::Yellow => 33,
            Style::Cyan => 36,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Prints a value as indented JSON.
pub fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    print(format_args!("{text}\n"));
    Ok(())
}

/// Asks a question on the terminal. `without_terminal` is the error if standard input is not one.
pub fn confirm(question: &str, without_terminal: &str) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("standard input is not a terminal: {without_terminal}");
    }
    print(format_args!("{question} [y/N] "));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Returns a number with its noun: `1 renewal`, `2 renewals`.
pub fn count(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// Formats a time as `2026-11-30 14:05:00`, in UTC.
pub fn date_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_palette_adds_nothing() {
        assert_eq!(Palette::PLAIN.paint(Style::Red, "no"), "no");
        assert_eq!(Palette::COLOURED.paint(Style::Red, "no"), "\x1b[31mno\x1b[0m");
    }

    #[test]
    fn a_count_has_the_right_number() {
        assert_eq!(count(0, "e-mail"), "0 e-mails");
        assert_eq!(count(1, "e-mail"), "1 e-mail");
        assert_eq!(count(2, "e-mail"), "2 e-mails");
    }
}
