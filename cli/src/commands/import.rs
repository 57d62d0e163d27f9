//! `farebox import`: imports a business that already uses Stripe. A second run changes nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use farebox::import::{self, Count, File, Files};
use farebox::outln;
use farebox::terminal::progress::Progress;

use super::reconcile;
use super::settings::Found;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  farebox import --dry-run
  farebox import --customers customers.csv --credits credits.csv")]
pub struct Args {
    /// The user of each Stripe customer: `user_id,customer_id[,email]`; overrides Stripe's metadata
    #[arg(long, value_name = "CSV")]
    customers: Option<PathBuf>,
    /// Opening balances of credits: `user_id,unit,credits`
    #[arg(long, value_name = "CSV")]
    credits: Option<PathBuf>,
    /// Only show what would be imported
    #[arg(long)]
    dry_run: bool,
    /// Data directory of a local stack, used if the environment names no services
    #[arg(long, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let customers = args.customers.as_deref().map(read).transpose()?;
    let credits = args.credits.as_deref().map(read).transpose()?;
    let settings = Found::find(&args.data).await;
    let app = settings.app(&args.data).await?;
    outln!("{}", settings.description);
    let (customers, credits) = (customers.as_ref().map(named), credits.as_ref().map(named));
    let progress = Progress::start("Importing from Stripe");
    let imported = import::run(&app, Files { customers, credits }, args.dry_run).await?;
    drop(progress);
    let without_user = imported.without_user;
    outln!(
        "customers          {}, {without_user} without a known user",
        describe_count(imported.customers)
    );
    outln!("credits            {}", describe_count(imported.credits));
    reconcile::describe(&imported.subscriptions, args.dry_run);
    let is_well = args.dry_run || imported.subscriptions.is_clean();
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(path: &Path) -> anyhow::Result<(String, String)> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    Ok((name, text))
}

fn named((name, text): &(String, String)) -> File<'_> {
    File { name, text }
}

fn describe_count(Count { new, same, erased }: Count) -> String {
    format!("{new} new, {same} unchanged, {erased} of erased users")
}
