//! Checks the settings among themselves, without a connection.

use farebox::terminal::checks::CheckReport;
use shared::config::{Config, SETTINGS};
use url::Url;

use crate::commands::settings::Found;

/// The bytes of all variables of a Lambda function, names and values.
const LAMBDA_LIMIT: usize = 4 * 1024;

pub(super) fn check(settings: &Found, config: &Config, report: &mut CheckReport) {
    report.passed("settings", format!("all are valid{}", size(settings)));
    match config.auth.cron_secret {
        Some(_) => report.passed("cron", "a secret is set"),
        None => report.skipped(
            "cron",
            "CRON_SECRET is not set. Vercel and schedulers that call a URL need it; AWS's schedules \
             and `farebox serve --jobs` do not",
        ),
    }
    if settings.get("ALLOWED_ORIGINS").is_none_or(|origins| origins.trim().is_empty()) {
        let fix = "Set ALLOWED_ORIGINS to the exact origins of your pages.";
        let found = "no page may call, and checkout can return to none";
        report.failed("origins", found, fix);
    } else {
        report.passed("origins", "pages that may call are set");
    }
    check_pooler(config, report);
}

/// Supabase's pooler has two ports. On 5432, each connection of a function holds one of the few
/// connections of the database until the function ends.
fn check_pooler(config: &Config, report: &mut CheckReport) {
    let url = Url::parse(config.database.url.expose()).ok();
    let is_session_mode = url.is_some_and(|url| {
        let host = url.host_str().unwrap_or_default();
        host.ends_with(".pooler.supabase.com") && url.port().unwrap_or(5432) == 5432
    });
    if is_session_mode {
        let found = "DATABASE_URL is Supabase's pooler in session mode, which a few functions fill";
        let fix =
            "Use port 6543, the transaction mode, in DATABASE_URL. Port 5432 is for DIRECT_URL.";
        report.failed("pooler", found, fix);
    }
}

/// Describes settings that are too long for a Lambda function's environment.
fn size(settings: &Found) -> String {
    let length = |name: &str| settings.get(name).map(|value| name.len() + value.len());
    let lengths = SETTINGS
        .iter()
        .filter_map(|setting| length(setting.name).or_else(|| setting.alias.and_then(length)));
    match lengths.sum::<usize>() {
        bytes if bytes > LAMBDA_LIMIT => format!(
            ", but their {bytes} bytes exceed the 4 KB of a Lambda function: there, store them as \
             one secret (FareboxSecret)"
        ),
        _ => String::new(),
    }
}
