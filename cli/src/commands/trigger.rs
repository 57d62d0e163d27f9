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
    /// Of whom; test-123 if left out
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// What they have; the cheapest monthly plan if left out
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
    println!("{}. See {}/simulator", result(&answer["standing"]), control.base);
    Ok(ExitCode::SUCCESS)
}

/// What the user has now: `test-123: pro, monthly, active`.
fn result(standing: &Value) -> String {
    let what: Vec<&str> =
        ["plan", "interval", "status"].iter().filter_map(|name| standing[name].as_str()).collect();
    let what = if what.is_empty() { "no subscription".to_owned() } else { what.join(", ") };
    format!("{}: {what}", shown(&standing["user"]))
}

fn shown(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_is_one_line() {
        let has =
            json!({ "user": "ada", "plan": "pro", "interval": "monthly", "status": "active" });
        assert_eq!(result(&has), "ada: pro, monthly, active");
        let none = json!({ "user": "ada", "plan": null, "interval": null, "status": null });
        assert_eq!(result(&none), "ada: no subscription");
    }
}
