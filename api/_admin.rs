//! The operators' routes, in one function, for plans that limit the number of functions. Otherwise, this
//! file is not used: Vercel makes no function of a file whose name begins with `_`.

fn main() -> std::process::ExitCode {
    api::serve_all(&[&shared::endpoints::ADMIN_LEDGER, &shared::endpoints::ADMIN_WEBHOOKS])
}
