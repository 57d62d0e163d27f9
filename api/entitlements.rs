//! GET /api/entitlements

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::ENTITLEMENTS)
}
