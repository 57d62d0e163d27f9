//! GET /api/health/ready

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::HEALTH_READY)
}
