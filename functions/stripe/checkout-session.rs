//! GET /api/stripe/checkout-session

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::STRIPE_CHECKOUT_SESSION)
}
