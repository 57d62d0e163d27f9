//! `farebox app-webhooks`, and the checks of `farebox doctor`.

use std::process::Output;

use serde_json::Value;

use super::{counts, with_receiver};
use crate::support::{Reply, TestApp};

async fn run(app: &TestApp, args: &[&str]) -> (bool, String) {
    let Output { status, stdout, stderr } = app.farebox(args).await;
    (status.success(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

/// FX-12: an operator lists what failed, and replays one or all. The order of a user stays.
#[tokio::test]
async fn an_operator_replays_failed_webhooks_in_their_order() {
    let (app, receiver) = with_receiver().await;
    let none = run(&app, &["app-webhooks", "list"]).await;
    assert_eq!(none, (true, "No failed webhooks to the app.\n".to_owned()));
    receiver.reply(Reply::Status(410));
    for number in 1..=3 {
        app.queue_webhook("ann", number).await;
        assert_eq!(app.send_webhooks().await, counts(0, 0, 1));
    }
    receiver.reply(Reply::Accept);
    receiver.clear();
    let (_, listed) = run(&app, &["app-webhooks", "list", "--json"]).await;
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let problems: Vec<&str> = listed.iter().map(|it| it["problem"].as_str().unwrap()).collect();
    assert_eq!(problems, ["the app answered 410 Gone"; 3]);
    let (_, table) = run(&app, &["app-webhooks", "list"]).await;
    assert!(table.starts_with("ID ") && table.contains("credits.low"), "{table}");

    let newest = listed[0]["id"].as_str().unwrap();
    let (done, output) = run(&app, &["app-webhooks", "replay", newest]).await;
    assert!(done && output.starts_with("1 webhook queued."), "{output}");
    let (done, output) = run(&app, &["app-webhooks", "replay", newest]).await;
    assert!(!done && output.contains("No failed webhook has the id"), "{output}");
    app.queue_webhook("ann", 4).await;
    let (done, output) = run(&app, &["app-webhooks", "replay", "--all"]).await;
    assert!(done && output.starts_with("2 webhooks queued."), "{output}");
    app.send_all_webhooks().await;
    assert_eq!(receiver.numbers("ann"), [1, 2, 3, 4]);
    assert!(receiver.webhooks().iter().any(|webhook| webhook.id == newest), "the id stays");
    let audited = "select count(*) from audit_log where action = 'app_webhooks.replay'";
    assert_eq!(app.count(audited).await, 2);
    let (done, _) = run(&app, &["app-webhooks", "replay"]).await;
    assert!(!done, "one or all");
}

/// FX-12: doctor reports whether the endpoint answers, and what failed.
#[tokio::test]
async fn doctor_checks_the_endpoint() {
    let (app, receiver) = with_receiver().await;
    let (_, report) = run(&app, &["doctor"]).await;
    for line in [
        "ok    app webhooks: 127.0.0.1 answers, and 1 secret can sign",
        "app webhooks: none failed",
    ] {
        assert!(report.contains(line), "{report}");
    }
    receiver.reply(Reply::Status(410));
    app.queue_webhook("ann", 1).await;
    app.send_webhooks().await;
    let (_, report) = run(&app, &["doctor"]).await;
    assert!(report.contains("FAIL  app webhooks: 1 webhook to the app failed"), "{report}");
}
