//! GET, POST /api/credits

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::CREDITS)
}
