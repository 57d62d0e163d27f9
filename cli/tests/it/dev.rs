//! `farebox dev` and the commands around it, as a newcomer runs them: one process, one directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::{Answer, until};

/// A local stack in a directory of its own.
struct Dev {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    base: String,
    said: Vec<String>,
}

/// `engine` leaves out the Redis of this machine.
#[derive(Clone, Copy, Debug)]
enum Redis {
    Found,
    Engine,
}

fn farebox(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farebox"));
    // Relative to the working directory, as it is for whoever types the command.
    command.args(args).current_dir(dir).env_remove("DATABASE_URL").env_remove("PORT");
    command.kill_on_drop(true);
    command
}

async fn run(dir: &Path, args: &[&str]) -> Output {
    farebox(dir, args).output().await.unwrap()
}

async fn said(dir: &Path, args: &[&str]) -> String {
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
        let mut said = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(base) = line.strip_prefix("ready ") {
                return Self { child, lines, base: base.to_owned(), said };
            }
            said.push(line);
        }
        panic!("farebox dev ended before it was ready: {said:?}");
    }

    async fn call(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Answer {
        let client = reqwest::Client::new();
        let url = format!("{}{path}", self.base);
        let request = client.request(method.parse().unwrap(), url).bearer_auth(token);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        Answer::of(request.send().await.unwrap()).await
    }

    async fn stats(&self, token: &str) -> Value {
        self.call("GET", "/api/dashboard", token, None).await.expect_status(200).body
    }

    async fn kill(mut self, dir: &Path) {
        self.child.kill().await.unwrap();
        until(async || processes_in(dir).is_empty()).await;
    }

    /// As Ctrl-C does.
    async fn stop(mut self, dir: &Path) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().unwrap().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        assert!(self.child.wait().await.unwrap().success());
        assert_eq!(self.lines.next_line().await.unwrap().as_deref(), Some("stopping"));
        assert_eq!(processes_in(dir), [""; 0], "nothing is left once it has stopped");
    }
}

/// Processes that work in a directory, or name it.
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

/// A directory for one test, with nothing in it. Its path is short enough for whatever is put below.
fn directory(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("dev-{name}"));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir.canonicalize().unwrap()
}

/// The README's lines work as they are printed; a kill leaves no process; a restart keeps everything.
#[tokio::test]
async fn a_killed_stack_leaves_nothing_running_and_loses_nothing() {
    for redis in [Redis::Found, Redis::Engine] {
        let dir = directory(&format!("killed-{redis:?}"));
        let dev = Dev::start(&dir, redis).await;
        let token = said(&dir, &["token", "--user", "ann", "--email", "ann@example.com"]).await;
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
        let settings = said(&dir, &["env"]).await;
        let owner = setting(&settings, "DIRECT_URL");
        let client = shared::store::connect(&crate::support::settings(owner)).await.unwrap();
        let users = "select count(*) from history where user_id = 'ann'";
        let count: i64 = client.query_typed_one(users, &[]).await.unwrap().get(0);
        assert_eq!(count, 1);
        drop(client);
        dev.stop(&dir).await;
        let dev = Dev::start(&dir, redis).await;
        assert_eq!(dev.stats(&token).await, before, "{redis:?}, after an orderly stop");
        dev.stop(&dir).await;
    }
}

fn setting<'a>(settings: &'a str, name: &str) -> &'a str {
    let line = settings.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("{name} is missing in {settings}"))
}

impl Dev {
    /// Waits until what has been written would survive a kill: a Redis keeps it by then, the engine's
    /// snapshot follows a moment later.
    async fn kept(&self, dir: &Path, text: &str) {
        if self.said.iter().any(|line| line.contains("own engine")) {
            let snapshot = dir.join(".farebox/redis.snapshot");
            let kept = async || fs::read_to_string(&snapshot).is_ok_and(|kept| kept.contains(text));
            until(kept).await;
        }
    }
}

#[tokio::test]
async fn a_stack_says_what_runs_where_and_how_to_reach_it() {
    let dir = directory("says");
    let dev = Dev::start(&dir, Redis::Found).await;
    assert!(dev.said.len() <= 15, "a dozen lines: {:#?}", dev.said);
    let all = dev.said.join("\n");
    for word in ["Postgres  127.0.0.1:", "Redis", "TOKEN=", "curl -X POST", "/api/dashboard"] {
        assert!(all.contains(word), "{word}: {all}");
    }
    // The printed lines work when pasted, in a shell.
    let lines: Vec<&str> =
        dev.said.iter().map(|line| line.trim()).filter(|l| l.starts_with(['T', 'c'])).collect();
    let lines =
        lines.into_iter().filter(|line| !line.ends_with(':')).collect::<Vec<_>>().join("\n");
    let shell = Command::new("sh").args(["-ec", &lines]).output().await.unwrap();
    let pasted = String::from_utf8_lossy(&shell.stdout);
    assert!(pasted.contains("\"mood_score\":8.5"), "{lines}\n{shell:?}");

    let settings = said(&dir, &["env"]).await;
    for name in ["DATABASE_URL", "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"] {
        assert!(!setting(&settings, name).is_empty());
    }
    let page = dev.call("GET", "/", "", None).await.expect_status(200);
    assert!(page.text.contains("/api/mood") && page.text.contains("<h1>"), "{}", page.text);
    dev.stop(&dir).await;
}

