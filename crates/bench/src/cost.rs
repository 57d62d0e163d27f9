//! The cost of one call to Postgres: processor time of the session's process, bytes of WAL, statements
//! and calls of functions. They are steadier than rates: neither the disk nor another process changes
//! them much.
//!
//! Everything is measured on one connection, call by call, without waiting for the disk at a commit. The
//! processor time is that of the quickest tenth of the calls, in batches: a busy machine makes the others
//! slower. Pages that Postgres writes to the WAL as a whole after a checkpoint are left out: how many
//! there are says nothing about the call.

use anyhow::Context as _;
use tokio_postgres::Client;

use crate::machine::process_nanoseconds;
use crate::report::{Report, figure};
use crate::samples::Samples;
use crate::sql::{self, Calls};

/// Calls until the session has planned every statement for good, measured calls, and counted ones.
const WARM: usize = 100;
const MEASURED: usize = 1_500;
const COUNTED: usize = 100;
/// Measured calls whose processor time is read as one.
const BATCH: usize = 25;
/// The number of calls that [`Meter::measure`] makes.
pub const CALLS: u32 = (2 * WARM + MEASURED + COUNTED) as u32;

/// Per call.
#[derive(Clone, Debug)]
pub struct Cost {
    cpu_us: f64,
    wal_bytes: f64,
    counts: Option<Counts>,
}

#[derive(Clone, Copy, Debug)]
struct Counts {
    statements: f64,
    functions: f64,
}

/// Two sessions: counting would add to what is measured.
pub struct Meter {
    measured: Client,
    process: u32,
    is_superuser: bool,
    counted: Option<Client>,
}

impl Meter {
    /// Opens the sessions as superuser if it can. Otherwise nothing is counted.
    pub async fn open(superuser_url: Option<String>, owner_url: &str) -> anyhow::Result<Self> {
        let url = superuser_url.as_deref().unwrap_or(owner_url);
        let measured = sql::connect_to(url).await?;
        execute(&measured, "select set_config('synchronous_commit', 'off', false)").await?;
        let row = measured.query_typed_one("select pg_backend_pid()", &[]).await?;
        let process = u32::try_from(row.try_get::<_, i32>(0)?)?;
        let counted = sql::connect_to(url).await?;
        let can_count = superuser_url.is_some()
            && execute(&counted, "create extension if not exists pg_stat_statements").await.is_ok()
            // Without its library it can be created, but not asked.
            && execute(&counted, "select count(*) from pg_stat_statements").await.is_ok();
        if can_count {
            // From its first statement on: a plan that was made without counting is never counted.
            let count = "
              select
                set_config('pg_stat_statements.track', 'all', false),
                set_config('track_functions', 'pl', false),
                set_config('compute_query_id', 'on', false)";
            execute(&counted, count).await?;
        }
        let is_superuser = superuser_url.is_some();
        Ok(Self { measured, process, is_superuser, counted: can_count.then_some(counted) })
    }

    /// Leaves whole pages out of the WAL, or writes them again as a deployment does.
    pub async fn leave_pages_out(&self, leave_out: bool) -> anyhow::Result<()> {
        if self.is_superuser {
            let value = if leave_out { "off" } else { "on" };
            let sql = format!("alter system set full_page_writes = {value}");
            execute(&self.measured, &sql).await?;
            execute(&self.measured, "select pg_reload_conf()").await?;
        }
        Ok(())
    }

    /// Makes [`CALLS`] calls. None if there are too few.
    pub async fn measure(&self, calls: &Calls) -> anyhow::Result<Option<Cost>> {
        const WAL: &str = "select (pg_current_wal_insert_lsn() - '0/0')::bigint";
        let client = &self.measured;
        if !call(client, calls, WARM).await? {
            return Ok(None);
        }
        let wal = number(client, WAL).await?;
        let mut batches = Vec::new();
        for _ in 0..MEASURED / BATCH {
            let before = process_nanoseconds(self.process)?;
            if !call(client, calls, BATCH).await? {
                return Ok(None);
            }
            let taken = process_nanoseconds(self.process)? - before;
            batches.push(taken as f64 / 1_000.0 / BATCH as f64);
        }
        let wal_bytes = (number(client, WAL).await? - wal) as f64 / MEASURED as f64;
        let cpu_us = Samples::new(batches).map_or(f64::NAN, |batches| batches.p10());
        let counts = match &self.counted {
            Some(counted) => self.count(counted, calls).await?,
            None => None,
        };
        Ok(Some(Cost { cpu_us, wal_bytes, counts }))
    }

    async fn count(&self, counted: &Client, calls: &Calls) -> anyhow::Result<Option<Counts>> {
        const STATEMENTS: &str = "select coalesce(sum(calls), 0)::bigint from pg_stat_statements";
        const FUNCTIONS: &str =
            "select coalesce(sum(calls), 0)::bigint from pg_stat_user_functions";
        let reader = &self.measured;
        if !call(counted, calls, WARM).await? {
            return Ok(None);
        }
        execute(counted, "select pg_stat_force_next_flush()").await?;
        let functions = number(reader, FUNCTIONS).await?;
        execute(reader, "select pg_stat_statements_reset()").await?;
        if !call(counted, calls, COUNTED).await? {
            return Ok(None);
        }
        let statements = number(reader, STATEMENTS).await? as f64 / COUNTED as f64;
        execute(counted, "select pg_stat_force_next_flush()").await?;
        let functions = (number(reader, FUNCTIONS).await? - functions) as f64 / COUNTED as f64;
        Ok(Some(Counts { statements, functions }))
    }
}

/// False if there were too few.
async fn call(client: &Client, calls: &Calls, number: usize) -> anyhow::Result<bool> {
    for _ in 0..number {
        let Some(statements) = calls() else { return Ok(false) };
        sql::send(client, &statements).await?;
    }
    Ok(true)
}

async fn number(client: &Client, sql: &str) -> anyhow::Result<i64> {
    Ok(client.query_typed_one(sql, &[]).await?.try_get(0)?)
}

async fn execute(client: &Client, sql: &str) -> anyhow::Result<()> {
    client.query_typed(sql, &[]).await.with_context(|| format!("cannot run {sql}"))?;
    Ok(())
}

/// Begins a table of costs.
pub fn begin(report: &mut Report, what: &str) {
    let head =
        [what, "backend CPU, us", "times bare", "WAL, bytes", "statements", "function calls"];
    report.table(head);
}

/// The first row of a table is the bare statement's.
pub fn add(report: &mut Report, name: &str, cost: Option<&Cost>, bare: Option<&Cost>) {
    let cpu = |cost: Option<&Cost>| cost.map(|cost| cost.cpu_us);
    let times_bare = cpu(cost).zip(cpu(bare)).map(|(cost, bare)| cost / bare);
    let counts = cost.and_then(|cost| cost.counts);
    report.row([
        name.to_owned(),
        figure(cpu(cost), 0),
        figure(times_bare, 1),
        figure(cost.map(|cost| cost.wal_bytes), 0),
        figure(counts.map(|counts| counts.statements), 1),
        figure(counts.map(|counts| counts.functions), 1),
    ]);
}
