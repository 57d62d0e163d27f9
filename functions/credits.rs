//! GET, POST /api/credits

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::CREDITS)
}
