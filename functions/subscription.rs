//! GET, PATCH /api/subscription

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::SUBSCRIPTION)
}
