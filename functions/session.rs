//! POST, DELETE /api/session

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::SESSION)
}
