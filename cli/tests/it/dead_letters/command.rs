//! The `farebox webhooks` commands (DM-8).

use std::process::Output;

use serde_json::Value;

use crate::support::TestApp;

async fn webhooks(app: &TestApp, args: &[&str]) -> (bool, String) {
    let Output { status, stdout, stderr } = app.farebox(&[&["webhooks"], args].concat()).await;
    (status.success(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[tokio::test]
async fn an_operator_lists_and_resolves_from_the_command_line() {
    let app = TestApp::new().await;
    assert_eq!(webhooks(&app, &["list"]).await, (true, "No failed webhooks.\n".to_owned()));
    app.create_dead_letters(2).await;
    let (_, listed) = webhooks(&app, &["list", "--type", "customer.subscription.updated"]).await;
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 3, "{listed}");
    assert!(lines[0].starts_with("ID "), "{listed}");
    assert!(lines[1].starts_with("evt_01  customer.subscription.updated  20"), "{listed}");
    assert_eq!(lines[0].find("CAUSE"), lines[1].find("a Stripe object"), "{listed}");

    let (found, shown) = webhooks(&app, &["show", "evt_00"]).await;
    assert!(found && shown.contains("attempts      1"), "{shown}");
    let payload = shown.lines().last().unwrap();
    let payload: Value = serde_json::from_str(payload).unwrap();
    assert_eq!(payload["id"], "evt_00");

    let (done, output) = webhooks(&app, &["resolve", "evt_00", "--note", "known"]).await;
    assert!(done, "{output}");
    let (_, resolved) = webhooks(&app, &["list", "--status", "resolved"]).await;
    assert!(resolved.contains("evt_00") && resolved.contains("operator"), "{resolved}");
    let audited = "select count(*) from audit_log where actor = 'command line'";
    assert_eq!(app.count(audited).await, 1);
}

#[tokio::test]
async fn an_operator_replays_from_the_command_line() {
    let app = TestApp::new().await;
    app.subscribe_to_an_unknown_price("aira").await;
    let id = app.event("customer.subscription.created")["id"].clone();
    let id = id.as_str().unwrap();
    let (done, output) = webhooks(&app, &["replay", id]).await;
    assert!(!done && output.contains("still fails") && output.contains("FB007"), "{output}");
    app.sell("aira").await;
    assert_eq!(webhooks(&app, &["replay", id]).await, (true, format!("{id} was applied.\n")));
    assert_ne!(app.stats("ann").await["plan"], "Free");
    for args in [["replay", id], ["replay", "evt_nobodys"], ["show", "evt_nobodys"]] {
        let (done, output) = webhooks(&app, &args).await;
        assert!(!done && output.starts_with("farebox: "), "{args:?}: {output}");
    }
}
