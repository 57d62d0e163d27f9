//! POST, DELETE /api/session

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::SESSION)
}
