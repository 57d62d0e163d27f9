//! GET /api/cron/daily

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::CRON_DAILY)
}
