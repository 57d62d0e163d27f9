//! GET /api/health

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::HEALTH)
}
