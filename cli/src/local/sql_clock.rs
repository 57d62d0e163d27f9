//! The local stack's time for SQL: what `farebox_now()` says, and how far ahead a caller's time may be.

use anyhow::Context as _;
use jiff::SignedDuration;
use shared::clock::Clock;
use shared::config::Database;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

/// A connection as the owner of the tables: only that role may move the clock.
#[derive(Debug)]
pub struct SqlClock {
    client: Client,
    sql: String,
}

impl SqlClock {
    pub async fn connect(database: &Database) -> anyhow::Result<Self> {
        let client =
            shared::store::connect(database).await.context("cannot connect to Postgres")?;
        let schema = &database.schema;
        let sql = format!(
            "insert into {schema}.local_clock (ahead)
             values (make_interval(secs => $1))
             on conflict (is_the_only_row) do update
             set ahead = excluded.ahead"
        );
        Ok(Self { client, sql })
    }

    /// Sets how far it is ahead of the database's clock. A clock that goes forward is moved after it, so
    /// that no caller is ahead of SQL.
    pub async fn set(&self, shift: SignedDuration) -> anyhow::Result<()> {
        self.client.query_typed(&self.sql, &[(&shift.as_secs_f64(), Type::FLOAT8)]).await?;
        Ok(())
    }
}

/// Makes `farebox_now()` what `clock` says from here on.
pub async fn set(database: &Database, clock: &Clock) -> anyhow::Result<()> {
    SqlClock::connect(database).await?.set(clock.shift()).await
}
