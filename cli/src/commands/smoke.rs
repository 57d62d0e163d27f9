//! `farebox smoke`: plays a customer's story against a deployment, or against the local stack.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use farebox::dev::{self, Running, Secrets, Settings, token};
use farebox::smoke::{self, Options, StripeAccess};
use farebox::terminal::checks::Output;
use shared::config::Secret;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  farebox smoke
  FAREBOX_SERVICE_KEY=... farebox smoke --url https://billing.example.com

STRIPE_SECRET_KEY, a test-mode key, lets the story pay at Stripe. Only the simulator can be paid
without it.")]
pub struct Args {
    /// Base URL of the deployment [default: the running local stack]
    #[arg(long)]
    url: Option<String>,
    /// Service key, as `farebox key service` prints it
    #[arg(long, value_name = "KEY", env = "FAREBOX_SERVICE_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Admin key, to grant credits with
    #[arg(long, value_name = "KEY", env = "FAREBOX_ADMIN_KEY", hide_env_values = true)]
    admin_key: Option<String>,
    /// Token of a real user, to see that it is accepted
    #[arg(long, value_name = "JWT", env = "FAREBOX_USER_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Secret of the jobs
    #[arg(long, value_name = "SECRET", env = "CRON_SECRET", hide_env_values = true)]
    cron_secret: Option<String>,
    /// Secret that passes Vercel's deployment protection
    #[arg(long, value_name = "SECRET", env = "VERCEL_AUTOMATION_BYPASS_SECRET")]
    #[arg(hide_env_values = true)]
    bypass: Option<String>,
    /// Plan to buy [default: the cheapest]
    #[arg(long, value_name = "KEY")]
    plan: Option<String>,
    /// Origin to which checkout returns [default: the first of ALLOWED_ORIGINS, or that of the URL]
    #[arg(long)]
    origin: Option<String>,
    /// Seconds to wait for Stripe's webhook
    #[arg(long, value_name = "SECONDS", default_value_t = smoke::WEBHOOK_WAIT.as_secs())]
    wait: u64,
    /// Print the steps as JSON
    #[arg(long)]
    json: bool,
    /// Data directory of the local stack
    #[arg(long, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let defaults = match &args.url {
        Some(url) => of_environment(url),
        None => of_local_stack(&args).await?,
    };
    let output = if args.json { Output::Json } else { Output::Text };
    smoke::run(&with_arguments(args, defaults)?, output).await.finish()
}

/// The options that are known without arguments. The service key may be missing.
#[derive(Default)]
struct Defaults {
    url: String,
    service_key: Option<String>,
    admin_key: Option<String>,
    user_token: Option<String>,
    cron_secret: Option<String>,
    stripe: Option<StripeAccess>,
    origin: Option<String>,
}

fn of_environment(url: &str) -> Defaults {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    Defaults {
        url: url.to_owned(),
        stripe: set("STRIPE_SECRET_KEY").map(|key| StripeAccess {
            secret_key: Secret::new(key),
            api_url: set("STRIPE_API_URL"),
        }),
        origin: first_origin(set("ALLOWED_ORIGINS").as_deref()),
        ..Defaults::default()
    }
}

async fn of_local_stack(args: &Args) -> anyhow::Result<Defaults> {
    let settings = dev::running(&args.data).await;
    let settings =
        settings.context("pass --url, the base URL of a deployment, or start a local stack")?;
    let secrets = Secrets::read(&args.data)?;
    let get = |name: &str| settings.get(name).cloned();
    Ok(Defaults {
        url: Running::read(&args.data)?.base,
        user_token: token::for_user(&settings, "smoke-other", None).ok(),
        cron_secret: get("CRON_SECRET"),
        stripe: stripe_of(&settings),
        origin: first_origin(settings.get("ALLOWED_ORIGINS").map(String::as_str)),
        service_key: Some(secrets.service_key),
        admin_key: Some(secrets.admin_key),
    })
}

/// A stack with the simulator needs no key: its checkout page can be paid.
fn stripe_of(settings: &Settings) -> Option<StripeAccess> {
    let key =
        settings.get("STRIPE_SECRET_KEY").filter(|_| !settings.contains_key("STRIPE_API_URL"));
    key.map(|key| StripeAccess { secret_key: Secret::new(key), api_url: None })
}

fn first_origin(list: Option<&str>) -> Option<String> {
    let first = list?.split(',').next()?.trim();
    (!first.is_empty()).then(|| first.to_owned())
}

fn with_arguments(args: Args, defaults: Defaults) -> anyhow::Result<Options> {
    let key = args.key.or(defaults.service_key).context(
        "set FAREBOX_SERVICE_KEY to a service key of the deployment: `farebox key service` prints \
         one",
    )?;
    let secret = |given: Option<String>, default: Option<String>| {
        given.or(default).filter(|value| !value.is_empty()).map(Secret::new)
    };
    Ok(Options {
        admin_key: secret(args.admin_key, defaults.admin_key),
        user_token: secret(args.token, defaults.user_token),
        cron_secret: secret(args.cron_secret, defaults.cron_secret),
        bypass: secret(args.bypass, None),
        stripe: defaults.stripe,
        plan: args.plan,
        origin: args.origin.or(defaults.origin),
        webhook_wait: Duration::from_secs(args.wait),
        ..Options::new(defaults.url, Secret::new(key))
    })
}
