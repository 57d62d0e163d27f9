//! GET, POST /api/usage

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::USAGE)
}
