//! GET /api/dashboard

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::DASHBOARD)
}
