//! The commands around a running stack: what they print, and where they print it.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::timeout;

use super::{Dev, Redis, directory, farebox, run, stdout_of};
use crate::support::until;

#[tokio::test]
async fn status_tells_where_a_stack_runs_and_what_it_holds() {
    let dir = directory("status");
    let none = run(&dir, &["status", "--data", "other"]).await;
    let message = String::from_utf8_lossy(&none.stderr).into_owned();
    assert_eq!(
        message,
        "farebox: no stack is running in other: start one with `cargo run -- --data other`\n"
    );
    assert_eq!(none.status.code(), Some(1));
    let none = run(&dir, &["status", "--json"]).await;
    let none_json: Value = serde_json::from_slice(&none.stdout).unwrap();
    assert_eq!((none.status.code(), &none_json["running"]), (Some(1), &json!(false)));

    let dev = Dev::start(&dir, Redis::Found).await;
    for user in ["ann", "bob"] {
        stdout_of(&dir, &["trigger", "customer.subscription.created", "--user", user]).await;
    }
    stdout_of(&dir, &["trigger", "customer.subscription.deleted", "--user", "bob"]).await;
    let status = stdout_of(&dir, &["status", "--json"]).await;
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["url"], json!(dev.base));
    let counts = [&status["users"], &status["subscriptions"], &status["deadLetters"]];
    assert_eq!(counts, [&json!(2), &json!(1), &json!(0)], "{status}");
    let text = stdout_of(&dir, &["status"]).await;
    for line in ["Postgres  127.0.0.1:", "Stripe    SIMULATOR", "Subscriptions    1"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(text.contains(&format!("running at {}, data in .farebox", dev.base)), "{text}");
    dev.stop(&dir).await;
}

/// In a shell that has loaded the settings of a live deployment, the stack would migrate its database.
#[tokio::test]
async fn the_stack_refuses_a_live_key_before_it_touches_anything() {
    let dir = directory("live");
    for key in ["sk_live_1", " rk_live_1"] {
        let mut dev = farebox(&dir, &["dev", "--port", "0"]);
        let output = dev.env("STRIPE_SECRET_KEY", key).output();
        // A stack that starts does not end by itself.
        let output = timeout(Duration::from_secs(30), output).await.unwrap().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1));
        assert!(message.contains("STRIPE_SECRET_KEY is a live-mode key"), "{message}");
        assert!(!message.contains("live_1") && output.stdout.is_empty(), "{message}");
    }
    assert!(std::fs::read_dir(&dir).unwrap().next().is_none(), "the directory stays empty");
}

/// Two keys make one setting with two entries.
#[tokio::test]
async fn a_key_is_printed_with_its_entry_for_the_setting() {
    let dir = directory("key");
    for scope in ["service", "admin"] {
        let output = run(&dir, &["key", scope]).await;
        let message = String::from_utf8(output.stderr).unwrap();
        let entry = message.lines().last().unwrap();
        assert!(entry.starts_with(&format!("{scope}:")) && message.contains("comma"), "{message}");
    }
}

/// As `farebox env | head -1`, whose reader may have gone before the first line.
#[tokio::test]
async fn a_closed_pipe_ends_every_command_with_success() {
    let dir = directory("pipe");
    let dev = Dev::start(&dir, Redis::Found).await;
    let commands: [&[&str]; 16] = [
        &["--help"],
        &["env"],
        &["status"],
        &["token", "--service"],
        &["clock"],
        &["clock", "advance", "1min"],
        &["trigger", "--list"],
        &["trigger", "customer.updated"],
        &["simulator"],
        &["webhooks", "list"],
        &["ledger", "verify"],
        &["cache", "warm"],
        &["doctor"],
        &["completions", "bash"],
        &["logs"],
        &["key", "service"],
    ];
    for args in commands {
        closed(&dir, args).await;
    }
    dev.stop(&dir).await;
    // A stack whose reader has gone stops.
    closed(&dir, &["dev", "--port", "0"]).await;
}

async fn closed(dir: &std::path::Path, args: &[&str]) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = farebox(dir, args).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {errors}");
    assert!(!errors.contains("panicked") && !errors.contains("Broken pipe"), "{args:?}: {errors}");
}

