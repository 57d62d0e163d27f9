//! GET /api/plans

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::PLANS)
}
