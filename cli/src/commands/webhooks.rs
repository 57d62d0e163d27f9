//! `farebox webhooks`: lists, replays and resolves Stripe events that could not be applied (DM-8).
//!
//! It uses the database of the environment or, if that names none, of the running local stack.
//! Times are in UTC.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use farebox::outln;
use farebox::terminal::table::Table;
use farebox::terminal::{Palette, date_time, print_json};
use shared::adapters::postgres::{
    FailedWebhook, FailedWebhookDetail, FailedWebhookFilter, WebhookStatus,
};
use shared::background::BackgroundTasks;
use shared::billing::dead_letters;
use shared::domain::error::{Error, ErrorCode, error_chain};
use shared::domain::{EventType, Reason};

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
    /// List failed events, newest failure first
    List {
        /// Only events of this status
        #[arg(long, default_value = "open", value_parser = ["open", "resolved", "all"])]
        status: String,
        /// Only events of this type, such as invoice.paid
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
        /// Maximum number of events
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i32).range(1..=1000))]
        limit: i32,
        /// Print the events as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a failed event and its payload
    Show {
        /// Id of the event, evt_...
        id: String,
    },
    /// Apply a failed event again now
    Replay {
        /// Id of the event, evt_...
        id: String,
    },
    /// Mark a failed event as resolved without applying it
    Resolve {
        /// Id of the event, evt_...
        id: String,
        /// Reason, for the audit trail
        #[arg(long)]
        note: String,
    },
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let app = Found::find(&args.data).await.app(&args.data).await?;
    match args.action {
        Action::List { status, kind, limit, json } => {
            let status: WebhookStatus =
                status.parse().map_err(|what| anyhow!("--status {what}"))?;
            let kind = kind.map(EventType::try_from).transpose();
            let kind = kind.map_err(|what| anyhow!("--type {what}"))?;
            let which = FailedWebhookFilter { status, kind, cursor: None };
            let webhooks = app.postgres.list_failed_webhooks(&which, limit).await;
            let webhooks = webhooks.map_err(|error| describe_error(error.into()))?;
            match json {
                true => print_json(&webhooks)?,
                false => print_list(&webhooks),
            }
        }
        Action::Show { id } => {
            let found = app.postgres.get_failed_webhook(&id).await.map_err(Error::from);
            print_webhook(
                &found
                    .and_then(|found| found.ok_or_else(dead_letters::unknown))
                    .map_err(describe_error)?,
            );
        }
        Action::Replay { id } => {
            let background = BackgroundTasks::default();
            let webhook = dead_letters::replay(&app, &background, &id, ACTOR)
                .await
                .map_err(describe_error)?;
            if webhook.resolved_at.is_none() {
                outln!("{id} still fails: {}", webhook.cause);
                return Ok(ExitCode::FAILURE);
            }
            outln!("{id} was applied.");
        }
        Action::Resolve { id, note } => {
            let note = Reason::try_from(note).map_err(|what| anyhow!("--note {what}"))?;
            dead_letters::resolve(&app, &id, &note, ACTOR).await.map_err(describe_error)?;
            outln!("{id} is resolved.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_list(webhooks: &[FailedWebhook]) {
    if webhooks.is_empty() {
        outln!("No failed webhooks.");
        return;
    }
    let head = ["ID", "TYPE", "FIRST FAILED", "ATTEMPTS", "NEXT", "CAUSE"];
    let mut table = Table::new(Palette::of_stdout(), head);
    for webhook in webhooks {
        table.add(row(webhook), None);
    }
    table.print();
}

fn row(webhook: &FailedWebhook) -> [String; 6] {
    let next = match (&webhook.resolved_by, webhook.next_try_at) {
        (Some(how), _) => how.clone(),
        (None, Some(at)) => date_time(at),
        (None, None) => "manual".to_owned(),
    };
    let (id, kind, cause) = (webhook.id.clone(), webhook.kind.clone(), webhook.cause.clone());
    [id, kind, date_time(webhook.failed_at), webhook.attempts.to_string(), next, cause]
}

fn print_webhook(FailedWebhookDetail { summary: webhook, payload }: &FailedWebhookDetail) {
    let facts = [
        ("id", Some(webhook.id.clone())),
        ("type", Some(webhook.kind.clone())),
        ("created", Some(date_time(webhook.created_at))),
        ("first failed", Some(date_time(webhook.failed_at))),
        ("attempts", Some(webhook.attempts.to_string())),
        ("cause", Some(webhook.cause.clone())),
        ("retried", webhook.retried_at.map(date_time)),
        ("next attempt", webhook.next_try_at.map(date_time)),
        ("resolved", webhook.resolved_at.map(date_time)),
        ("resolved by", webhook.resolved_by.clone()),
        ("note", webhook.note.clone()),
        ("user", webhook.user_id.clone()),
        ("customer", webhook.customer_id.clone()),
        ("payment", webhook.payment_id.clone()),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            outln!("{name:12}  {value}");
        }
    }
    outln!("\n{}", payload.as_deref().unwrap_or("The payload has been deleted."));
}

/// The error's message, or its causes if it has one.
fn describe_error(error: Error) -> anyhow::Error {
    let is_failure = error.code == ErrorCode::Internal || error.code.is_retryable();
    match &error.cause {
        Some(cause) if is_failure => anyhow!(error_chain(cause.as_ref())),
        _ => anyhow!(error.message),
    }
}
