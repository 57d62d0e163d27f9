//! POST /api/stripe/create-checkout-session

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::STRIPE_CREATE_CHECKOUT_SESSION)
}
