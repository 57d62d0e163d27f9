//! POST /api/stripe/create-portal-session

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::STRIPE_CREATE_PORTAL_SESSION)
}
