//! GET, POST /api/usage

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::USAGE)
}
