//! The local stack's clock in SQL: the result of `farebox_now()`, and how far ahead a caller may
//! be.

use std::sync::Arc;

use anyhow::Context as _;
use jiff::SignedDuration;
use shared::clock::Clock;
use shared::config::Database;
use stripe_simulator::BeforeMoving;
use tokio::sync::Mutex;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

/// A connection as the owner of the tables, the only role that may set the clock.
#[derive(Debug)]
pub struct SqlClock {
    client: Client,
    sql: String,
}

impl SqlClock {
    pub async fn connect(database: &Database) -> anyhow::Result<Self> {
        let client = shared::adapters::postgres::connect(database)
            .await
            .context("cannot connect to Postgres")?;
        let schema = &database.schema;
        let sql = format!(
            "insert into {schema}.local_clock (ahead)
             values (make_interval(secs => $1))
             on conflict (is_the_only_row) do update
             set ahead = excluded.ahead"
        );
        Ok(Self { client, sql })
    }

    /// Sets how far SQL's clock is ahead of the database's. The process's clock is moved
    /// afterwards, so that no caller is ahead of SQL.
    pub async fn set(&self, shift: SignedDuration) -> anyhow::Result<()> {
        self.client.query_typed(&self.sql, &[(&shift.as_secs_f64(), Type::FLOAT8)]).await?;
        Ok(())
    }
}

/// Returns a hook that moves SQL's clock before each move of the simulator's clock. It keeps its
/// connection between moves.
pub fn follow(database: Database) -> BeforeMoving {
    let connected = Arc::new(Mutex::new(None::<SqlClock>));
    Arc::new(move |shift| {
        let (database, connected) = (database.clone(), Arc::clone(&connected));
        Box::pin(async move {
            let mut connected = connected.lock().await;
            let clock = match connected.take().filter(|clock| !clock.client.is_closed()) {
                Some(clock) => clock,
                None => SqlClock::connect(&database).await?,
            };
            clock.set(shift).await?;
            *connected = Some(clock);
            Ok(())
        })
    })
}

/// Makes `farebox_now()` return the time of `clock`.
pub async fn set(database: &Database, clock: &Clock) -> anyhow::Result<()> {
    SqlClock::connect(database).await?.set(clock.shift()).await
}
