//! `farebox app-webhooks`: lists and replays webhooks to the app's server that failed permanently.
//!
//! It uses the database of the environment or, if that names none, of the running local stack.
//! Times are in UTC.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use farebox::outln;
use farebox::terminal::table::Table;
use farebox::terminal::{Palette, count, date_time, print_json};
use shared::adapters::postgres::{FailedAppWebhook, PostgresError};
use shared::domain::error::error_chain;

use super::settings::Found;

/// The actor in the audit trail.
const ACTOR: &str = "command line";

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// Data directory of a local stack, used if the environment names no database
    #[arg(long, global = true, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List failed webhooks, newest failure first
    List {
        /// Maximum number of webhooks
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i32).range(1..=1000))]
        limit: i32,
        /// Print the webhooks as JSON
        #[arg(long)]
        json: bool,
    },
    /// Queue a failed webhook again, or all
    Replay {
        /// Id of the webhook, msg_...
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<String>,
        /// Replay every failed webhook
        #[arg(long)]
        all: bool,
    },
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let app = Found::find(&args.data).await.app(&args.data).await?;
    match args.action {
        Action::List { limit, json } => {
            let failed = app.postgres.list_failed_app_webhooks(limit).await;
            let failed = failed.map_err(with_causes)?;
            match json {
                true => print_json(&failed)?,
                false => print_list(&failed),
            }
        }
        Action::Replay { id, all: _ } => {
            let now = app.clock.now();
            let replayed = app.postgres.replay_app_webhooks(id.as_deref(), ACTOR, now).await;
            let replayed = replayed.map_err(with_causes)?;
            if let (Some(id), 0) = (&id, replayed) {
                outln!("No failed webhook has the id {id}.");
                return Ok(ExitCode::FAILURE);
            }
            let replayed = count(replayed.unsigned_abs(), "webhook");
            outln!("{replayed} queued. The minute job delivers them.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_list(failed: &[FailedAppWebhook]) {
    if failed.is_empty() {
        outln!("No failed webhooks to the app.");
        return;
    }
    let head = ["ID", "TYPE", "USER", "FAILED", "ATTEMPTS", "PROBLEM"];
    let mut table = Table::new(Palette::of_stdout(), head);
    for webhook in failed {
        table.add(row(webhook), None);
    }
    table.print();
}

fn row(webhook: &FailedAppWebhook) -> [String; 6] {
    let problem = webhook.problem.clone().unwrap_or_default();
    let FailedAppWebhook { id, kind, user_id, failed_at, attempts, .. } = webhook;
    let attempts = attempts.to_string();
    [id.clone(), kind.clone(), user_id.clone(), date_time(*failed_at), attempts, problem]
}

fn with_causes(error: PostgresError) -> anyhow::Error {
    anyhow!(error_chain(&error))
}
