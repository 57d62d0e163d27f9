//! POST /api/webhooks/stripe

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::WEBHOOKS_STRIPE)
}
