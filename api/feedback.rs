//! POST /api/feedback

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::FEEDBACK)
}
