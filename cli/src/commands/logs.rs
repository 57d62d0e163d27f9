//! `farebox logs`: prints the log of the local stack, as short lines on a terminal and as JSON
//! lines in a pipe.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Read as _, Seek as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use farebox::dev::log::format::short_line;
use farebox::dev::{log, start_command};
use farebox::outln;
use farebox::server::stop_signal;
use farebox::terminal::Palette;

/// How often a followed log is read.
const POLL: Duration = Duration::from_millis(100);

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  farebox logs -n 20
  farebox logs -f
  farebox logs | jq 'select(.level == \"ERROR\")'")]
pub struct Args {
    /// Print new lines until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Print only the last lines
    #[arg(long, short = 'n', value_name = "LINES")]
    lines: Option<usize>,
    /// Data directory of the stack
    #[arg(long, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (path, shown) = (log::path(&args.data), args.data.display());
    if !path.exists() {
        bail!("there is no log in {shown}: start a stack with {}", start_command(&args.data));
    }
    let mut log = Followed::open(path)?;
    let mut lines: VecDeque<String> = VecDeque::new();
    let earlier = fs::read_to_string(log::earlier_path(&args.data)).unwrap_or_default();
    lines.extend(earlier.lines().map(str::to_owned));
    lines.extend(log.read()?);
    let skipped = args.lines.map_or(0, |last| lines.len().saturating_sub(last));
    lines.iter().skip(skipped).for_each(|line| print(line));
    if args.follow {
        let mut stop = std::pin::pin!(stop_signal());
        loop {
            tokio::select! {
                () = &mut stop => break,
                () = tokio::time::sleep(POLL) => log.read()?.iter().for_each(|line| print(line)),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(line: &str) {
    match io::stdout().is_terminal() {
        true => outln!("{}", short_line(Palette::of_stdout(), line)),
        false => outln!("{line}"),
    }
}

/// A log that grows, and that the stack replaces when it is full or when it starts.
struct Followed {
    path: PathBuf,
    file: File,
    /// A line whose end is not written yet.
    unfinished: Vec<u8>,
}

impl Followed {
    fn open(path: PathBuf) -> anyhow::Result<Self> {
        let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self { path, file, unfinished: Vec::new() })
    }

    /// The whole lines that were written since the last call.
    fn read(&mut self) -> anyhow::Result<Vec<String>> {
        let mut lines = self.read_file()?;
        let Ok(current) = fs::metadata(&self.path) else { return Ok(lines) };
        let own = self.file.metadata()?;
        if (current.dev(), current.ino()) != (own.dev(), own.ino()) {
            *self = Self::open(self.path.clone())?;
            lines.extend(self.read_file()?);
        }
        Ok(lines)
    }

    fn read_file(&mut self) -> anyhow::Result<Vec<String>> {
        if self.file.metadata()?.len() < self.file.stream_position()? {
            // A new stack has emptied the file.
            self.file.rewind()?;
            self.unfinished.clear();
        }
        self.file.read_to_end(&mut self.unfinished)?;
        let end = self.unfinished.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole: Vec<u8> = self.unfinished.drain(..end).collect();
        Ok(String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_followed_log_continues_after_it_was_replaced_or_emptied() {
        let dir = std::env::temp_dir().join(format!("farebox-logs-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("log");
        fs::write(&path, "one\ntwo\nunfin").unwrap();
        let mut log = Followed::open(path.clone()).unwrap();
        assert_eq!(log.read().unwrap(), ["one", "two"]);
        assert!(log.read().unwrap().is_empty());
        fs::write(&path, "one\ntwo\nunfinished\n").unwrap();
        assert_eq!(log.read().unwrap(), ["unfinished"]);
        fs::write(&path, "new\n").unwrap();
        assert_eq!(log.read().unwrap(), ["new"]);
        fs::rename(&path, dir.join("log.1")).unwrap();
        fs::write(&path, "next\n").unwrap();
        assert_eq!(log.read().unwrap(), ["next"]);
        fs::remove_dir_all(&dir).unwrap();
    }
}
