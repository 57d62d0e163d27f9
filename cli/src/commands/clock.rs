//! `farebox clock`: prints or advances the local stack's clock. While it advances, trials end,
//! subscriptions renew and payments are retried, in the order of their times, as in Stripe.

use std::path::PathBuf;
use std::process::ExitCode;

use farebox::dev::control::Control;
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Data directory of the stack
    #[arg(long, global = true, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Print the time of the stack (the default)
    Now,
    /// Advance the clock, by 14d, 1mo or 2h for example
    Advance { span: String },
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let control = Control::of(&args.data).await?;
    if let Some(Action::Advance { span }) = args.action {
        control.post("clock", &json!({ "advance": span })).await?;
    }
    println!("{}", control.now().await?);
    Ok(ExitCode::SUCCESS)
}
