//! POST /api/feedback

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::FEEDBACK)
}
