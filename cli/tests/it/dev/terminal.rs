//! `farebox dev` on a terminal: short lines in place of JSON, and the banner last.

use std::fs::File;
use std::io::Read as _;
use std::sync::{Arc, Mutex};

use nix::pty::openpty;
use tokio::process::{Child, Command};

use super::{directory, farebox};
use crate::support::until;

/// A command whose output goes to a terminal.
struct OnTerminal {
    child: Child,
    shown: Arc<Mutex<String>>,
}

impl OnTerminal {
    fn start(mut command: Command) -> Self {
        let pty = openpty(None, None).unwrap();
        let (out, err) = (pty.slave.try_clone().unwrap(), pty.slave);
        command.stdout(out).stderr(err).env("TERM", "xterm");
        let child = command.spawn().unwrap();
        // The command has closed copies only after it is dropped.
        drop(command);
        let shown = Arc::new(Mutex::new(String::new()));
        let (mut master, copy) = (File::from(pty.master), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // A terminal without a program is an error.
            while let Ok(read @ 1..) = master.read(&mut bytes) {
                copy.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
        });
        Self { child, shown }
    }

    fn text(&self) -> String {
        self.shown.lock().unwrap().replace('\r', "")
    }

    async fn show(&self, text: &str) {
        until(async || self.text().contains(text)).await;
    }

    /// The address in the last line of the banner.
    async fn base(&self) -> String {
        until(async || self.text().lines().any(|line| line.starts_with("ready http"))).await;
        until(async || self.text().ends_with('\n')).await;
        let text = self.text();
        text.lines().last().unwrap().strip_prefix("ready ").expect(&text).to_owned()
    }

    async fn stop(mut self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().unwrap().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        assert!(self.child.wait().await.unwrap().success());
    }
}

async fn request(base: &str) {
    assert_eq!(reqwest::get(format!("{base}/api/health")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_terminal_shows_the_banner_last_and_no_requests() {
    let dir = directory("terminal");
    let mut command = farebox(&dir, &["dev", "--port", "0"]);
    command.env_remove("NO_COLOR").env_remove("LOG_LEVEL");
    let dev = OnTerminal::start(command);
    let base = dev.base().await;
    assert!(dev.text().contains("\x1b[1mPostgres  \x1b[0m"), "{}", dev.text());
    request(&base).await;
    assert!(!dev.text().contains('{') || !dev.text().contains("\"level\""), "{}", dev.text());
    // The log file has the request.
    let log = dir.join(".farebox/farebox.log");
    until(async || std::fs::read_to_string(&log).is_ok_and(|log| log.contains("\"health\""))).await;
    assert!(dev.text().trim_end().ends_with(&format!("ready {base}")), "{}", dev.text());

    let logs = OnTerminal::start(farebox(&dir, &["logs"]));
    logs.show("\x1b[32mINFO \x1b[0m health 200").await;
    dev.stop().await;
}

#[tokio::test]
async fn the_log_level_and_no_color_decide_what_a_terminal_shows() {
    let dir = directory("level");
    let mut command = farebox(&dir, &["dev", "--port", "0"]);
    command.env("NO_COLOR", "1").env("LOG_LEVEL", "info");
    let dev = OnTerminal::start(command);
    until(async || dev.text().contains("ready http")).await;
    let text = dev.text();
    let base = text.split("ready ").nth(1).unwrap().lines().next().unwrap();
    request(base).await;
    dev.show(" INFO  health 200  ms=").await;
    assert!(!dev.text().contains('\x1b'), "{}", dev.text());
    dev.stop().await;
}
