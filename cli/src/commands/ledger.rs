//! `farebox ledger`: verifies the credit ledger and the users' balances (CP-4).
//!
//! It uses the database of the environment or, if that names none, of the running local stack.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use farebox::outln;
use farebox::terminal::print_json;
use farebox::terminal::progress::Progress;
use serde_json::json;
use shared::adapters::postgres::LedgerProblem;
use shared::billing::ledger_audit::{self, LedgerAuditPosition};
use shared::domain::error::error_chain;

use super::settings::Found;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// Print the result as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Data directory of a local stack, used if the environment names no database
    #[arg(long, global = true, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Verify every ledger entry and every balance; exit with 1 if there is a problem
    Verify,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Action::Verify = args.action;
    let app = Found::find(&args.data).await.app(&args.data).await?;
    let progress = Progress::start("Verifying the ledger");
    let (mut rows, mut users, mut problems) = (0, 0, Vec::new());
    let mut next = Some(LedgerAuditPosition::default());
    while let Some(position) = next {
        let found = ledger_audit::verify(&app, position)
            .await
            .map_err(|error| anyhow!(error_chain(&error)))?;
        rows += found.rows;
        users += found.users;
        problems.extend(found.problems);
        next = found.next;
        progress.set(format!("Verifying the ledger: {rows} rows, {users} users"));
    }
    drop(progress);
    let code = if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if args.json {
        print_json(&json!({ "rows": rows, "users": users, "problems": problems }))?;
        return Ok(code);
    }
    problems.iter().for_each(print_problem);
    outln!("rows      {rows}");
    outln!("users     {users}");
    outln!("problems  {}", problems.len());
    Ok(code)
}

fn print_problem(LedgerProblem { user_id, unit, seq, problem }: &LedgerProblem) {
    match (unit, seq) {
        (Some(unit), Some(seq)) => outln!("{user_id}, entry {unit}:{seq}: {problem}"),
        _ => outln!("{user_id}: {problem}"),
    }
}
