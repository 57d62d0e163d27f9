//! The routes that people and apps call, in one function, for plans that limit the number of functions. Otherwise, this
//! file is not used: Vercel makes no function of a file whose name begins with `_`.

fn main() -> std::process::ExitCode {
    api::serve_all(&[
        &shared::endpoints::ACCOUNT,
        &shared::endpoints::CHAT_SAVE,
        &shared::endpoints::CHECK,
        &shared::endpoints::CREDITS,
        &shared::endpoints::DASHBOARD,
        &shared::endpoints::ENTITLEMENTS,
        &shared::endpoints::HEALTH,
        &shared::endpoints::HEALTH_READY,
        &shared::endpoints::INVOICES,
        &shared::endpoints::MOOD,
        &shared::endpoints::PLAN,
        &shared::endpoints::PLANS,
        &shared::endpoints::RATE_LIMIT,
        &shared::endpoints::SESSION,
        &shared::endpoints::SUBSCRIPTION,
        &shared::endpoints::SUBSCRIPTION_PREVIEW,
        &shared::endpoints::USAGE,
    ])
}
