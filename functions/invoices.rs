//! GET /api/invoices

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::INVOICES)
}
