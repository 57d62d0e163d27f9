//! GET, PATCH /api/subscription

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::SUBSCRIPTION)
}