/// Someone whose shell holds a deployment's settings.
#[tokio::test]
async fn tokens_follow_what_the_environment_says_of_them() {
    let dir = directory("env");
    let mut command = farebox(&dir, &["dev", "--port", "0"]);
    command.env("AUTH_ISSUER", "https://id.example").env("AUTH_AUDIENCE", "api, other");
    command.env("SERVICE_KEYS", format!("service:{}", "ab".repeat(32)));
    let dev = Dev::ready(command).await;
    let token = said(&dir, &["token", "--user", "ann"]).await;
    dev.call("POST", "/api/session", &token, None).await.expect_status(200);
    let key = said(&dir, &["token", "--service"]).await;
    let ask = json!({ "action": "review-code", "identifier": "ann" });
    dev.call("POST", "/api/rate-limit", &key, Some(ask)).await.expect_status(200);
    dev.stop(&dir).await;
}

#[tokio::test]
async fn the_tokens_that_are_printed_work() {
    let dir = directory("tokens");
    let none = run(&dir, &["token", "--user", "ann"]).await;
    let message = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(message.contains("no stack has been started"), "{message}");

    let dev = Dev::start(&dir, Redis::Found).await;
    let ask = json!({ "action": "review-code", "identifier": "ann" });
    for scope in ["--service", "--admin"] {
        let key = said(&dir, &["token", scope]).await;
        assert!(key.starts_with("fbx_") && !key.contains(char::is_whitespace), "{key}");
        dev.call("POST", "/api/rate-limit", &key, Some(ask.clone())).await.expect_status(200);
    }
    let bad = run(&dir, &["token", "--user", "two words"]).await;
    assert!(!bad.status.success());
    let which = run(&dir, &["token"]).await;
    assert!(!which.status.success());
    dev.stop(&dir).await;
}

/// CR-2: the operator's check, from the shell.
#[tokio::test]
async fn doctor_finds_a_healthy_stack_well() {
    let dir = directory("doctor");
    let dev = Dev::start(&dir, Redis::Found).await;
    let report = said(&dir, &["doctor"]).await;
    for line in [
        "request 1: allowed, remaining 4",
        "request 5: allowed, remaining 0",
        "request 6: blocked, remaining 0",
        "request 7: blocked, remaining 0",
        "ok    migrations: all applied",
        "ok    rights: as they should be",
        "as farebox, directly",
        "Everything is well.",
    ] {
        assert!(report.contains(line), "{line}: {report}");
    }
    assert!(!report.contains("FAIL"), "{report}");
    dev.stop(&dir).await;
}

/// CR-2: each failure says what to fix.
#[tokio::test]
async fn doctor_says_what_to_fix() {
    let dir = directory("sick");
    let nothing = run(&dir, &["doctor"]).await;
    let report = String::from_utf8_lossy(&nothing.stdout).into_owned();
    assert!(!nothing.status.success());
    for name in ["DATABASE_URL", "UPSTASH_REDIS_REST_URL", "AUTH_ISSUER"] {
        assert!(report.contains(&format!("FAIL  settings: {name}: must be set")), "{report}");
    }

    let app = crate::support::TestApp::new().await;
    app.redis.set(crate::support::Mode::Down).await;
    app.postgres.set(crate::support::Mode::Down).await;
    let mut command = farebox(&dir, &["doctor"]);
    let output = command.envs(&app.settings).output().await.unwrap();
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success());
    assert!(report.contains("FAIL  redis: ") && report.contains("Check UPSTASH_"), "{report}");
    assert!(report.contains("FAIL  postgres: ") && report.contains("Check DATABASE_"), "{report}");
    assert!(report.contains("2 things to fix."), "{report}");
}

/// Someone who connects as the owner, to a database without tables.
#[tokio::test]
async fn doctor_sees_a_wrong_role_and_missing_migrations() {
    let dir = directory("role");
    let app = crate::support::TestApp::new().await;
    let empty = crate::support::Stack::start().await.empty_database().await;
    let doctor = async |url: &str| {
        let mut command = farebox(&dir, &["doctor"]);
        let output = command.envs(&app.settings).env("DATABASE_URL", url).output().await.unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let report = doctor(&empty.owner).await;
    assert!(
        report.contains("FAIL  migrations: ") && report.contains("farebox migrate"),
        "{report}"
    );

    let mut migrate = farebox(&dir, &["migrate"]);
    let output = migrate.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
    let output = output.env("DIRECT_URL", &empty.owner).output().await.unwrap();
    let applied = String::from_utf8(output.stdout).unwrap();
    assert!(applied.contains("applied   0001_users"), "{applied}");
    let report = doctor(&empty.owner).await;
    assert!(report.contains("ok    migrations: all applied"), "{report}");
    assert!(report.contains("FAIL  rights: the role farebox_owner"), "{report}");
}

#[tokio::test]
async fn a_second_stack_in_one_directory_is_refused() {
    let dir = directory("twice");
    let dev = Dev::start(&dir, Redis::Found).await;
    let second = run(&dir, &["dev", "--port", "0"]).await;
    let message = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success());
    assert!(message.contains("another farebox is using"), "{message}");
    assert!(said(&dir, &["env"]).await.contains("DATABASE_URL"), "the first is still announced");

    let port = dev.base.rsplit(':').next().unwrap();
    let other = directory("twice-other");
    let taken = run(&other, &["--port", port]).await;
    let message = String::from_utf8_lossy(&taken.stderr).into_owned();
    assert!(message.contains(&format!("cannot listen on port {port}")), "{message}");
    dev.stop(&dir).await;
}
