//! `farebox catalog`: pricing as code. `check` validates files, `diff` shows what a push would
//! change, and `push` applies a file to Stripe and the database.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use farebox::catalog::{self, Catalog, Changes, Ids, Stripe};
use farebox::dev::{self, Settings, start_clock};
use farebox::migrate::owner_database;
use farebox::terminal::progress::Progress;
use farebox::terminal::{Palette, confirm, print_json};
use farebox::{errln, outln};
use serde_json::json;
use shared::config::Database;

use super::settings::no_settings;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  farebox catalog check catalogs/*.toml
  farebox catalog diff catalogs/demo.toml
  farebox catalog push catalogs/demo.toml")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// Data directory of a local stack, used if the environment names no database
    #[arg(long, global = true, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Validate files, without Stripe or a database
    Check {
        /// Catalog files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Show what a push would change in Stripe and in the database
    Diff {
        /// Catalog file
        file: PathBuf,
        /// Print the changes as JSON
        #[arg(long)]
        json: bool,
    },
    /// Apply a file to Stripe and the database
    Push {
        /// Catalog file
        file: PathBuf,
        /// Only show what would change
        #[arg(long)]
        dry_run: bool,
        /// Apply without a confirmation
        #[arg(long)]
        yes: bool,
    },
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.action {
        Action::Check { files } => return check(&files),
        Action::Diff { file, json } => diff(&args.data, &file, json).await?,
        Action::Push { file, dry_run: true, .. } => diff(&args.data, &file, false).await?,
        Action::Push { file, yes, .. } => push(&args.data, &file, yes).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn check(files: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for file in files {
        match Catalog::read(&file.display().to_string(), &text(file)?, &Ids::Ignored) {
            Ok(catalog) => outln!("{}: {catalog}", file.display()),
            Err(problems) => {
                errln!("{problems}");
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

async fn diff(data: &Path, file: &Path, json: bool) -> anyhow::Result<()> {
    let target = Target::find(data).await?;
    let catalog = target.read(file)?;
    let changes = target.plan_changes(&catalog).await?;
    if json {
        return print_json(&json!({ "changes": changes.list() }));
    }
    describe(&changes);
    Ok(())
}

async fn push(data: &Path, file: &Path, yes: bool) -> anyhow::Result<()> {
    let target = Target::find(data).await?;
    let catalog = target.read(file)?;
    let mut changes = target.plan_changes(&catalog).await?;
    describe(&changes);
    if changes.is_empty() {
        return Ok(());
    }
    let account = if target.stripe.is_live() { "LIVE" } else { "test" };
    let question = format!("Apply these changes in Stripe's {account} mode?");
    let without_terminal = "pass --yes to apply the changes, or --dry-run to only print them";
    if !yes && !confirm(&question, without_terminal)? {
        bail!("canceled: nothing was changed");
    }
    let now = start_clock::from_environment()?.now();
    let progress = Progress::start("Applying the changes");
    changes.apply(&target.database, &target.stripe, now).await?;
    drop(progress);
    outln!("Done.");
    Ok(())
}

fn text(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn describe(changes: &Changes<'_>) {
    match changes.is_empty() {
        true => outln!("Nothing to do: Stripe and the database match this catalog."),
        false => {
            for line in changes.table(Palette::of_stdout()) {
                outln!("{line}");
            }
        }
    }
}

/// The database and the Stripe account that a catalog is pushed to.
struct Target {
    database: Database,
    stripe: Stripe,
    /// True for the local stack, whose simulator does not have the ids of a real account.
    is_local: bool,
}

impl Target {
    /// Finds the services of the environment or, if it names no database, of the running local
    /// stack.
    async fn find(data: &Path) -> anyhow::Result<Self> {
        let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let names = ["DATABASE_URL", "DIRECT_URL", "DATABASE_URL_UNPOOLED"];
        let is_local = names.into_iter().all(|name| environment(name).is_none());
        let local = match is_local {
            true => dev::running(data).await.map_err(|_| anyhow!(no_settings(data)))?,
            false => Settings::new(),
        };
        let given =
            |name: &str| if is_local { local.get(name).cloned() } else { environment(name) };
        // Only the owner may publish.
        let database = owner_database(given)?;
        Ok(Self { database, stripe: Stripe::from_settings(given)?, is_local })
    }

    fn read(&self, file: &Path) -> anyhow::Result<Catalog> {
        let settings = |name: &str| std::env::var(name).ok();
        let ids = if self.is_local { Ids::Ignored } else { Ids::Taken(&settings) };
        let catalog = Catalog::read(&file.display().to_string(), &text(file)?, &ids);
        catalog.map_err(|problems| anyhow!("the catalog cannot be used:\n{problems}"))
    }

    async fn plan_changes<'a>(&self, catalog: &'a Catalog) -> anyhow::Result<Changes<'a>> {
        let _progress = Progress::start("Comparing with Stripe and the database");
        catalog::plan_changes(catalog, &self.database, &self.stripe).await
    }
}
