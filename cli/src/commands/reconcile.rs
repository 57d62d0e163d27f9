//! `farebox reconcile`: compares subscriptions with Stripe and repairs differences. It prints a
//! report and exits with 1 if a difference is left.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use serde_json::Value;
use shared::adapters::postgres::SubscriptionDrift;
use shared::background::BackgroundTasks;
use shared::billing::reconcile::{self, Options, ReconciliationReport};

use super::settings::Found;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only report differences
    #[arg(long)]
    dry_run: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Data directory of a local stack, used if the environment names no services
    #[arg(long, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let settings = Found::find(&args.data).await;
    let app = settings.app(&args.data).await?;
    let options = Options { dry_run: args.dry_run, time: None };
    let background = BackgroundTasks::default();
    let report = reconcile::run(&app, &background, options).await;
    let report = report.map_err(|error| anyhow!(error.for_operators()))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}", settings.description);
        describe(&report, args.dry_run);
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints the report as text.
pub fn describe(report: &ReconciliationReport, dry_run: bool) {
    let done = |number: u64, what| match dry_run {
        true => String::new(),
        false => format!(", {number} {what}"),
    };
    println!("compared           {}", report.looked_at);
    println!("missed events      {}{}", report.missed_events, done(report.applied, "applied"));
    println!("differing          {}{}", report.drifts, done(report.repaired, "repaired"));
    println!("foreign            {}", report.foreign);
    println!("unnamed            {}", report.unnamed);
    println!("missing at Stripe  {}", report.missing_at_stripe.len());
    println!("failed             {}", report.failed.len());
    table(&report.drifted);
    for id in &report.missing_at_stripe {
        println!("{id}: does not exist in Stripe; it was not changed");
    }
    for id in &report.unnamed_subscriptions {
        println!("{id}: its user is unknown; set userId in its customer's metadata in Stripe");
    }
    for failure in &report.failed {
        println!("{}: {}", failure.id, failure.problem);
    }
    if let Some(problem) = &report.problem {
        println!("Stopped early: {problem}");
    }
    if report.is_clean() {
        println!("Farebox and Stripe agree.");
    }
}

/// Prints one line for each field that differs, in aligned columns.
fn table(drifted: &[SubscriptionDrift]) {
    if drifted.is_empty() {
        return;
    }
    let mut rows = vec![["subscription", "user", "field", "here", "at Stripe"].map(str::to_owned)];
    for drift in drifted {
        let user = drift.user_id.as_deref().unwrap_or("?");
        rows.extend(drift.fields.iter().map(|difference| {
            let (ours, stripes) = (shown(&difference.ours), shown(&difference.stripes));
            [drift.id.clone(), user.to_owned(), difference.field.clone(), ours, stripes]
        }));
    }
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
