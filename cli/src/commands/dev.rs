//! `farebox dev`: runs Farebox and its dev services on one port.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use axum::Router;
use farebox::dev::own_hosts::only_own_hosts;
use farebox::dev::{Local, browser, catalog, log, running, schedule, start_clock, token};
use farebox::terminal::{Palette, Style, try_print};
use farebox::{outln, server};
use shared::app::{App, PoolSize};
use shared::clock::Clock;
use shared::{endpoints, http};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// The port in the documentation and examples.
const DEFAULT_PORT: u16 = 3000;
/// The header of a JSON body, for curl.
const JSON: &str = "-H 'Content-Type: application/json'";
/// The width of a service's name in its line.
const NAME_WIDTH: usize = 10;
/// The number of ports to try, starting with the default, if `--port` is absent.
const TRIED_PORTS: u16 = 100;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Port to listen on; 0 takes any free port [default: 3000, or the next free one]
    #[arg(long, env = "PORT")]
    port: Option<u16>,
    /// Directory for data
    #[arg(long, value_name = "DIR", default_value = ".farebox")]
    data: PathBuf,
    /// Catalog to publish while Stripe is simulated [default: a demo of every feature]
    #[arg(long, value_name = "FILE", env = "FAREBOX_CATALOG")]
    catalog: Option<PathBuf>,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    refuse_live_key()?;
    let file = args.catalog.as_deref().filter(|file| !file.as_os_str().is_empty());
    let catalog = catalog::read(file)?;
    std::fs::create_dir_all(&args.data)
        .with_context(|| format!("cannot create {}", args.data.display()))?;
    // Child processes may run in another directory, so the path must be absolute.
    let dir = args.data.canonicalize()?;
    if running(&dir).await.is_ok() {
        bail!(
            "another farebox is using {}: stop it, or start this one in another directory with --data",
            dir.display()
        );
    }
    let listener = listen(args.port).await?;
    let base = format!("http://127.0.0.1:{}", listener.local_addr()?.port());

    let mut stop_signal = Box::pin(server::stop_signal());
    let clock = start_clock::from_environment()?;
    let starting = Local::start(&dir, &base, &clock, &|line| outln!("{line}"));
    let mut local = tokio::select! {
        started = starting => started?,
        // Child processes end with this process.
        () = &mut stop_signal => return Ok(ExitCode::SUCCESS),
    };
    let config = local.config()?;
    log::start(&dir, config.log_level, local.settings.contains_key("LOG_LEVEL"))?;
    // A token that was made before the clock was advanced still works.
    let (tokens, pool_size) = (Clock::default(), PoolSize::Server);
    let app = App::with_token_clock(config, clock.clone(), tokens, pool_size)?;
    let router = http::mount_all(endpoints::ALL, &app);
    let own = only_own_hosts(local.router()?).merge(browser::router(&local.settings));
    let router = Router::new().merge(own).fallback_service(router);

    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server::serve(listener, router, async {
        let _ = stopped.await;
    }));
    local.sell(&catalog, file.is_some(), app.clock.now()).await?;
    local.write_settings()?;
    let cron_secret = local.settings.get("CRON_SECRET").cloned().unwrap_or_default();
    let jobs = tokio::spawn(schedule::run(base.clone(), cron_secret, clock.clone()));
    let banner = describe(&local, &args.data, &base, &clock)?;
    // If the reader of the output has gone, the stack stops.
    if try_print(format_args!("{banner}ready {base}\n")) {
        stop_signal.await;
        try_print(format_args!("stopping\n"));
    }
    jobs.abort();
    drop(stop);
    serving.await??;
    // Otherwise Postgres would break the open connections, and the pool would log errors.
    app.postgres.close();
    local.stop().await?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses a key of Stripe's live mode, which is in the environment of a shell that has loaded the
/// settings of a deployment. The stack would migrate that deployment's database and charge its users.
fn refuse_live_key() -> anyhow::Result<()> {
    let key = std::env::var("STRIPE_SECRET_KEY").unwrap_or_default();
    if ["sk_live_", "rk_live_"].iter().any(|live| key.trim_start().starts_with(live)) {
        bail!(
            "STRIPE_SECRET_KEY is a live-mode key, and the local stack is for tests only. This shell has \
             the settings of a deployment: start the stack in another one"
        );
    }
    Ok(())
}

async fn listen(port: Option<u16>) -> anyhow::Result<TcpListener> {
    let listen = async |port| TcpListener::bind(("127.0.0.1", port)).await;
    if let Some(port) = port {
        return listen(port).await.with_context(|| {
            format!(
                "cannot listen on port {port}; stop the program that uses it, or choose another port \
                 with --port"
            )
        });
    }
    for port in DEFAULT_PORT..DEFAULT_PORT + TRIED_PORTS {
        if let Ok(listener) = listen(port).await {
            if port != DEFAULT_PORT {
                outln!("Port {DEFAULT_PORT} is in use; using port {port} instead.");
            }
            return Ok(listener);
        }
    }
    listen(0).await.context("cannot listen on any port")
}

/// Describes the services and their addresses, and commands to paste.
fn describe(local: &Local, data: &Path, base: &str, clock: &Clock) -> anyhow::Result<String> {
    let palette = Palette::of_stdout();
    let token = token::for_user(&local.settings, "test-123", None)?;
    let mut lines = vec![format!("Farebox   {base}, data in {}", data.display())];
    lines.extend(local.described.iter().cloned());
    if let Some(shift) = start_clock::describe_shift(clock.shift()) {
        lines.push(format!("Clock     {:.0}, {shift}", clock.now()));
    }
    let mut text = "\n".to_owned();
    for line in lines {
        let (name, described) = line.split_at_checked(NAME_WIDTH).unwrap_or((&line, ""));
        writeln!(text, "{}{described}", palette.paint(Style::Bold, name))?;
    }
    writeln!(text, "\n{}", palette.paint(Style::Bold, "Try it:"))?;
    let call = format!("-H \"Authorization: Bearer $TOKEN\" {JSON}");
    writeln!(text, "  TOKEN={token}")?;
    writeln!(text, "  curl {base}/api/plans")?;
    writeln!(text, "  curl {base}/api/check {call} -d '{{\"feature\": \"reports\"}}'")?;
    let entry = "{\"feature\": \"reports\", \"quantity\": 3}";
    writeln!(text, "  curl {base}/api/usage {call} -d '{entry}'")?;
    let buy = "Buy a plan, then open the url in the response:";
    writeln!(text, "{}", palette.paint(Style::Bold, buy))?;
    writeln!(
        text,
        "  curl {base}/api/stripe/create-checkout-session {call} -d '{{\"tier\": \"team\", \
         \"interval\": \"monthly\", \"successUrl\": \"{base}/?session={{CHECKOUT_SESSION_ID}}\", \
         \"cancelUrl\": \"{base}/\"}}'\n"
    )?;
    Ok(text)
}
