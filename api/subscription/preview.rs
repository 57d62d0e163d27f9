//! POST /api/subscription/preview

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::SUBSCRIPTION_PREVIEW)
}
