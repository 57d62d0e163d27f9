//! POST /api/check

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::CHECK)
}
