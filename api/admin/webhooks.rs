//! GET, POST /api/admin/webhooks

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::ADMIN_WEBHOOKS)
}
