//! `farebox catalog`: pricing as code. `check` validates files, `diff` shows what a push would
//! change, and `push` applies a file to Stripe and the database.

use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use farebox::catalog::{self, Catalog, Changes, Ids, Stripe};
use farebox::dev::{self, Settings, start_clock};
use shared::config::{Database, Secret};

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
    /// Validate files, without Stripe or a database
    Check {
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Show what a push would change in Stripe and in the database
    Diff { file: PathBuf },
    /// Apply a file to Stripe and the database
    Push {
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
        Action::Diff { file } | Action::Push { file, dry_run: true, .. } => {
            let target = Target::find(&args.data).await?;
            let catalog = target.read(&file)?;
            describe(&target.plan_changes(&catalog).await?);
        }
        Action::Push { file, yes, .. } => push(&args.data, &file, yes).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn check(files: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for file in files {
        match Catalog::read(&file.display().to_string(), &text(file)?, &Ids::Ignored) {
            Ok(catalog) => println!("{}: {catalog}", file.display()),
            Err(problems) => {
                eprintln!("{problems}");
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
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
    if !yes && !confirm(&format!("Apply these changes in Stripe's {account} mode? [y/N] "))? {
        bail!("canceled: nothing was changed");
    }
    let now = start_clock::from_environment()?.now();
    changes.apply(&target.database, &target.stripe, now).await?;
    println!("Done.");
    Ok(())
}

fn text(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn describe(changes: &Changes<'_>) {
    match changes.is_empty() {
        true => println!("Nothing to do: Stripe and the database match this catalog."),
        false => print!("{changes}"),
    }
}

fn confirm(question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!(
            "standard input is not a terminal: pass --yes to apply the changes, or --dry-run to only \
             print them"
        );
    }
    print!("{question}");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
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
            true => dev::running(data).await.context("DATABASE_URL: must be set")?,
            false => Settings::new(),
        };
        let given =
            |name: &str| if is_local { local.get(name).cloned() } else { environment(name) };
        // Only the owner may publish, and the direct URL is the owner's.
        let direct = given("DIRECT_URL").or_else(|| given("DATABASE_URL_UNPOOLED"));
        let mut database = Database::from_vars(|name| match name {
            "DATABASE_URL" => given(name).or_else(|| direct.clone()),
            name => given(name),
        })?;
        if let Some(direct) = direct {
            database.url = Secret::new(direct);
        }
        Ok(Self { database, stripe: Stripe::from_settings(given)?, is_local })
    }

    fn read(&self, file: &Path) -> anyhow::Result<Catalog> {
        let settings = |name: &str| std::env::var(name).ok();
        let ids = if self.is_local { Ids::Ignored } else { Ids::Taken(&settings) };
        let catalog = Catalog::read(&file.display().to_string(), &text(file)?, &ids);
        catalog.map_err(|problems| anyhow!("the catalog cannot be used:\n{problems}"))
    }

    async fn plan_changes<'a>(&self, catalog: &'a Catalog) -> anyhow::Result<Changes<'a>> {
        catalog::plan_changes(catalog, &self.database, &self.stripe).await
    }
}
