//! GET /api/health/ready

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::HEALTH_READY)
}
