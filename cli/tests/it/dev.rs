//! `farebox dev` and the commands around it, as on a new machine: one process, one directory.

mod browser;
mod catalog;
mod clock;
mod commands;
mod doctor;
mod foreign_sites;
mod pages;
mod readme;
mod smoke;
mod terminal;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::{ApiResponse, clock, until};

/// A local stack in its own directory.
struct Dev {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    base: String,
    printed_lines: Vec<String>,
}

/// `Engine` ignores a Redis that is installed on this machine.
#[derive(Clone, Copy, Debug)]
enum Redis {
    Found,
    Engine,
}

fn farebox(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farebox"));
    // Relative to the working directory, as when a user types the command.
    command.args(args).current_dir(dir).env_remove("DATABASE_URL").env_remove("PORT");
    command.env_remove("STRIPE_SECRET_KEY").env("FAREBOX_DEV_CLOCK", clock().now().to_string());
    command.kill_on_drop(true);
    command
}

async fn run(dir: &Path, args: &[&str]) -> Output {
    farebox(dir, args).output().await.unwrap()
}

async fn stdout_of(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args).await;
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

impl Dev {
    async fn start(dir: &Path, redis: Redis) -> Self {
        let mut command = farebox(dir, &["dev", "--port", "0"]);
        if let Redis::Engine = redis {
            command.env("FAREBOX_DEV_REDIS", "engine");
        }
        Self::ready(command).await
    }

    async fn ready(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut printed_lines = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(base) = line.strip_prefix("ready ") {
                return Self { child, lines, base: base.to_owned(), printed_lines };
            }
            printed_lines.push(line);
        }
        panic!("farebox dev ended before it was ready: {printed_lines:?}");
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> ApiResponse {
        let client = reqwest::Client::new();
        let url = format!("{}{path}", self.base);
        let request = client.request(method.parse().unwrap(), url).bearer_auth(token);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        ApiResponse::of(request.send().await.unwrap()).await
    }

    async fn stats(&self, token: &str) -> Value {
        self.call("GET", "/api/dashboard", token, None).await.expect_status(200).body
    }

    async fn kill(mut self, dir: &Path) {
        self.child.kill().await.unwrap();
        until(async || processes_in(dir).is_empty()).await;
    }

    /// Stops the stack as Ctrl-C does.
    async fn stop(mut self, dir: &Path) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().unwrap().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        assert!(self.child.wait().await.unwrap().success());
        assert_eq!(self.lines.next_line().await.unwrap().as_deref(), Some("stopping"));
        assert_eq!(processes_in(dir), [""; 0], "processes are left after the stop");
    }
}

/// Processes with this working directory, or with its path in their command line.
fn processes_in(dir: &Path) -> Vec<String> {
    let dir = dir.to_str().unwrap();
    let numbers = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    numbers
        .filter_map(|process| {
            let line = fs::read(process.join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let cwd = fs::read_link(process.join("cwd")).unwrap_or_default();
            (line.contains(dir) || cwd.starts_with(dir)).then_some(line)
        })
        .collect()
}

/// An empty directory for one test, with a path short enough for the paths below it.
fn directory(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("dev-{name}"));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir.canonicalize().unwrap()
}

/// The README's commands work as printed; a kill leaves no process running; a restart keeps all
/// data.
#[tokio::test]
async fn a_killed_stack_leaves_nothing_running_and_loses_nothing() {
    for redis in [Redis::Found, Redis::Engine] {
        let dir = directory(&format!("killed-{redis:?}"));
        let dev = Dev::start(&dir, redis).await;
        let token =
            stdout_of(&dir, &["token", "--user", "ann", "--email", "ann@example.com"]).await;
        dev.call("POST", "/api/session", &token, None).await.expect_status(200);
        let talk = json!({ "summary": "hello", "content": "a talk" });
        dev.call("POST", "/api/chat/save", &token, Some(talk)).await.expect_status(200);
        let before = dev.stats(&token).await;
        assert_eq!(before["conversations"], 1);
        dev.kept(&dir, "hello").await;
        dev.kill(&dir).await;

        let gone = run(&dir, &["env"]).await;
        assert!(!gone.status.success(), "a killed stack has no settings: {gone:?}");

        let dev = Dev::start(&dir, redis).await;
        assert_eq!(dev.stats(&token).await, before, "{redis:?}");
        let settings = stdout_of(&dir, &["env"]).await;
        let owner = setting(&settings, "DIRECT_URL");
        let client =
            shared::adapters::postgres::connect(&crate::support::settings(owner)).await.unwrap();
        let users = "select count(*) from history where user_id = 'ann'";
        let count: i64 = client.query_typed_one(users, &[]).await.unwrap().get(0);
        assert_eq!(count, 1);
        drop(client);
        dev.stop(&dir).await;
        let dev = Dev::start(&dir, redis).await;
        assert_eq!(dev.stats(&token).await, before, "{redis:?}, after a clean stop");
        dev.stop(&dir).await;
    }
}

fn setting<'a>(settings: &'a str, name: &str) -> &'a str {
    let line = settings.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("{name} is missing in {settings}"))
}

