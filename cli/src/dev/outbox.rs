//! Waits until a running stack has delivered what is due.

use std::time::Duration;

use anyhow::Context as _;

use super::Settings;
use super::running::owned_database;

const POLL: Duration = Duration::from_millis(50);

/// A message that cannot be delivered is not waited for longer than this.
const LIMIT: Duration = Duration::from_secs(5);

/// Waits until no outbox message and no webhook to the app is due. Gives up silently after five seconds.
pub async fn wait_until_idle(settings: &Settings) -> anyhow::Result<()> {
    let database = owned_database(settings)?;
    let schema = &database.schema;
    let client = shared::adapters::postgres::connect(&database)
        .await
        .context("cannot connect to Postgres")?;
    let sql = format!(
        "select exists (
           select
           from {schema}.outbox
           where done_at is null
             and failed_at is null
             and due_at <= {schema}.farebox_now()
         ) or exists (
           select
           from {schema}.app_webhook_queues
           where due_at <= {schema}.farebox_now()
         )"
    );
    let idle = async {
        while client.query_typed_one(&sql, &[]).await?.get(0) {
            tokio::time::sleep(POLL).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(LIMIT, idle).await.unwrap_or(Ok(()))
}
