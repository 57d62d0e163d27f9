//! The `farebox reconcile` command.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::{TestApp, farebox};

impl TestApp {
    pub(crate) async fn farebox(&self, args: &[&str]) -> Output {
        farebox(self).args(args).output().await.unwrap()
    }
}

/// A dry run reports differences, exits with an error, and changes nothing.
#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let app = TestApp::selling("aira").await;
    app.lose_a_day().await;
    let before = app.tables().await;
    let output = app.farebox(&["reconcile", "--dry-run"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let output = String::from_utf8(output.stdout).unwrap();
    assert!(output.contains("\ndiffering          4\n"), "{output}");
    let ended = output.lines().find(|line| line.contains(" ends ")).unwrap();
    let words: Vec<_> = ended.split_whitespace().skip(1).collect();
    assert_eq!(words, ["ends", "status", "active", "canceled"]);
    assert_eq!(app.tables().await, before);

    let output = app.farebox(&["reconcile", "--json"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["isComplete"], true);
    assert_eq!(report["applied"], report["missedEvents"]);
    app.assert_nothing_is_lost().await;
    let output = app.farebox(&["reconcile"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.ends_with("Farebox and Stripe agree.\n"), "{text}");
    assert_eq!(json!(output.status.code()), json!(0));
}
