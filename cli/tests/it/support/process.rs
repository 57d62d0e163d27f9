use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::{TestApp, signature};

/// A `farebox` in a separate process.
pub struct Process {
    pub base: String,
    child: Child,
}

/// The command with only the settings and the time of a test in its environment.
pub fn farebox(app: &TestApp) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farebox"));
    command.env_clear().envs(&app.settings);
    // The process's clock starts later than it is set, by the time the process takes to start.
    if !app.clock.shift().is_zero() {
        command.env("FAREBOX_DEV_CLOCK", app.now().to_string());
    }
    command.kill_on_drop(true);
    command
}

impl Process {
    /// Runs `farebox serve` with the settings and the time of a test.
    pub async fn serve(app: &TestApp) -> Self {
        Self::start(farebox(app).args(["serve", "--port", "0"])).await
    }

    /// Runs a command until it reports that it is ready.
    pub async fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(base) = line.strip_prefix("ready ") {
                return Self { base: base.to_owned(), child };
            }
        }
        panic!("farebox ended before it was ready");
    }

    /// Kills the process, whatever it is doing.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Delivers a signed event, which must be answered 200.
    pub async fn deliver(&self, app: &TestApp, event: &str) {
        let url = format!("{}/api/stripe/webhook", self.base);
        let signature = signature(event, app.now());
        let call = reqwest::Client::new().post(url).header("stripe-signature", signature);
        assert_eq!(call.body(event.to_owned()).send().await.unwrap().status(), 200);
    }

    /// Sends a signal, such as one that freezes the process.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().unwrap().try_into().unwrap());
        kill(pid, signal).unwrap();
    }

    /// Stops the process; returns its log.
    pub async fn end(self) -> String {
        self.signal(Signal::SIGTERM);
        let output = self.child.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}
