//! `farebox open`: opens a page of the running stack in the browser.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::bail;
use farebox::dev::{self, Running};
use farebox::outln;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  farebox open              the start page
  farebox open simulator    the pages of the Stripe simulator
  farebox open mail         the captured e-mails")]
pub struct Args {
    /// The page
    #[arg(value_enum, default_value = "home")]
    page: Page,
    /// Data directory of the stack
    #[arg(long, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Page {
    Home,
    Simulator,
    Mail,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    dev::running(&args.data).await?;
    let running = Running::read(&args.data)?;
    let path = match args.page {
        Page::Home => "/",
        Page::Simulator => "/simulator",
        Page::Mail => "/mail",
    };
    let url = format!("{}{path}", running.base);
    if path != "/" && !running.services.iter().any(|line| line.ends_with(&url)) {
        let setting = if path == "/mail" { "SMTP_URL" } else { "STRIPE_SECRET_KEY" };
        bail!("the stack has no page {path}, because {setting} was set when it started");
    }
    match opener().is_some_and(|opener| start(&opener, &url)) {
        true => outln!("Opened {url}"),
        false => outln!("{url}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// The program that opens URLs: `BROWSER`, or that of the system. A machine without a display has
/// none.
fn opener() -> Option<PathBuf> {
    let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(browser) = given("BROWSER") {
        return in_path(&browser);
    }
    let has_display = given("DISPLAY").or_else(|| given("WAYLAND_DISPLAY")).is_some();
    let names: &[&str] = match (cfg!(target_os = "macos"), has_display) {
        (true, _) => &["open"],
        (_, true) => &["xdg-open", "wslview"],
        (_, false) => &["wslview"],
    };
    names.iter().find_map(|name| in_path(OsStr::new(name)))
}

fn in_path(name: &OsStr) -> Option<PathBuf> {
    if Path::new(name).components().count() > 1 {
        return Some(PathBuf::from(name)).filter(|path| path.is_file());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.is_file())
}

/// Starts the opener and does not wait for it: some browsers run until they are closed.
fn start(opener: &Path, url: &str) -> bool {
    let mut command = Command::new(opener);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.process_group(0).spawn().is_ok()
}
