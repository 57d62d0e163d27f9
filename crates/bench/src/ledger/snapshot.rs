//! Measures a hot account while another session holds a snapshot, as a dump does. Until the
//! snapshot ends, Postgres cannot reuse the space of old row versions.

use super::calls::{Accounts, BARE, CALLS};
use crate::database::Database;
use crate::report::{Report, figure, percent};
use crate::sql;

const CONCURRENCY: u32 = 10;
/// Seconds without a snapshot, under one, and at the end of one.
const WITHOUT: u32 = 2;
const HELD: u32 = 8;
const LAST: u32 = 2;

/// Adds a table of rates to the report.
pub async fn measure(database: &Database, report: &mut Report) -> anyhow::Result<()> {
    let head = format!("hot account, {CONCURRENCY} at a time, per second");
    let held = format!("under {} s of a snapshot", HELD + LAST);
    report.table([&head, "without", &held, "of without", "at its end", "of without"]);
    let calls = CALLS.iter().map(|call| (call.name, call.sql));
    for (name, sql) in [("bare update", BARE)].into_iter().chain(calls) {
        eprintln!("measuring under a snapshot: {name}");
        let script = Accounts::Hot.script(sql);
        let rate = |seconds| database.pgbench(&script, CONCURRENCY, seconds);
        database.execute("vacuum").await?;
        let without = rate(WITHOUT).await?;
        let holder = sql::connect_to(database.url()).await?;
        holder.query_typed("begin isolation level repeatable read", &[]).await?;
        holder.query_typed("select count(*) from bench.bare", &[]).await?;
        let (held, last) = (rate(HELD).await?, rate(LAST).await?);
        holder.query_typed("rollback", &[]).await?;
        let seconds = f64::from(HELD + LAST);
        let average = (held * f64::from(HELD) + last * f64::from(LAST)) / seconds;
        report.row([
            name.to_owned(),
            figure(Some(without), 0),
            figure(Some(average), 0),
            percent(Some(average), Some(without)),
            figure(Some(last), 0),
            percent(Some(last), Some(without)),
        ]);
    }
    Ok(())
}
