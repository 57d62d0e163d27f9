//! GET, DELETE /api/account

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::ACCOUNT)
}
