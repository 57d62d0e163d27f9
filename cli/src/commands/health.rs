//! `farebox health`: asks the server on this machine whether it answers. For containers, whose image
//! has no other program that could ask.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::http::Request;
use bytes::Bytes;
use http_body_util::Full;
use shared::adapters::http_client::{Budget, HttpClient};
use shared::endpoints::HEALTH;

const BUDGET: Budget =
    Budget { connect: Duration::from_secs(1), answer: Duration::from_secs(3), max_bytes: 10_000 };

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Port of the server
    #[arg(long, env = "PORT", default_value_t = 3000)]
    port: u16,
}

/// Exits with 1 if the server does not answer.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let url = format!("http://127.0.0.1:{}{}", args.port, HEALTH.path);
    let request = Request::get(&url).body(Full::new(Bytes::new()))?;
    let answer = HttpClient::default().call(request, BUDGET).await;
    let answer = answer.with_context(|| format!("{url} does not answer"))?;
    if !answer.status.is_success() {
        bail!("{url} answered {}", answer.status);
    }
    Ok(ExitCode::SUCCESS)
}
