//! `farebox reconcile`: compares subscriptions with Stripe and repairs differences. It prints a
//! report and exits with 1 if a difference is left.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use farebox::outln;
use farebox::terminal::progress::Progress;
use farebox::terminal::table::Table;
use farebox::terminal::{Palette, error, print_json};
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
    let progress = Progress::start("Comparing subscriptions with Stripe");
    let report = reconcile::run(&app, &background, options).await;
    drop(progress);
    let report = report.map_err(|error| anyhow!(error.for_operators()))?;
    if args.json {
        print_json(&report)?;
    } else {
        outln!("{}", settings.description);
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
    outln!("compared           {}", report.looked_at);
    outln!("missed events      {}{}", report.missed_events, done(report.applied, "applied"));
    outln!("differing          {}{}", report.drifts, done(report.repaired, "repaired"));
    outln!("foreign            {}", report.foreign);
    outln!("unnamed            {}", report.unnamed);
    outln!("missing at Stripe  {}", report.missing_at_stripe.len());
    outln!("failed             {}", report.failed.len());
    table(&report.drifted);
    for id in &report.missing_at_stripe {
        outln!("{id}: does not exist in Stripe; it was not changed");
    }
    for id in &report.unnamed_subscriptions {
        outln!("{id}: its user is unknown; set userId in its customer's metadata in Stripe");
    }
    for failure in &report.failed {
        outln!("{}: {}", failure.id, failure.problem);
    }
    if let Some(problem) = &report.problem {
        outln!("Stopped early: {}", error::plain(problem));
    }
    if report.is_clean() {
        outln!("Farebox and Stripe agree.");
    }
}

/// Prints one line for each field that differs, in aligned columns.
fn table(drifted: &[SubscriptionDrift]) {
    if drifted.is_empty() {
        return;
    }
    let head = ["subscription", "user", "field", "here", "at Stripe"];
    let mut table = Table::new(Palette::of_stdout(), head);
    for drift in drifted {
        let user = drift.user_id.as_deref().unwrap_or("?");
        for difference in &drift.fields {
            let (ours, stripes) = (shown(&difference.ours), shown(&difference.stripes));
            let field = difference.field.clone();
            table.add([drift.id.clone(), user.to_owned(), field, ours, stripes], None);
        }
    }
    table.print();
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
