//! GET, POST /api/admin/webhooks

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::ADMIN_WEBHOOKS)
}
