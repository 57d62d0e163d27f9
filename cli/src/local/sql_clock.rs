//! The local stack's time for SQL that is handed none: `farebox_now()`.

use anyhow::Context as _;
use shared::clock::Clock;
use shared::config::Database;
use tokio_postgres::types::Type;

/// Makes `farebox_now()` what `clock` says from here on. `database` names its owner: nobody else may.
pub async fn set(database: &Database, clock: &Clock) -> anyhow::Result<()> {
    let client = shared::store::connect(database).await.context("cannot connect to Postgres")?;
    let schema = &database.schema;
    let sql = format!(
        "insert into {schema}.local_clock (ahead)
         values (make_interval(secs => $1))
         on conflict (is_the_only_row) do update
         set ahead = excluded.ahead"
    );
    client.query_typed(&sql, &[(&clock.shift().as_secs_f64(), Type::FLOAT8)]).await?;
    Ok(())
}
