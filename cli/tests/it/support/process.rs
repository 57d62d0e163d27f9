use std::collections::BTreeMap;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A `farebox` of its own, in a process of its own.
pub struct Process {
    pub base: String,
    _child: Child,
}

impl Process {
    pub async fn serve(settings: &BTreeMap<String, String>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_farebox"));
        command.args(["serve", "--port", "0"]).env_clear().envs(settings);
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(base) = line.strip_prefix("ready ") {
                return Self { base: base.to_owned(), _child: child };
            }
        }
        panic!("farebox serve ended before it was ready");
    }
}
