//! `farebox trigger`: makes one of Stripe's events happen in the simulator, with all that it takes:
//! a customer, a price, a subscription.

use std::path::PathBuf;
use std::process::ExitCode;

use farebox::local::control::Control;
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Such as invoice.payment_failed
    event: String,
    /// To this user of the app
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// With this plan or pack of the catalog
    #[arg(long, value_name = "KEY")]
    plan: Option<String>,
    /// Where the stack keeps its data
    #[arg(long, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let control = Control::of(&args.data).await?;
    let asked = json!({ "event": args.event, "user": args.user, "plan": args.plan });
    let answer = control.post("trigger", &asked).await?;
    for event in answer["events"].as_array().into_iter().flatten() {
        println!("{} {}", shown(&event["id"]), shown(&event["type"]));
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
