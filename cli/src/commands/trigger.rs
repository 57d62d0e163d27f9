//! `farebox trigger`: causes a Stripe event in the simulator. It creates the objects that the event
//! requires: a customer, a price, a subscription.

use std::path::PathBuf;
use std::process::ExitCode;

use farebox::dev::control::Control;
use farebox::outln;
use farebox::terminal::{Palette, Style, print_json};
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  farebox trigger --list
  farebox trigger checkout.session.completed --user ada --plan pro
  farebox trigger invoice.payment_failed --user ada")]
pub struct Args {
    /// Event type, such as invoice.payment_failed
    #[arg(required_unless_present = "list")]
    event: Option<String>,
    /// List the event types
    #[arg(long, conflicts_with_all = ["event", "user", "plan"])]
    list: bool,
    /// User of the event [default: test-123]
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Plan of the user [default: the cheapest monthly plan]
    #[arg(long, value_name = "KEY")]
    plan: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Data directory of the stack
    #[arg(long, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.list {
        list(args.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let control = Control::of(&args.data).await?;
    let request = json!({ "event": args.event, "user": args.user, "plan": args.plan });
    let answer = control.post("trigger", &request).await?;
    if args.json {
        print_json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    for event in answer["events"].as_array().into_iter().flatten() {
        outln!("{} {}", shown(&event["id"]), shown(&event["type"]));
    }
    outln!("{}. See {}/simulator", result(&answer["summary"]), control.base);
    Ok(ExitCode::SUCCESS)
}

fn list(json: bool) -> anyhow::Result<()> {
    let triggers: Vec<_> = stripe_simulator::triggers().collect();
    if json {
        let event = |(event, description)| json!({ "event": event, "description": description });
        return print_json(&triggers.into_iter().map(event).collect::<Vec<_>>());
    }
    let palette = Palette::of_stdout();
    let width = triggers.iter().map(|(event, _)| event.len()).max().unwrap_or(0);
    for (event, description) in triggers {
        outln!("{}  {description}", palette.paint(Style::Bold, format_args!("{event:width$}")));
    }
    Ok(())
}

/// Describes the user's subscription: `test-123: pro, monthly, active`.
fn result(summary: &Value) -> String {
    let what: Vec<&str> =
        ["plan", "interval", "status"].iter().filter_map(|name| summary[name].as_str()).collect();
    let what = if what.is_empty() { "no subscription".to_owned() } else { what.join(", ") };
    format!("{}: {what}", shown(&summary["user"]))
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
