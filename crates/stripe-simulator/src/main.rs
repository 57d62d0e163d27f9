//! The `stripe-simulator` binary: the simulator as a standalone server.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use jiff::Timestamp;
use stripe_simulator::{Clock, Options, Simulator, Target};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// A simulator of Stripe: API, pages and webhooks on one port. No money moves.
#[derive(Debug, Parser)]
#[command(name = "stripe-simulator", version)]
struct Arguments {
    /// Port to listen on; 0 picks a free one.
    #[arg(long, env = "STRIPE_SIMULATOR_PORT", default_value_t = 12111)]
    port: u16,
    /// Public URL of this server, for links to its pages. Default: http://127.0.0.1:PORT
    #[arg(long, env = "STRIPE_SIMULATOR_URL")]
    url: Option<String>,
    /// URL that receives every event, besides the endpoints created through the API.
    #[arg(long, value_name = "URL", env = "STRIPE_SIMULATOR_WEBHOOK")]
    webhook: Option<String>,
    /// Secret that signs the events sent to `--webhook`.
    #[arg(long, env = "STRIPE_SIMULATOR_WEBHOOK_SECRET", default_value = "whsec_simulator")]
    webhook_secret: String,
    /// API key that callers must send.
    #[arg(long, env = "STRIPE_SIMULATOR_SECRET_KEY", default_value = "sk_test_simulator")]
    secret_key: String,
    /// File that keeps all objects from one run to the next. Default: nothing is kept.
    #[arg(long, value_name = "FILE", env = "STRIPE_SIMULATOR_STATE")]
    state: Option<PathBuf>,
    /// Time at which the clock starts, as RFC 3339. Default: now, or the time in the state file.
    #[arg(long, value_name = "TIME", env = "STRIPE_SIMULATOR_CLOCK")]
    clock: Option<Timestamp>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let listener = TcpListener::bind(("127.0.0.1", arguments.port))
        .await
        .with_context(|| format!("cannot listen on port {}", arguments.port))?;
    let own_url = format!("http://{}", listener.local_addr()?);
    let url = arguments.url.as_deref().unwrap_or(&own_url).trim_end_matches('/').to_owned();
    let simulator = Simulator::start(Options {
        base: url,
        secret_key: arguments.secret_key.clone(),
        webhook: arguments
            .webhook
            .clone()
            .map(|url| Target { url, secret: arguments.webhook_secret.clone() }),
        clock: arguments.clock.map(Clock::starting_at).unwrap_or_default(),
        snapshot: arguments.state.clone(),
        before_moving: None,
    })
    .await?;
    // The server runs even if its output is closed.
    let _ = writeln!(std::io::stdout(), "{}", greeting(&arguments, simulator.base()));
    let stop = stop_signal()?;
    axum::serve(listener, simulator.router()).with_graceful_shutdown(stop).await?;
    simulator.flush().await
}

/// The start-up message: URLs, and commands to paste into a shell.
fn greeting(arguments: &Arguments, url: &str) -> String {
    let key = &arguments.secret_key;
    let events = match &arguments.webhook {
        Some(webhook) => format!("{webhook}, signed with {}", arguments.webhook_secret),
        None => "not sent: start with --webhook URL, or POST /v1/webhook_endpoints".to_owned(),
    };
    format!(
        "SIMULATOR of Stripe: no money moves, no card is real.

  API       {url}/v1, secret key {key}
  Pages     {url}/simulator
  Events    {events}

  curl {url}/v1/customers -u {key}: -d email=ada@example.com
  curl {url}/v1/products -u {key}: -d name=Pro \\
    -d 'default_price_data[currency]=usd' -d 'default_price_data[unit_amount]=999' \\
    -d 'default_price_data[recurring][interval]=month'
  curl {url}/simulator/api/trigger --json '{{\"event\": \"customer.subscription.created\"}}'
  curl {url}/simulator/api/clock --json '{{\"advance\": \"1mo\"}}'
  curl {url}/v1/events -u {key}:
"
    )
}

/// Resolves on SIGINT or SIGTERM.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
