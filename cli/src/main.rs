//! `farebox`: the local stack and the operator's tools. Without a command it runs `farebox dev`.

mod commands;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};
use commands::{
    app_webhooks, cache, catalog, clock, completions, dev, doctor, env, health, import, key,
    ledger, logs, migrate, open, reconcile, redis_front, render, serve, simulator, smoke, status,
    token, trigger, webhooks,
};
use farebox::errln;
use farebox::terminal::{Palette, Style, error};

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
    /// Ask the server on this machine whether it answers
    Health(health::Args),
    /// Serve Upstash's REST API in front of a Redis server
    RedisFront(redis_front::Args),
    /// Apply migrations
    Migrate,
    /// Check, compare or publish a catalog of plans and credit packs
    Catalog(catalog::Args),
    /// Check every connection and suggest fixes
    Doctor(doctor::Args),
    /// Try a deployment as a new user: sign in, buy a plan, use it
    Smoke(smoke::Args),
    /// Compare subscriptions with Stripe and repair differences
    Reconcile(reconcile::Args),
    /// Import the customers, subscriptions and credits of a business that already uses Stripe
    Import(import::Args),
    /// Show whether a local stack is running, where, and what it holds
    Status(status::Args),
    /// Open a page of the running local stack in the browser
    Open(open::Args),
    /// Print the log of the local stack
    Logs(logs::Args),
    /// Print the settings of the running local stack as dotenv lines
    Env(env::Args),
    /// Print a token for the local stack
    Token(token::Args),
    /// Print, advance or reset the clock of the local stack
    Clock(clock::Args),
    /// Cause a Stripe event in the simulator
    Trigger(trigger::Args),
    /// Inspect the Stripe simulator and set its failure switches
    Simulator(simulator::Args),
    /// List, replay or resolve Stripe events that could not be applied
    Webhooks(webhooks::Args),
    /// List or replay webhooks to the app's server that failed
    AppWebhooks(app_webhooks::Args),
    /// Fill the Redis cache with entitlements
    Cache(cache::Args),
    /// Verify the credit ledger
    Ledger(ledger::Args),
    /// Generate a service key for a deployment
    Key(key::Args),
    /// Print a script that completes commands in a shell
    Completions(completions::Args),
    /// Write the files that are generated from the endpoint table and the migrations
    Render,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run(cli.command.unwrap_or(Command::Dev(cli.dev)))));
    done.unwrap_or_else(|error| {
        let name = Palette::of_stderr().paint(Style::Red, "farebox:");
        errln!("{name} {}", error::describe(&error));
        ExitCode::FAILURE
    })
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Dev(args) => dev::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Health(args) => health::run(args).await,
        Command::RedisFront(args) => redis_front::run(args).await,
        Command::Migrate => migrate::run().await,
        Command::Catalog(args) => catalog::run(args).await,
        Command::Doctor(args) => doctor::run(args).await,
        Command::Smoke(args) => smoke::run(args).await,
        Command::Reconcile(args) => reconcile::run(args).await,
        Command::Import(args) => import::run(args).await,
        Command::Status(args) => status::run(args).await,
        Command::Open(args) => open::run(args).await,
        Command::Logs(args) => logs::run(args).await,
        Command::Env(args) => env::run(args).await,
        Command::Token(args) => token::run(args).await,
        Command::Clock(args) => clock::run(args).await,
        Command::Trigger(args) => trigger::run(args).await,
        Command::Simulator(args) => simulator::run(args).await,
        Command::Webhooks(args) => webhooks::run(args).await,
        Command::AppWebhooks(args) => app_webhooks::run(args).await,
        Command::Cache(args) => cache::run(args).await,
        Command::Ledger(args) => ledger::run(args).await,
        Command::Key(args) => key::run(&args),
        Command::Completions(args) => Ok(completions::run(&args, Cli::command())),
        Command::Render => render::run().await,
    }
}
