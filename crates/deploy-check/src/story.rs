//! Runs `farebox smoke` against the executables. The local stack provides Postgres,
//! Redis, Stripe's simulator and mail, and sends webhooks to the platform's address.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use farebox::dev::{Local, catalog, token};
use farebox::smoke::{self, Options};
use farebox::terminal::checks::Output;
use farebox::{outln, server};
use jiff::Timestamp;
use platforms::Platform;
use shared::app::{App, PoolSize};
use shared::clock::Clock;
use shared::config::Secret;
use shared::{endpoints, http};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::artifacts::Artifacts;
use crate::front::Front;
use crate::{clone, say};

pub(crate) async fn play(platform: Platform, artifacts: &Artifacts) -> anyhow::Result<ExitCode> {
    let folder = clone::workshop().join("stack");
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    let clock = Clock::default();
    let mut local = Local::start(&folder, &base, &clock, &|line| say(line)).await?;
    let front = Arc::new(start_all(platform, artifacts, &local).await?);
    let count = front.functions.len();
    say(format_args!("started {count} executables as {platform} does; playing the story"));
    let app = App::new(local.config()?, clock.clone(), PoolSize::Server)?;
    let rest = match front.fallback {
        Some(_) => Router::new(),
        None => {
            let rows = endpoints::ALL.iter().copied();
            let rows: Vec<_> = rows.filter(|row| !front.routes.contains_key(row.path)).collect();
            http::mount_all(&rows, &app)
        }
    };
    let router = Arc::clone(&front).router(rest.merge(local.router()?));
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server::serve(listener, router, async {
        let _ = stopped.await;
    }));
    local.sell(&catalog::read(None)?, false, Timestamp::now()).await?;

    let report = smoke::run(&options(&local, &base)?, Output::Text).await;
    let is_well = report.is_well();
    if !is_well {
        for (executable, function) in &front.functions {
            outln!("the log of {}:\n{}", executable.display(), function.process().log());
        }
    }
    drop(stop);
    serving.await??;
    local.stop().await?;
    report.finish()
}

async fn start_all(
    platform: Platform,
    artifacts: &Artifacts,
    local: &Local,
) -> anyhow::Result<Front> {
    let mut functions = BTreeMap::new();
    for executable in artifacts.executables() {
        let started = platform.start(executable, &local.settings).await;
        let started = started.with_context(|| format!("cannot start {}", executable.display()))?;
        functions.insert(executable.to_owned(), started);
    }
    let Artifacts { routes, fallback, .. } = artifacts;
    Ok(Front { functions, routes: routes.clone(), fallback: fallback.clone() })
}

fn options(local: &Local, base: &str) -> anyhow::Result<Options> {
    let secret = local.settings.get("CRON_SECRET").context("the stack has no cron secret")?;
    let mut options = Options::new(base, Secret::new(&local.secrets.service_key));
    options.cron_secret = Some(Secret::new(secret));
    options.user_token = Some(Secret::new(&token::for_user(&local.settings, "a-user", None)?));
    Ok(options)
}
