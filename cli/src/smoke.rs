//! `farebox smoke`: a short story against a running deployment, as a new user lives it: sign in, buy
//! a plan, use it. It checks what only a live call shows: routes, keys, webhooks, jobs.
//!
//! A step that fails does not stop the steps that do not need it. Nothing is bought in live mode, and
//! the user is erased at the end. Deliberately absent: the settings and the connections, which
//! `farebox doctor` checks from inside.

mod basics;
mod client;
mod diagnosis;
mod features;
mod purchase;
mod refusals;
mod story;
mod stripe;

use std::time::Duration;

use shared::config::{Secret, is_this_machine};
use url::Url;

use crate::terminal::checks::{CheckReport, Output};
use story::Story;

/// How long a webhook may take, if the caller does not say.
pub const WEBHOOK_WAIT: Duration = Duration::from_secs(30);

/// The deployment, and the keys that the story uses.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its base URL, `https://billing.example.com`.
    pub url: String,
    /// A service key may name any user, so that the story can have a new one.
    pub service_key: Secret,
    /// Grants credits. Without it, the service key grants them.
    pub admin_key: Option<Secret>,
    /// A real user's token, to see that it is accepted, and refused for another user.
    pub user_token: Option<Secret>,
    pub cron_secret: Option<Secret>,
    /// Passes Vercel's deployment protection.
    pub bypass: Option<Secret>,
    /// Pays through Stripe's API. Without it, only the simulator's checkout page can be paid.
    pub stripe: Option<StripeAccess>,
    /// The plan to buy; the cheapest if absent.
    pub plan: Option<String>,
    /// The origin to which checkout returns, one of `ALLOWED_ORIGINS`; that of the URL if absent.
    pub origin: Option<String>,
    pub webhook_wait: Duration,
}

/// A key of Stripe's test mode.
#[derive(Clone, Debug)]
pub struct StripeAccess {
    pub secret_key: Secret,
    /// Stripe itself if absent.
    pub api_url: Option<String>,
}

impl Options {
    pub fn new(url: impl Into<String>, service_key: Secret) -> Self {
        Self {
            url: url.into(),
            service_key,
            admin_key: None,
            user_token: None,
            cron_secret: None,
            bypass: None,
            stripe: None,
            plan: None,
            origin: None,
            webhook_wait: WEBHOOK_WAIT,
        }
    }

    /// True if Stripe's API is not Stripe's own, but an emulation.
    fn has_own_stripe(&self) -> bool {
        self.stripe.as_ref().is_some_and(|stripe| stripe.api_url.is_some())
    }

    /// Returns the options' problem and its fix, before anything is sent.
    fn problem(&self) -> Option<(String, &'static str)> {
        let url = Url::parse(&self.url).ok().filter(|url| url.has_host());
        let url = url.filter(|url| ["http", "https"].contains(&url.scheme()));
        let Some(url) = url else {
            let fix = "Pass the base URL of the deployment: --url https://billing.example.com";
            return Some((format!("{} is not an http or https URL", self.url), fix));
        };
        if url.scheme() == "http" && !is_this_machine(&url) {
            let fix = "Pass the deployment's https URL, or run this on its machine. Over plain http, \
                       others could read the keys.";
            return Some((format!("{} is not encrypted", self.url), fix));
        }
        let is_test =
            |key: &Secret| ["sk_test_", "rk_test_"].iter().any(|it| key.expose().starts_with(it));
        if self.stripe.as_ref().is_some_and(|stripe| !is_test(&stripe.secret_key)) {
            let fix = "Set STRIPE_SECRET_KEY to a key that begins with sk_test_ or rk_test_. \
                       A live key would charge real money.";
            return Some(("STRIPE_SECRET_KEY is not a test-mode key".to_owned(), fix));
        }
        None
    }
}

/// Plays the story. A failure of the deployment is a failed check, not an error.
pub async fn run(options: &Options, output: Output) -> CheckReport {
    let user = format!("smoke-{}", random());
    let base = options.url.trim_end_matches('/');
    let mut report =
        CheckReport::new("deployment", format!("Trying {base} as the user {user}."), output);
    match options.problem() {
        Some((found, fix)) => report.failed("options", found, fix),
        None => Story::new(options, base, user).play(&mut report).await,
    }
    report
}

/// Returns characters that no earlier user id ends with.
fn random() -> String {
    let password = dev_services::process::random_password();
    // Without random numbers, the time is as good: two stories do not begin in the same nanosecond.
    let text = password.unwrap_or_else(|_| jiff::Timestamp::now().as_nanosecond().to_string());
    text.chars().rev().take(12).collect()
}
