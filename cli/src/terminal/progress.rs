//! Progress of a slow command: one line on the terminal's standard error, shown after a second and
//! erased afterwards. A pipe gets none.

use std::io::{self, IsTerminal as _};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A command that takes less time shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
const REFRESH: Duration = Duration::from_millis(200);

/// Moves to the start of the line and erases it.
const ERASE: &str = "\r\x1b[2K";

/// A running line of progress. Dropping it erases the line.
#[derive(Debug)]
pub struct Progress {
    text: Arc<Mutex<String>>,
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Starts the line, if standard error is a terminal.
    pub fn start(text: impl Into<String>) -> Self {
        let text = Arc::new(Mutex::new(text.into()));
        let running = io::stderr().is_terminal().then(|| {
            let (stop, stopped) = mpsc::channel();
            let shown = Arc::clone(&text);
            let thread = std::thread::spawn(move || {
                let read = || shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
                show(&mut io::stderr(), PATIENCE, read, |wait| {
                    stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout)
                });
            });
            (stop, thread)
        });
        Self { text, running }
    }

    /// True if a terminal shows the line.
    pub fn is_shown(&self) -> bool {
        self.running.is_some()
    }

    /// Changes the line.
    pub fn set(&self, text: impl Into<String>) {
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = text.into();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            // The line is erased when the thread has ended.
            let _ = thread.join();
        }
    }
}

/// Draws the line until `wait` returns false, and erases it.
fn show(
    terminal: &mut impl io::Write,
    patience: Duration,
    text: impl Fn() -> String,
    wait: impl Fn(Duration) -> bool,
) {
    let started = Instant::now();
    if !wait(patience) {
        return;
    }
    loop {
        let seconds = started.elapsed().as_secs();
        let _ = write!(terminal, "{ERASE}{} ({seconds} s)", text());
        let _ = terminal.flush();
        if !wait(REFRESH) {
            break;
        }
    }
    let _ = write!(terminal, "{ERASE}");
    let _ = terminal.flush();
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn shown(rounds: usize) -> String {
        let (mut terminal, left) = (Vec::new(), Cell::new(rounds));
        let wait = |_| {
            let goes_on = left.get() > 0;
            left.set(left.get().saturating_sub(1));
            goes_on
        };
        show(&mut terminal, Duration::ZERO, || "Working".to_owned(), wait);
        String::from_utf8(terminal).unwrap()
    }

    #[test]
    fn a_quick_command_shows_nothing() {
        assert_eq!(shown(0), "");
    }

    #[test]
    fn a_slow_command_shows_a_line_and_erases_it() {
        assert_eq!(shown(1), format!("{ERASE}Working (0 s){ERASE}"));
    }
}
