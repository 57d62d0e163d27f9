//! GET /api/admin/ledger

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::ADMIN_LEDGER)
}
