//! `farebox clock`: prints, advances or resets the local stack's clock. While it advances, trials
//! end, subscriptions renew and payments are retried, in the order of their times, as in Stripe.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use farebox::dev::control::Control;
use farebox::dev::{outbox, reset, start_command};
use farebox::terminal::progress::Progress;
use farebox::terminal::{confirm, count, print_json};
use farebox::{errln, outln};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Value, json};

/// How often the progress reads the clock.
const POLL: Duration = Duration::from_millis(300);

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  farebox clock                   print the time of the stack
  farebox clock advance 1mo       renew monthly subscriptions
  farebox clock advance '2h 30m'
  farebox clock reset --yes       go back to the present, without data")]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print the result as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Data directory of the stack
    #[arg(long, global = true, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Print the time of the stack (the default)
    Now,
    /// Advance the clock and print what happened
    Advance {
        /// How far: 14d, 1mo or 2h, for example
        span: String,
    },
    /// Go back to the present: remove the stopped stack's data, and keep its keys
    Reset {
        /// Remove the data without a confirmation
        #[arg(long)]
        yes: bool,
    },
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.action.unwrap_or(Action::Now) {
        Action::Now => {
            let now = Control::of(&args.data).await?.now().await?;
            match args.json {
                true => print_json(&json!({ "now": now }))?,
                false => outln!("{now}"),
            }
        }
        Action::Advance { span } => advance(&args.data, &span, args.json).await?,
        Action::Reset { yes } => return reset_clock(&args.data, yes, args.json).await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn advance(data: &Path, span: &str, json: bool) -> anyhow::Result<()> {
    let control = Control::of(data).await?;
    let (before, emails_before) = (control.now().await?, control.captured_emails().await);
    let progress = Progress::start("Advancing the clock");
    let mut happened = wait(&control, &progress, before, span).await?["happened"].take();
    progress.set("Running the jobs that became due");
    let failed = control.run_jobs(before, control.now().await?).await;
    outbox::wait_until_idle(&control.settings).await?;
    if let (Some(before), Some(after)) = (emails_before, control.captured_emails().await) {
        happened["emails"] = json!(after - before);
    }
    drop(progress);
    for (job, problem) in failed {
        errln!("warning: the job {job} failed: {problem}");
    }
    let now = control.now().await?;
    if json {
        return print_json(&json!({ "now": now, "happened": happened }));
    }
    outln!("{now}");
    outln!("{}", describe(&happened));
    Ok(())
}

/// Advances the clock, and shows how far it has come.
async fn wait(
    control: &Control,
    progress: &Progress,
    before: Timestamp,
    span: &str,
) -> anyhow::Result<Value> {
    let day = |time: Timestamp| time.strftime("%Y-%m-%d").to_string();
    let until = end(before, span).map(|end| format!(" of {}", day(end))).unwrap_or_default();
    let request = json!({ "advance": span });
    let mut advancing = std::pin::pin!(control.post("clock", &request));
    loop {
        tokio::select! {
            answer = &mut advancing => return answer,
            () = tokio::time::sleep(POLL), if progress.is_shown() => {
                if let Ok(now) = control.now().await {
                    progress.set(format!("Advancing the clock: {}{until}", day(now)));
                }
            }
        }
    }
}

/// The time after a span, if the span is valid. The simulator reports one that is not.
fn end(now: Timestamp, span: &str) -> Option<Timestamp> {
    let span: Span = span.parse().ok()?;
    Some(now.to_zoned(TimeZone::UTC).checked_add(span).ok()?.timestamp())
}

/// A renewal's invoice stays a draft for an hour.
const NOT_CHARGED_YET: &str = " (Stripe charges a renewal an hour later: advance by 1h more)";

/// Describes what happened: `3 renewals, 1 failed payment, 4 e-mails`.
fn describe(happened: &Value) -> String {
    let named = [
        ("renewals", "renewal"),
        ("trials_ended", "ended trial"),
        ("paid_invoices", "paid invoice"),
        ("failed_payments", "failed payment"),
        ("cancellations", "cancellation"),
        ("emails", "e-mail"),
    ];
    let number = |field: &str| happened[field].as_u64().unwrap_or_default();
    let parts: Vec<_> = named
        .into_iter()
        .filter(|(field, _)| number(field) > 0)
        .map(|(field, noun)| count(number(field), noun))
        .collect();
    match (parts.is_empty(), number("events")) {
        (false, _) => {
            let is_charged = number("paid_invoices") + number("failed_payments") > 0;
            let note = if is_charged || number("renewals") == 0 { "" } else { NOT_CHARGED_YET };
            format!("{}{note}", parts.join(", "))
        }
        (true, 0) => "nothing happened".to_owned(),
        (true, events) => count(events, "other event"),
    }
}

async fn reset_clock(data: &Path, yes: bool, json: bool) -> anyhow::Result<ExitCode> {
    reset::check(data).await?;
    let dir = data.display();
    let question = format!("Remove the users, subscriptions and credits in {dir}? The keys stay.");
    if !yes && !confirm(&question, "pass --yes to remove the data")? {
        anyhow::bail!("canceled: nothing was removed");
    }
    let progress = Progress::start("Removing the data");
    reset::remove_data(data, &|line| progress.set(line)).await?;
    drop(progress);
    if json {
        print_json(&json!({ "removed": data }))?;
    } else {
        outln!("Removed the data in {dir}. The keys stay.");
        outln!("Start again with {}: its clock is at the present.", start_command(data));
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_what_happened() {
        let all = json!({ "renewals": 3, "failed_payments": 1, "emails": 4, "events": 20 });
        assert_eq!(describe(&all), "3 renewals, 1 failed payment, 4 e-mails");
        let one = json!({ "trials_ended": 1, "cancellations": 1, "emails": 1, "events": 9 });
        assert_eq!(describe(&one), "1 ended trial, 1 cancellation, 1 e-mail");
        let uncharged = describe(&json!({ "renewals": 1, "paid_invoices": 0, "events": 2 }));
        assert_eq!(uncharged, format!("1 renewal{NOT_CHARGED_YET}"));
        assert_eq!(describe(&json!({ "renewals": 0, "events": 2 })), "2 other events");
        assert_eq!(describe(&json!({ "renewals": 0, "events": 0 })), "nothing happened");
    }

    #[test]
    fn the_end_of_a_span_is_by_the_calendar() {
        let now = "2026-01-31T10:00:00Z".parse().unwrap();
        assert_eq!(end(now, "1mo"), Some("2026-02-28T10:00:00Z".parse().unwrap()));
        assert_eq!(end(now, "soon"), None);
    }
}
