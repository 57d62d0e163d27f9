//! Calls SQL over open connections as Farebox's own pool does: with unnamed statements, sending all
//! statements of a call at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use farebox::dev::Settings;
use futures_util::future::try_join_all;
use shared::config;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

/// A statement, and its parameters as text.
#[derive(Debug)]
pub struct Statement {
    pub sql: &'static str,
    pub parameters: Vec<String>,
}

/// Returns the statements of the next call, or `None` if there are no more calls.
pub type Calls = Arc<dyn Fn() -> Option<Vec<Statement>> + Send + Sync>;

pub fn with(sql: &'static str, parameter: impl ToString) -> Statement {
    Statement { sql, parameters: vec![parameter.to_string()] }
}

pub fn plain(sql: &'static str) -> Statement {
    Statement { sql, parameters: Vec::new() }
}

/// Connects as the database's owner.
pub async fn connect(settings: &Settings) -> anyhow::Result<Client> {
    let url = settings.get("DIRECT_URL").context("the settings have no DIRECT_URL")?;
    connect_to(url).await
}

pub async fn connect_to(url: &str) -> anyhow::Result<Client> {
    let url = Some(url.to_owned());
    let vars = |name: &str| (name == "DATABASE_URL").then(|| url.clone()).flatten();
    Ok(shared::adapters::postgres::connect(&config::Database::from_vars(vars)?).await?)
}

/// Sends the statements of one call, and waits for all results.
pub async fn send(client: &Client, statements: &[Statement]) -> anyhow::Result<()> {
    let answers = statements.iter().map(|Statement { sql, parameters }| async move {
        let parameters: Vec<(&(dyn ToSql + Sync), Type)> =
            parameters.iter().map(|text| (text as &(dyn ToSql + Sync), Type::TEXT)).collect();
        client.query_typed(sql, &parameters).await.with_context(|| format!("cannot run {sql}"))
    });
    try_join_all(answers).await.map(drop)
}

/// Connections that call at the same time.
pub struct Connections(Vec<Arc<Client>>);

impl Connections {
    pub async fn open(settings: &Settings, number: u32) -> anyhow::Result<Self> {
        let mut clients = Vec::new();
        for _ in 0..number {
            clients.push(Arc::new(connect(settings).await?));
        }
        Ok(Self(clients))
    }

    /// Measures calls per second over the first `concurrency` connections. Returns `None` if the
    /// calls ran out before the time was over.
    pub async fn rate(
        &self,
        calls: Calls,
        concurrency: u32,
        length: Duration,
    ) -> anyhow::Result<Option<f64>> {
        let began = Instant::now();
        let until = began + length;
        let callers = self.0.iter().take(concurrency as usize).map(|client| {
            let (client, calls) = (Arc::clone(client), Arc::clone(&calls));
            tokio::spawn(async move {
                let mut made = 0_u64;
                while Instant::now() < until {
                    let Some(statements) = calls() else { return anyhow::Ok((made, true)) };
                    send(&client, &statements).await?;
                    made += 1;
                }
                Ok((made, false))
            })
        });
        let (mut made, mut ran_out) = (0, false);
        for caller in callers.collect::<Vec<_>>() {
            let (count, is_over) = caller.await??;
            made += count;
            ran_out |= is_over;
        }
        Ok((!ran_out).then(|| made as f64 / began.elapsed().as_secs_f64()))
    }
}
