//! `farebox simulator`: prints the state of the Stripe simulator, and sets its switches.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use farebox::dev::control::Control;
use farebox::outln;
use serde_json::{Map, Value};
use stripe_simulator::Switches;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  farebox simulator
  farebox simulator set duplicate=true delay_seconds=5
  farebox simulator resend evt_123")]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Data directory of the stack
    #[arg(long, global = true, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Print its clock, its switches and the number of objects (the default)
    State,
    /// Set failure switches
    Set {
        /// duplicate, reorder, same_second, drop, unpaid (true or false), delay_seconds,
        /// answer_after_ms (a number)
        #[arg(required = true, value_name = "SWITCH=VALUE")]
        switches: Vec<String>,
    },
    /// Send an event again
    Resend {
        /// Id of the event
        event: String,
    },
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let control = Control::of(&args.data).await?;
    let answer = match args.action.unwrap_or(Action::State) {
        Action::State => control.get("state").await?,
        Action::Set { switches } => control.post("switches", &parse(&switches)?).await?,
        Action::Resend { event } => {
            control.post(&format!("events/{event}/resend"), &Value::Null).await?
        }
    };
    outln!("{answer:#}");
    Ok(ExitCode::SUCCESS)
}

/// Parses `duplicate=true` into JSON.
fn parse(switches: &[String]) -> anyhow::Result<Value> {
    let pair = |text: &String| {
        let (name, value) =
            text.split_once('=').with_context(|| format!("{text}: must be SWITCH=VALUE"))?;
        // A value that is not JSON becomes a string, so that the switch's own error names its type.
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        Switches::default().set(name, &value).map_err(anyhow::Error::msg)?;
        Ok((name.to_owned(), value))
    };
    Ok(Value::Object(switches.iter().map(pair).collect::<anyhow::Result<Map<_, _>>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_accepts_only_its_type() {
        let parsed = parse(&["duplicate=true".to_owned(), "delay_seconds=5".to_owned()]).unwrap();
        assert_eq!(parsed, serde_json::json!({ "duplicate": true, "delay_seconds": 5 }));
        let refused = parse(&["duplicate=yes".to_owned()]).unwrap_err();
        assert_eq!(refused.to_string(), "duplicate must be true or false");
    }
}
