//! GET /api/cron/daily

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::CRON_DAILY)
}
