//! Checkout, the customer portal and webhooks, in one function, for plans that limit the number of functions. Otherwise, this
//! file is not used: Vercel makes no function of a file whose name begins with `_`.

fn main() -> std::process::ExitCode {
    api::serve_all(&[
        &shared::endpoints::STRIPE_CHECKOUT_SESSION,
        &shared::endpoints::STRIPE_CREATE_CHECKOUT_SESSION,
        &shared::endpoints::STRIPE_CREATE_PORTAL_SESSION,
        &shared::endpoints::STRIPE_WEBHOOK,
        &shared::endpoints::WEBHOOKS_STRIPE,
    ])
}
