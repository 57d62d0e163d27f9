//! GET /api/plans

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::PLANS)
}
