//! GET /api/cron/minute

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::CRON_MINUTE)
}
