//! GET, DELETE /api/account

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::ACCOUNT)
}
