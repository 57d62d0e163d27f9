//! `farebox clock`: the local stack's time, which only ever goes on. Trials end, subscriptions renew
//! and retries fail on the way, one after the other, as they would in Stripe.

use std::path::PathBuf;
use std::process::ExitCode;

use farebox::local::control::Control;
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Where the stack keeps its data
    #[arg(long, global = true, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print the time of the stack (the default)
    Now,
    /// Let time pass: 14d, 1mo, 2h
    Advance { span: String },
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let control = Control::of(&args.data).await?;
    if let Some(What::Advance { span }) = args.what {
        control.post("clock", &json!({ "advance": span })).await?;
    }
    println!("{}", control.now().await?);
    Ok(ExitCode::SUCCESS)
}
