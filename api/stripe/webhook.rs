//! POST /api/stripe/webhook

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::STRIPE_WEBHOOK)
}
