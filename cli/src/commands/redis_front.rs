//! `farebox redis-front`: serves Upstash's REST API in front of a Redis server, for deployments with
//! a Redis of their own.

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;

use anyhow::Context as _;
use dev_services::upstash::{self, Backend, Tokens};
use farebox::outln;
use farebox::server::{serve, stop_signal};
use tokio::net::TcpListener;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address of the Redis server
    #[arg(long, value_name = "HOST:PORT")]
    redis: String,
    /// Password of the Redis server
    #[arg(long, env = "REDIS_PASSWORD", hide_env_values = true, default_value = "")]
    password: String,
    /// Token that Farebox sends
    #[arg(long, env = "UPSTASH_REDIS_REST_TOKEN", hide_env_values = true)]
    token: String,
    /// Port to listen on; 0 takes any free port
    #[arg(long, default_value_t = 8079)]
    port: u16,
    /// Address to listen on; 0.0.0.0 is every address
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    // The empty token is never accepted.
    let tokens = Tokens { full: args.token, read_only: String::new() };
    let router = upstash::router(Backend::redis(args.redis, &args.password, 0), tokens);
    let listener = TcpListener::bind((args.host, args.port))
        .await
        .with_context(|| format!("cannot listen on {}:{}", args.host, args.port))?;
    let stop = stop_signal();
    outln!("ready http://{}", listener.local_addr()?);
    serve(listener, router, stop).await?;
    Ok(ExitCode::SUCCESS)
}
