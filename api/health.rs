//! GET /api/health

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::HEALTH)
}
