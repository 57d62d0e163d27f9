//! The `stripe-simulator` binary: its start-up message, its server and its state file.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(60);

/// Starts the binary with a state file. Returns the process and the URL of its API.
async fn start(state: &std::path::Path) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_stripe-simulator"))
        .args(["--port", "0", "--clock", "2027-01-31T10:00:00Z", "--state"])
        .arg(state)
        .env_remove("STRIPE_SIMULATOR_CLOCK")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = timeout(LIMIT, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert!(first.starts_with("SIMULATOR"), "{first}");
    loop {
        let line = lines.next_line().await.unwrap().unwrap();
        let api = line.split_whitespace().find(|word| word.ends_with("/v1,"));
        if let Some(api) = api {
            return (child, api.trim_end_matches(',').to_owned());
        }
    }
}

async fn get(url: String) -> Value {
    let answer = reqwest::Client::new().get(url).bearer_auth("sk_test_simulator").send().await;
    answer.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn the_binary_serves_advances_its_clock_and_keeps_its_state() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(folder).unwrap();
    let state = folder.join("binary-state.json");
    let _ = std::fs::remove_file(&state);
    let (mut child, api) = start(&state).await;
    let control = api.replace("/v1", "/simulator/api");
    let http = reqwest::Client::new();
    let trigger = json!({ "event": "customer.subscription.created" });
    for (path, body) in [("trigger", trigger), ("clock", json!({ "advance": "1mo" }))] {
        let answer = http.post(format!("{control}/{path}")).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    let before = get(format!("{api}/subscriptions")).await;
    assert_eq!(before["data"][0]["status"], "active");
    let process = child.id().unwrap().to_string();
    assert!(Command::new("kill").arg(process).status().await.unwrap().success());
    assert!(timeout(LIMIT, child.wait()).await.unwrap().unwrap().success(), "it stops by itself");
    let (_child, api) = start(&state).await;
    let after = get(format!("{api}/subscriptions")).await;
    assert_eq!(after["data"], before["data"]);
    let state = get(api.replace("/v1", "/simulator/api/state")).await;
    assert!(state["now"].as_str().unwrap() >= "2027-02-28T10:00:00Z", "{state}");
}
