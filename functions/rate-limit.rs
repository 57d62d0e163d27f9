//! POST /api/rate-limit

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::RATE_LIMIT)
}
