//! `farebox serve`: serves every route on one port, with the settings of the environment. With
//! `--jobs` it also runs the scheduled jobs.

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;

use anyhow::Context as _;
use farebox::dev::start_clock;
use farebox::jobs::Jobs;
use farebox::outln;
use farebox::server::{Limits, serve_with_jobs, stop_signal};
use shared::app::{self, PoolSize};
use shared::{endpoints, http};
use tokio::net::TcpListener;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Port to listen on; 0 takes any free port
    #[arg(long, env = "PORT", default_value_t = 3000)]
    port: u16,
    /// Address to listen on; 0.0.0.0 is every address
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Run the scheduled jobs too; if several servers do, one of them runs each job
    #[arg(long)]
    jobs: bool,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let clock = start_clock::from_environment()?;
    let Some(app) = app::start(app::environment, clock, PoolSize::Server) else {
        return Ok(ExitCode::FAILURE);
    };
    let router = http::mount_all(endpoints::ALL, &app);
    let jobs = args.jobs.then(|| Jobs::new(&app, router.clone())).transpose()?;
    let listener = TcpListener::bind((args.host, args.port))
        .await
        .with_context(|| format!("cannot listen on {}:{}", args.host, args.port))?;
    let stop = stop_signal();
    outln!("ready http://{}", listener.local_addr()?);
    let limits = Limits { proxies: app.config.trusted_proxies.clone(), ..Limits::default() };
    let served = serve_with_jobs(limits, listener, router, jobs, stop).await;
    app.redis.send_logged_calls().await;
    served?;
    Ok(ExitCode::SUCCESS)
}
