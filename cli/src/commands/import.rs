//! `farebox import`: adopts a business that already runs at Stripe. Run again, it changes nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use farebox::import::{self, Count, File, Files};

use super::reconcile;
use super::settings::Found;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose Stripe's customers are: `user_id,customer_id[,email]`. Without it their metadata says so
    #[arg(long, value_name = "CSV")]
    customers: Option<PathBuf>,
    /// The credits users bring along: `user_id,unit,credits`
    #[arg(long, value_name = "CSV")]
    credits: Option<PathBuf>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Where a local stack keeps its data
    #[arg(long, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let customers = args.customers.as_deref().map(read).transpose()?;
    let credits = args.credits.as_deref().map(read).transpose()?;
    let settings = Found::find(&args.data).await;
    let app = settings.app(&args.data).await?;
    println!("{}", settings.said);
    let (customers, credits) = (customers.as_ref().map(named), credits.as_ref().map(named));
    let imported = import::run(&app, Files { customers, credits }, args.dry_run).await?;
    let nameless = imported.nameless;
    println!("customers          {}, {nameless} of nobody known", said(imported.customers));
    println!("credits            {}", said(imported.credits));
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

fn said(Count { new, same, erased }: Count) -> String {
    format!("{new} new, {same} as before, {erased} of erased users")
}
