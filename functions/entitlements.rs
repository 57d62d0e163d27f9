//! GET /api/entitlements

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::ENTITLEMENTS)
}
