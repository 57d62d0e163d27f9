//! GET, POST, DELETE /api/history

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::HISTORY)
}
