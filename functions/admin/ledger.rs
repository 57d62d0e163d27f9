//! GET /api/admin/ledger

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::ADMIN_LEDGER)
}
