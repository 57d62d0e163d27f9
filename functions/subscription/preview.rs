//! POST /api/subscription/preview

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::SUBSCRIPTION_PREVIEW)
}
