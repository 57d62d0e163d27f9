//! GET /api/cron/minute

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::CRON_MINUTE)
}