impl Dev {
    /// Waits until a kill no longer loses the text: an installed Redis has stored it by now, the
    /// engine writes its snapshot a moment later.
    async fn kept(&self, dir: &Path, text: &str) {
        if self.printed_lines.iter().any(|line| line.contains("own engine")) {
            let snapshot = dir.join(".farebox/redis.snapshot");
            let kept = async || fs::read_to_string(&snapshot).is_ok_and(|kept| kept.contains(text));
            until(kept).await;
        }
    }
}

#[tokio::test]
async fn a_stack_prints_its_services_and_their_addresses() {
    let dir = directory("says");
    let dev = Dev::start(&dir, Redis::Found).await;
    assert!(dev.printed_lines.len() <= 20, "more than a screen of lines: {:#?}", dev.printed_lines);
    let all = dev.printed_lines.join("\n");
    for word in ["Postgres  127.0.0.1:", "Redis", "TOKEN=", "/api/check", "/api/usage"] {
        assert!(all.contains(word), "{word}: {all}");
    }
    // The printed lines work when pasted into a shell.
    let lines: Vec<&str> = dev
        .printed_lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| line.starts_with("TOKEN=") || line.starts_with("curl "))
        .collect();
    let lines = lines.join("\n");
    let shell = Command::new("sh").args(["-ec", &lines]).output().await.unwrap();
    let pasted = String::from_utf8_lossy(&shell.stdout);
    assert!(pasted.contains("\"used\":3,\"limit\":5"), "{lines}\n{shell:?}");
    assert!(pasted.contains("/simulator/checkout/cs_test_"), "{lines}\n{shell:?}");

    let settings = stdout_of(&dir, &["env"]).await;
    for name in ["DATABASE_URL", "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"] {
        assert!(!setting(&settings, name).is_empty());
    }
    let page = dev.call("GET", "/", "", None).await.expect_status(200);
    assert!(page.text.contains("/api/mood") && page.text.contains("<h1>"), "{}", page.text);
    dev.stop(&dir).await;
}

/// A shell that has a deployment's settings in its environment.
#[tokio::test]
async fn tokens_follow_the_settings_of_the_environment() {
    let dir = directory("env");
    let mut command = farebox(&dir, &["dev", "--port", "0"]);
    command.env("AUTH_ISSUER", "https://id.example").env("AUTH_AUDIENCE", "api, other");
    command.env("SERVICE_KEYS", format!("service:{}", "ab".repeat(32)));
    let dev = Dev::ready(command).await;
    let token = stdout_of(&dir, &["token", "--user", "ann"]).await;
    dev.call("POST", "/api/session", &token, None).await.expect_status(200);
    let key = stdout_of(&dir, &["token", "--service"]).await;
    let request = json!({ "action": "review-code", "identifier": "ann" });
    dev.call("POST", "/api/rate-limit", &key, Some(request)).await.expect_status(200);
    dev.stop(&dir).await;
}

#[tokio::test]
async fn the_tokens_that_are_printed_work() {
    let dir = directory("tokens");
    let none = run(&dir, &["token", "--user", "ann"]).await;
    let message = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(message.contains("no stack has been started"), "{message}");

    let dev = Dev::start(&dir, Redis::Found).await;
    let request = json!({ "action": "review-code", "identifier": "ann" });
    for scope in ["--service", "--admin"] {
        let key = stdout_of(&dir, &["token", scope]).await;
        assert!(key.starts_with("fbx_") && !key.contains(char::is_whitespace), "{key}");
        dev.call("POST", "/api/rate-limit", &key, Some(request.clone())).await.expect_status(200);
    }
    let bad = run(&dir, &["token", "--user", "two words"]).await;
    assert!(!bad.status.success());
    let which = run(&dir, &["token"]).await;
    assert!(!which.status.success());
    dev.stop(&dir).await;
}

/// The time that SQL uses when a call passes none.
async fn time_of_sql(dir: &Path) -> jiff::Timestamp {
    let settings = stdout_of(dir, &["env"]).await;
    let owner = crate::support::settings(setting(&settings, "DIRECT_URL"));
    let client = shared::adapters::postgres::connect(&owner).await.unwrap();
    client.query_typed_one("select farebox_now()", &[]).await.unwrap().get(0)
}

/// The stack runs its jobs by its own clock: an expired comp ends without a request.
#[tokio::test]
async fn a_stack_runs_its_jobs() {
    let dir = directory("jobs");
    let dev = Dev::start(&dir, Redis::Found).await;
    let service = stdout_of(&dir, &["token", "--service"]).await;
    let ends_at = clock().now() + jiff::SignedDuration::from_hours(1);
    let comp = json!({ "plan": "pro", "endsAt": ends_at });
    let given = dev.call("PATCH", "/api/plan?userId=ann", &service, Some(comp)).await;
    given.expect_status(200);
    stdout_of(&dir, &["clock", "advance", "1d"]).await;

    let settings = stdout_of(&dir, &["env"]).await;
    let owner = crate::support::settings(setting(&settings, "DIRECT_URL"));
    let client = shared::adapters::postgres::connect(&owner).await.unwrap();
    let ended = "select count(*) from plan_comps where ended_at is not null";
    until(async || client.query_typed_one(ended, &[]).await.unwrap().get::<_, i64>(0) == 1).await;
    dev.stop(&dir).await;
}

