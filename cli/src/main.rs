//! `farebox`: the local stack and the operator's tools. Without a command it runs `farebox dev`.

mod commands;

use std::process::ExitCode;

use clap::Parser;
use commands::{
    cache, catalog, clock, dev, doctor, env, import, key, ledger, migrate, reconcile, render,
    serve, simulator, token, trigger, webhooks,
};

#[derive(Debug, Parser)]
#[command(name = "farebox", version, about, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    dev: dev::Args,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run Farebox and its dev services on this machine (the default)
    Dev(dev::Args),
    /// Serve every route with the settings of the environment
    Serve(serve::Args),
    /// Apply migrations
    Migrate,
    /// Check, compare or publish a catalog of plans and credit packs
    Catalog(catalog::Args),
    /// Check every connection and suggest fixes
    Doctor(doctor::Args),
    /// Compare subscriptions with Stripe and repair differences
    Reconcile(reconcile::Args),
    /// Import the customers, subscriptions and credits of a business that already uses Stripe
    Import(import::Args),
    /// Print the settings of the running local stack as dotenv lines
    Env(env::Args),
    /// Print a token for the local stack
    Token(token::Args),
    /// Print or advance the clock of the local stack
    Clock(clock::Args),
    /// Cause a Stripe event in the simulator
    Trigger(trigger::Args),
    /// Inspect the Stripe simulator and set its failure switches
    Simulator(simulator::Args),
    /// List, replay or resolve Stripe events that could not be applied
    Webhooks(webhooks::Args),
    /// Fill the Redis cache with entitlements
    Cache(cache::Args),
    /// Verify the credit ledger
    Ledger(ledger::Args),
    /// Generate a service key for a deployment
    Key(key::Args),
    /// Write the files that are generated from the endpoint table
    Render,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            match cli.command.unwrap_or(Command::Dev(cli.dev)) {
                Command::Dev(args) => dev::run(args).await,
                Command::Serve(args) => serve::run(args).await,
                Command::Migrate => migrate::run().await,
                Command::Catalog(args) => catalog::run(args).await,
                Command::Doctor(args) => doctor::run(args).await,
                Command::Reconcile(args) => reconcile::run(args).await,
                Command::Import(args) => import::run(args).await,
                Command::Env(args) => env::run(args).await,
                Command::Token(args) => token::run(args).await,
                Command::Clock(args) => clock::run(args).await,
                Command::Trigger(args) => trigger::run(args).await,
                Command::Simulator(args) => simulator::run(args).await,
                Command::Webhooks(args) => webhooks::run(args).await,
                Command::Cache(args) => cache::run(args).await,
                Command::Ledger(args) => ledger::run(args).await,
                Command::Key(args) => key::run(&args),
                Command::Render => render::run(),
            }
        })
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("farebox: {error:#}");
            ExitCode::FAILURE
        }
    }
}