#[tokio::test]
async fn open_starts_the_browser_or_prints_the_url() {
    let dir = directory("open");
    let dev = Dev::start(&dir, Redis::Found).await;
    let (browser, opened) = (dir.join("browser"), dir.join("opened"));
    std::fs::write(&browser, format!("#!/bin/sh\necho \"$1\" > {}\n", opened.display())).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&browser, mode).unwrap();
    let open = async |browser: &str, page: &str| {
        let mut command = farebox(&dir, &["open", page]);
        command.env("BROWSER", browser);
        String::from_utf8(command.output().await.unwrap().stdout).unwrap()
    };
    let mail = format!("{}/mail", dev.base);
    assert_eq!(open(browser.to_str().unwrap(), "mail").await, format!("Opened {mail}\n"));
    let is_opened = async || std::fs::read_to_string(&opened).is_ok_and(|url| url.trim() == mail);
    until(is_opened).await;
    let printed = open("no-such-browser", "simulator").await;
    assert_eq!(printed, format!("{}/simulator\n", dev.base));
    dev.stop(&dir).await;
}

#[tokio::test]
async fn open_names_the_setting_that_replaces_a_page() {
    let dir = directory("no-page");
    let mut command = farebox(&dir, &["dev", "--port", "0"]);
    command.env("STRIPE_SECRET_KEY", "sk_test_of_stripe");
    let dev = Dev::ready(command).await;
    let refused = run(&dir, &["open", "simulator"]).await;
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && message.contains("STRIPE_SECRET_KEY"), "{message}");
    dev.stop(&dir).await;
}

#[tokio::test]
async fn logs_prints_json_lines_in_a_pipe_and_follows() {
    let dir = directory("logs");
    let none = run(&dir, &["logs"]).await;
    let message = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(message.contains("there is no log in .farebox"), "{message}");

    let dev = Dev::start(&dir, Redis::Found).await;
    let token = stdout_of(&dir, &["token", "--user", "ann"]).await;
    dev.call("POST", "/api/session", &token, None).await.expect_status(200);
    let session = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["route"] == "session" && line["level"] == "INFO"
    };
    // The stack writes the file in the background.
    until(async || stdout_of(&dir, &["logs"]).await.lines().any(session)).await;
    let all = stdout_of(&dir, &["logs"]).await;
    assert!(!all.contains("ann"), "{all}");
    assert_eq!(stdout_of(&dir, &["logs", "-n", "1"]).await.lines().count(), 1);

    let mut command = farebox(&dir, &["logs", "-f", "-n", "0"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The jobs of the stack write lines too.
    let followed = async {
        loop {
            let line = lines.next_line().await.unwrap().unwrap();
            if serde_json::from_str::<Value>(&line).unwrap()["route"] == "mood" {
                return;
            }
        }
    };
    let calls = async {
        loop {
            let score = json!({ "score": 8 });
            dev.call("PATCH", "/api/mood", &token, Some(score)).await.expect_status(200);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::select! {
        () = followed => {}
        () = calls => {}
    }
    let pid = nix::unistd::Pid::from_raw(child.id().unwrap().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert!(child.wait().await.unwrap().success());
    dev.stop(&dir).await;
    let stopped = stdout_of(&dir, &["logs"]).await;
    assert!(stopped.lines().any(session), "the log stays after the stop");
}

#[tokio::test]
async fn trigger_lists_its_events_without_a_stack() {
    let dir = directory("list");
    let list = stdout_of(&dir, &["trigger", "--list"]).await;
    assert_eq!(list.lines().count(), 25);
    let line =
        "invoice.payment_failed                    A new period begins, and the card is declined";
    assert!(list.lines().any(|listed| listed == line), "{list}");
    let json: Value =
        serde_json::from_str(&stdout_of(&dir, &["trigger", "--list", "--json"]).await).unwrap();
    assert_eq!(json[0]["event"], "checkout.session.completed");
    assert!(!run(&dir, &["trigger"]).await.status.success(), "an event is required");
}

/// Every command and every argument has a description of one line.
#[tokio::test]
async fn every_command_and_argument_is_described() {
    let dir = directory("help");
    let help = stdout_of(&dir, &["--help"]).await;
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let mut names = vec![];
    for line in commands.lines() {
        let (name, description) = line.trim().split_once("  ").expect(line);
        assert!(!description.trim().is_empty(), "{line}");
        names.push(name);
    }
    assert!(names.contains(&"completions") && names.contains(&"status"), "{names:?}");
    for name in names.into_iter().filter(|name| *name != "help") {
        let help = stdout_of(&dir, &[name, "--help"]).await;
        let arguments = help.lines().filter(|line| line.starts_with("  -") || line.contains("  <"));
        for line in arguments {
            let words = line.trim().split("  ").filter(|part| !part.is_empty()).count();
            assert!(words >= 2 || help.contains(&format!("{line}\n          ")), "{name}: {line}");
        }
    }
    let script = stdout_of(&dir, &["completions", "zsh"]).await;
    assert!(script.starts_with("#compdef farebox"), "{script}");
}
