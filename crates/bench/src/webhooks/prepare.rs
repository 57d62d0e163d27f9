//! The data before the first measurement: customers with a subscription each.

use anyhow::Context as _;

use crate::database::Database;

/// Customers of the measured events, earlier events, and the scripts.
const STORE: &str = include_str!("store.sql");
pub const TOOLS: &str = include_str!("tools.sql");
pub const BARE: &str = "
\\set n random(1, 1000000000)
insert into bench.bare (id, kind, created_at, processed_at)
values (gen_random_uuid(), 'an.event', now(), :n);
";
const UPDATE: &str = "
select apply_event(bench.update({first} + 2 * (n % {turns}), n / {turns}), now())
from nextval('bench.events') n;
";
const RENEWAL: &str = "
select apply_event(bench.renewal({first} + 2 * n), now())
from nextval('bench.events') n;
";

/// The number of customers whose events take turns.
pub const TURNS: u64 = 25_000;

/// A kind of event about a subscription.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// The user's entitlement does not change, as with most events.
    Update,
    /// Another month is paid: the user gets credits, and those of the last month expire.
    Renewal,
}

/// The start and the end of the paid month, and the end of the next.
pub struct Times {
    pub began: i64,
    pub ended: i64,
    pub next_ends: i64,
}

/// The script that applies such events of every second customer from that number on: updates of a few
/// in turn, or one renewal of each.
pub async fn script(database: &Database, event: Event, first: u32) -> anyhow::Result<String> {
    database.execute("alter sequence bench.events restart").await?;
    let sql = match event {
        Event::Update => UPDATE,
        Event::Renewal => RENEWAL,
    };
    Ok(sql.replace("{first}", &first.to_string()).replace("{turns}", &TURNS.to_string()))
}

/// The number of events that the script has applied.
pub async fn applied(database: &Database) -> anyhow::Result<u64> {
    let row = database.owner.query_typed_one("select last_value from bench.events", &[]).await;
    Ok(row.context("there is no sequence")?.get::<_, i64>(0).unsigned_abs())
}

/// Stores so many customers from that number on.
pub async fn store(database: &Database, from: u32, to: u32) -> anyhow::Result<()> {
    eprintln!("storing customers {from} to {to}");
    let sql = STORE.replace("{from}", &from.to_string()).replace("{to}", &to.to_string());
    database.execute(&sql).await
}

/// The price that they all pay.
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
