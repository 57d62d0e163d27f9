//! GET /api/dashboard

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::DASHBOARD)
}
