//! POST /api/rate-limit

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::RATE_LIMIT)
}
