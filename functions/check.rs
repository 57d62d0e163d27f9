//! POST /api/check

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::CHECK)
}
