//! PATCH /api/mood

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::MOOD)
}
