//! `farebox`: the local stack and the operator's tools. Without a command it is `farebox dev`.

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
    /// Run everything on this machine (the default)
    Dev(dev::Args),
    /// Serve all routes with the settings of the environment
    Serve(serve::Args),
    /// Bring the database up to date
    Migrate,
    /// Check, compare or publish what is sold
    Catalog(catalog::Args),
    /// Check every connection, and say what to fix
    Doctor(doctor::Args),
    /// Compare everything with Stripe, and make it agree
    Reconcile(reconcile::Args),
    /// Adopt a business that already runs at Stripe
    Import(import::Args),
    /// Print the running local stack's settings as dotenv lines
    Env(env::Args),
    /// Print a token of the local stack
    Token(token::Args),
    /// Tell the local stack's time, or move it on
    Clock(clock::Args),
    /// Make one of Stripe's events happen in the simulator
    Trigger(trigger::Args),
    /// Look at the simulator of Stripe, and let it misbehave
    Simulator(simulator::Args),
    /// Look at Stripe's events that could not be applied, and deal with them
    Webhooks(webhooks::Args),
    /// Show users in Redis what they may do, before they ask
    Cache(cache::Args),
    /// Look at the whole ledger of credits
    Ledger(ledger::Args),
    /// Make a service key for a deployment
    Key(key::Args),
    /// Write the files that follow from the endpoint table
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
