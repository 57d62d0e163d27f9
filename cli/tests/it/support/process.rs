use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::TestApp;

/// A `farebox` of its own, in a process of its own.
pub struct Process {
    pub base: String,
    child: Child,
}

/// The command line with the settings and the time of a test, and nothing else of the environment.
pub fn farebox(app: &TestApp) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farebox"));
    command.env_clear().envs(&app.settings);
    // A clock that begins when the process does lags by what that takes.
    if !app.clock.shift().is_zero() {
        command.env("FAREBOX_DEV_CLOCK", app.now().to_string());
    }
    command.kill_on_drop(true);
    command
}

impl Process {
    /// Serves with the settings and the time of a test.
    pub async fn serve(app: &TestApp) -> Self {
        let mut command = farebox(app);
        command.args(["serve", "--port", "0"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(base) = line.strip_prefix("ready ") {
                return Self { base: base.to_owned(), child };
            }
        }
        panic!("farebox serve ended before it was ready");
    }

    /// Kills it in the middle of whatever it is doing.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks it to stop; answers what it logged.
    pub async fn end(self) -> String {
        let pid = nix::unistd::Pid::from_raw(self.child.id().unwrap().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        let output = self.child.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}
