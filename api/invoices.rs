//! GET /api/invoices

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::INVOICES)
}
