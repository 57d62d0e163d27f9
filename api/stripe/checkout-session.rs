//! GET /api/stripe/checkout-session

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::STRIPE_CHECKOUT_SESSION)
}
