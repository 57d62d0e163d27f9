//! POST /api/stripe/webhook

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::STRIPE_WEBHOOK)
}
