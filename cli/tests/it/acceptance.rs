//! The whole story of each of the five apps, in one test each: from the first visit to the deleted
//! account. The SQL and curl lines of docs/CONTRACT.md run as they are written there.

mod aira;
mod coderev;
mod credits;
mod dearme;
mod paintracker;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{ApiResponse, TestApp};

const CONTRACT: &str = include_str!("../../../docs/CONTRACT.md");

/// `curl` is Node's where the machine has no other.
const CURL: &str = r#"
if command -v curl >/dev/null; then curl() { command curl -sS "$@"; }; else curl() { node "$CURL" "$@"; }; fi
"#;

/// A user of one of the apps, with the calls that the app makes for them.
struct Customer<'a> {
    app: &'a TestApp,
    id: &'static str,
}

impl<'a> Customer<'a> {
    fn new(app: &'a TestApp, id: &'static str) -> Self {
        Self { app, id }
    }

    /// A token that is valid at the present time of the test.
    fn token(&self) -> String {
        self.app.token(self.id)
    }

    async fn get(&self, path: &str) -> Value {
        self.app.get(path).bearer(&self.token()).send().await.expect_status(200).body
    }

    async fn post(&self, path: &str, body: Value) -> ApiResponse {
        self.app.post(path).bearer(&self.token()).json(body).send().await
    }

    async fn uses(&self, feature: &str, quantity: i64) -> ApiResponse {
        self.post("/api/usage", json!({ "feature": feature, "quantity": quantity })).await
    }

    async fn spends(&self, unit: &str, amount: i64) -> ApiResponse {
        let body = json!({ "action": "spend", "unit": unit, "amount": amount });
        self.post("/api/credits", body).await
    }

    async fn subscription(&self) -> Value {
        self.app.subscription(self.id).await
    }

    async fn change(&self, action: Value) -> Value {
        let answer = self.app.change(self.id, action).await.expect_status(200).body;
        self.app.simulator.delivered().await;
        answer
    }

    /// Deletes the account, and checks what is left: the ledger and the billing events, under
    /// another id.
    async fn deletes_their_account(&self) {
        let app = self.app;
        let events = app.count("select count(*) from billing_events").await;
        let entries = app.count("select count(*) from credit_transactions").await;
        app.delete("/api/account").bearer(&self.token()).send().await.expect_status(204);
        app.simulator.delivered().await;
        for (table, rows) in app.tables().await {
            assert!(!rows.contains(self.id), "{table} still names {}: {rows}", self.id);
        }
        assert_eq!(app.count("select count(*) from billing_events").await, events);
        assert_eq!(app.count("select count(*) from credit_transactions").await, entries);
        assert_eq!(app.count("select count(*) from validate_credits_consistency()").await, 0);
        let again = app.post("/api/session").bearer(&self.token()).send().await;
        again.expect_problem(403, "account_erased");
    }
}

/// Returns the curl command of the contract that calls `path`.
fn contract_curl(path: &str) -> String {
    let block = CONTRACT.split("```\n").find(|block| block.starts_with("curl ")).unwrap();
    let commands = block.replace("\ncurl ", "\0curl ");
    let command = commands.split('\0').find(|command| command.contains(path)).unwrap();
    command.trim().to_owned()
}

/// Runs a curl command of the contract in a shell, with an `Authorization` header added.
async fn run_curl(app: &TestApp, command: &str, token: &str) -> Value {
    let script = format!(r#"{CURL}{command} -H "Authorization: Bearer $TOKEN""#);
    let script = script.replace("<origin>", "https://app.example");
    let mut shell = Command::new("bash");
    shell.arg("-c").arg(script).env("BASE", &app.base).env("TOKEN", token).env("NO_PROXY", "*");
    shell.env("CURL", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/dev/curl.mjs"));
    let output = shell.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Returns the SQL statements in a row of the contract, as they are written there.
fn contract_sql(row: &str) -> Vec<&'static str> {
    let start = format!("| {row} |");
    let line = CONTRACT.lines().find(|line| line.starts_with(&start)).unwrap();
    line.split('`').filter(|text| text.starts_with("SELECT ")).collect()
}

/// The rows that a statement returns.
async fn rows(app: &TestApp, sql: &str) -> Vec<Value> {
    let sql = format!("select to_jsonb(t) from ({}) t", sql.trim_end_matches(';'));
    let found = app.owner().await.query_typed(&sql, &[]).await.unwrap();
    found.iter().map(|row| row.get(0)).collect()
}
