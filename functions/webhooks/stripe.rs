//! POST /api/webhooks/stripe

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::WEBHOOKS_STRIPE)
}
