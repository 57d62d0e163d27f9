//! PATCH /api/mood

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::MOOD)
}
