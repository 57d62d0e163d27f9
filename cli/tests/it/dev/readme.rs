//! The README's tour, run line by line: each command in a shell, against a local stack, and its output
//! compared with the printed one. `…` stands for any text.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::{Dev, Redis, directory, setting, stdout_of};
use crate::support::{Button, press_button, until};

const README: &str = include_str!("../../../../README.md");

/// Ends the output of each command.
const END: &str = "--- end of the output ---";

/// `cargo run -q -- token` runs the binary under test; `curl` is Node's where the machine has no other.
const FUNCTIONS: &str = r#"
cargo() { while [ "$1" != "--" ]; do shift; done; shift; "$FAREBOX" "$@"; }
if command -v curl >/dev/null; then curl() { command curl -sS "$@"; echo; }; else curl() { node "$CURL" "$@"; }; fi
"#;

/// A command of the README with the output printed below it.
struct Step {
    command: String,
    expected: String,
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for block in text.split("```console\n").skip(1) {
        let block = block.split("\n```").next().unwrap();
        let mut continues = false;
        for line in block.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                steps.push(Step { command: command.to_owned(), expected: String::new() });
                continues = true;
            } else {
                let step = steps.last_mut().expect("a block begins with a command");
                let part = if continues { &mut step.command } else { &mut step.expected };
                *part += "\n";
                *part += line;
            }
            let command = &steps.last().unwrap().command;
            let is_quote_open = command.matches('\'').count() % 2 == 1;
            continues = is_quote_open || continues && line.ends_with('\\');
        }
    }
    steps
}

/// Whether `output` is `expected`, in which `…` stands for any text.
fn is_as_printed(expected: &str, output: &str) -> bool {
    let Some((first, rest)) = expected.split_once('…') else { return expected == output };
    let (middle, last) = rest.rsplit_once('…').unwrap_or(("", rest));
    let Some(mut output) = output.strip_prefix(first) else { return false };
    for part in middle.split('…') {
        let Some(at) = output.find(part) else { return false };
        output = &output[at + part.len()..];
    }
    output.ends_with(last)
}

/// A shell that runs commands one after the other, in the directory of the stack.
struct Shell {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Shell {
    async fn start(dev: &Dev, dir: &Path) -> Self {
        let mut command = Command::new("bash");
        command.current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        command.env("FAREBOX", env!("CARGO_BIN_EXE_farebox"));
        command.env("CURL", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/dev/curl.mjs"));
        command.env_remove("DATABASE_URL").env("NO_PROXY", "*");
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut shell = Self { child, input, output: BufReader::new(output).lines() };
        assert_eq!(shell.run(FUNCTIONS).await, "", "{}", dev.base);
        shell
    }

    async fn run(&mut self, command: &str) -> String {
        let script = format!("{{ {command}\n}} 2>&1\necho; echo '{END}'\n");
        self.input.write_all(script.as_bytes()).await.unwrap();
        let mut output = String::new();
        loop {
            let line = self.output.next_line().await.unwrap().expect("the shell ended");
            if line == END {
                return output.trim().to_owned();
            }
            output += &line;
            output += "\n";
        }
    }
}

#[tokio::test]
async fn every_command_of_the_readme_prints_what_the_readme_shows() {
    let dir = directory("readme");
    let dev = Dev::start(&dir, Redis::Found).await;
    let own = dev.base.strip_prefix("http://127.0.0.1").unwrap().to_owned();
    let mut shell = Shell::start(&dev, &dir).await;
    let (mut session, mut ran) = (String::new(), 0);
    for Step { command, expected } in steps(README) {
        let here = |text: &str| {
            let text = text.replace("localhost:3000", &format!("127.0.0.1{own}"));
            text.replace("127.0.0.1:3000", &format!("127.0.0.1{own}"))
        };
        let output = shell.run(&here(&command).replace("cs_test_…", &session)).await;
        let expected = here(expected.trim());
        assert!(is_as_printed(&expected, &output), "$ {command}\n{output}\nis not\n{expected}");
        if let Some((_, rest)) = output.split_once("\"url\":\"")
            && rest.contains("/simulator/checkout/")
        {
            let url = rest.split('"').next().unwrap();
            session = url.rsplit('/').next().unwrap().to_owned();
            press_button(url, Button::Pay).await;
        }
        until(async || is_idle(&dev, &dir).await).await;
        ran += 1;
    }
    assert!(ran > 10, "the README has {ran} commands");
    drop(shell.input);
    shell.child.wait().await.unwrap();
    dev.stop(&dir).await;
}

/// True if every webhook and every e-mail is delivered, as they are before a person types the next
/// command.
async fn is_idle(dev: &Dev, dir: &Path) -> bool {
    let state = dev.call("GET", "/simulator/api/state", "", None).await.expect_status(200).body;
    let settings = stdout_of(dir, &["env"]).await;
    let owner = crate::support::settings(setting(&settings, "DIRECT_URL"));
    let client = shared::adapters::postgres::connect(&owner).await.unwrap();
    let emails = "select count(*) from outbox where kind = 'email' and done_at is null";
    let emails: i64 = client.query_typed_one(emails, &[]).await.unwrap().get(0);
    state["pending_deliveries"] == 0 && emails == 0
}

#[test]
fn dots_stand_for_any_text() {
    assert!(is_as_printed("a…c", "abbc"));
    assert!(is_as_printed("a…", "a"));
    assert!(is_as_printed("", ""));
    assert!(!is_as_printed("a…c", "abcd"));
    assert!(!is_as_printed("a", "ab"));
    assert!(!is_as_printed("a…c…", "ab"));
}
