//! Stores the data that the measurements need: customers with one subscription each, and the bare
//! tables.

use anyhow::Context as _;

use super::events::Stripe;
use crate::database::Database;
use crate::sql::{self, Statement};

/// Stores the customers of the measured events, with their earlier events.
const STORE: &str = include_str!("store.sql");
const DIGESTS: &str = "
  insert into bench.digests (n, digest)
  select $1::integer + number - 1, digest
  from unnest($2::bigint[]) with ordinality as made (digest, number)";
/// Digests in one statement.
const BATCH: usize = 10_000;
pub const TABLES: &str = include_str!("tables.sql");

/// The start and the end of the paid month, and the end of the next.
#[derive(Clone, Copy)]
pub struct Times {
    pub began: i64,
    pub ended: i64,
    pub next_ends: i64,
}

/// Stores the customers `from..to`.
pub async fn store(database: &Database, stripe: &Stripe, from: u32, to: u32) -> anyhow::Result<()> {
    eprintln!("storing customers {from} to {to}");
    database.execute("truncate bench.digests").await?;
    for first in (from..to).step_by(BATCH) {
        let customers = first..to.min(first + BATCH as u32);
        let digests: Result<Vec<_>, _> =
            customers.map(|customer| stripe.digest(customer)).collect();
        let parameters = vec![first.to_string(), format!("{{{}}}", digests?.join(","))];
        sql::send(&database.owner, &[Statement { sql: DIGESTS, parameters }]).await?;
    }
    let sql = STORE.replace("{from}", &from.to_string()).replace("{to}", &to.to_string());
    database.execute(&sql).await
}

/// The price id and the product id of every subscription.
pub async fn price(database: &Database) -> anyhow::Result<(String, String)> {
    let sql = "select stripe_price_id, stripe_product_id from bench.price";
    let row = database.owner.query_typed_one(sql, &[]).await.context("there is no price")?;
    Ok((row.get(0), row.get(1)))
}

pub async fn times(database: &Database) -> anyhow::Result<Times> {
    let sql = "select began, ended, next_ends from bench.times";
    let row = database.owner.query_typed_one(sql, &[]).await.context("there are no times")?;
    Ok(Times { began: row.get(0), ended: row.get(1), next_ends: row.get(2) })
}