/// Farebox, the simulator and SQL share one clock.
#[tokio::test]
async fn a_restarted_stack_keeps_its_advanced_clock() {
    let dir = directory("clock");
    let dev = Dev::start(&dir, Redis::Found).await;
    assert!(
        dev.printed_lines.iter().any(|line| line.contains("SIMULATOR")),
        "{:?}",
        dev.printed_lines
    );
    let settings = stdout_of(&dir, &["env"]).await;
    assert_eq!(setting(&settings, "STRIPE_API_URL"), dev.base);
    assert!(setting(&settings, "STRIPE_WEBHOOK_SECRET").starts_with("whsec_"));
    let key = setting(&settings, "STRIPE_SECRET_KEY").to_owned();
    let ann = dev.call("POST", "/v1/customers", &key, None).await.expect_status(200).body;

    let moved = stdout_of(&dir, &["clock", "advance", "2mo"]).await;
    let moved: jiff::Timestamp = moved.lines().next().unwrap().parse().unwrap();
    assert!(moved.as_second() - clock().now().as_second() > 58 * 86_400);
    assert!(time_of_sql(&dir).await >= moved);
    let token = stdout_of(&dir, &["token", "--user", "ann"]).await;
    dev.call("POST", "/api/session", &token, None).await.expect_status(200);
    dev.stop(&dir).await;

    // A secrets file from before the simulator existed.
    let secrets = dir.join(".farebox/secrets.json");
    let mut old: Value = serde_json::from_slice(&fs::read(&secrets).unwrap()).unwrap();
    old.as_object_mut().unwrap().retain(|name, _| !name.starts_with("stripe"));
    fs::write(&secrets, old.to_string()).unwrap();
    let dev = Dev::start(&dir, Redis::Found).await;
    dev.call("POST", "/api/session", &token, None).await.expect_status(200);
    let now: jiff::Timestamp = stdout_of(&dir, &["clock", "now"]).await.parse().unwrap();
    assert!(now >= moved, "{now} {moved}");
    assert!(time_of_sql(&dir).await >= now, "a restart sets the clock of SQL again");
    let key = setting(&stdout_of(&dir, &["env"]).await, "STRIPE_SECRET_KEY").to_owned();
    let path = format!("/v1/customers/{}", ann["id"].as_str().unwrap());
    let kept = dev.call("GET", &path, &key, None).await.expect_status(200).body;
    assert_eq!(kept["created"], ann["created"]);

    let caused = stdout_of(&dir, &["trigger", "customer.updated", "--user", "bob"]).await;
    assert!(caused.lines().any(|line| line.ends_with(" customer.updated")), "{caused}");
    assert_eq!(stdout_of(&dir, &["webhooks", "list"]).await, "No failed webhooks.");
    stdout_of(&dir, &["simulator", "set", "drop=true"]).await;
    let state: Value = serde_json::from_str(&stdout_of(&dir, &["simulator"]).await).unwrap();
    assert_eq!(
        (&state["switches"]["drop"], &state["counts"]["customer"]),
        (&json!(true), &json!(2))
    );
    let wrong = run(&dir, &["clock", "advance", "soon"]).await;
    let message = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(!wrong.status.success() && message.contains("'soon'"), "{message}");
    dev.stop(&dir).await;
}

/// With a real Stripe key in the environment there is no simulator.
#[tokio::test]
async fn with_a_real_stripe_key_there_is_no_simulator() {
    let dir = directory("stripe");
    let mut command = farebox(&dir, &["dev", "--port", "0"]);
    command.env("STRIPE_SECRET_KEY", "sk_test_of_stripe");
    let dev = Dev::ready(command).await;
    let settings = stdout_of(&dir, &["env"]).await;
    assert_eq!(setting(&settings, "STRIPE_SECRET_KEY"), "sk_test_of_stripe");
    assert!(!settings.contains("STRIPE_API_URL"), "{settings}");
    dev.call("GET", "/v1/account", "sk_test_of_stripe", None).await.expect_status(404);
    assert!(!run(&dir, &["clock", "advance", "1d"]).await.status.success());
    dev.stop(&dir).await;
}

#[tokio::test]
async fn a_second_stack_in_one_directory_is_refused() {
    let dir = directory("twice");
    let dev = Dev::start(&dir, Redis::Found).await;
    let second = run(&dir, &["dev"]).await;
    let message = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && second.stdout.is_empty(), "{second:?}");
    assert!(message.contains("another farebox is using"), "{message}");
    assert!(
        stdout_of(&dir, &["env"]).await.contains("DATABASE_URL"),
        "the first stack's settings remain"
    );

    let port = dev.base.rsplit(':').next().unwrap();
    let other = directory("twice-other");
    let taken = run(&other, &["--port", port]).await;
    let message = String::from_utf8_lossy(&taken.stderr).into_owned();
    assert!(message.contains(&format!("cannot listen on port {port}")), "{message}");
    dev.stop(&dir).await;
}
