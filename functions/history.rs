//! GET, POST, DELETE /api/history

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::HISTORY)
}
