//! Measures the cost of one call to Postgres: processor time of the session's process, bytes of
//! WAL, statements and function calls. These vary less than rates: the disk and other processes
//! hardly affect them.
//!
//! One connection makes all measured calls, one after the other, and a commit does not wait for the
//! disk. The processor time is the 10th percentile over batches of calls, because a busy machine
//! slows some batches down. The WAL excludes the full pages that Postgres writes after a
//! checkpoint, because their number does not depend on the call.

use anyhow::Context as _;
use tokio_postgres::Client;

use crate::machine::process_nanoseconds;
use crate::report::{Report, figure};
use crate::samples::Samples;
use crate::sql::{self, Calls};

/// Calls before the measurement, so that the session has cached every plan.
const WARM: usize = 100;
const MEASURED: usize = 1_500;
const COUNTED: usize = 100;
/// Measured calls between two readings of the processor time.
const BATCH: usize = 25;
/// The number of calls that [`Meter::measure`] makes.
pub const CALLS: u32 = (2 * WARM + MEASURED + COUNTED) as u32;

/// The cost of one call.
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

/// A session that measures and one that counts, because counting costs processor time.
pub struct Meter {
    measured: Client,
    process: u32,
    is_superuser: bool,
    counted: Option<Client>,
}

impl Meter {
    /// Opens the sessions, as superuser if possible. Without a superuser, the meter counts nothing.
    pub async fn open(superuser_url: Option<String>, owner_url: &str) -> anyhow::Result<Self> {
        let url = superuser_url.as_deref().unwrap_or(owner_url);
        let measured = sql::connect_to(url).await?;
        execute(&measured, "select set_config('synchronous_commit', 'off', false)").await?;
        let row = measured.query_typed_one("select pg_backend_pid()", &[]).await?;
        let process = u32::try_from(row.try_get::<_, i32>(0)?)?;
        let counted = sql::connect_to(url).await?;
        let can_count = superuser_url.is_some()
            && execute(&counted, "create extension if not exists pg_stat_statements").await.is_ok()
            // Without the preloaded library, the extension can be created but not queried.
            && execute(&counted, "select count(*) from pg_stat_statements").await.is_ok();
        if can_count {
            // Before the first measured statement: Postgres never counts a plan made without
            // counting.
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

    /// Turns full pages in the WAL off, or on as in a deployment.
    pub async fn leave_pages_out(&self, leave_out: bool) -> anyhow::Result<()> {
        if self.is_superuser {
            let value = if leave_out { "off" } else { "on" };
            let sql = format!("alter system set full_page_writes = {value}");
            execute(&self.measured, &sql).await?;
            execute(&self.measured, "select pg_reload_conf()").await?;
        }
        Ok(())
    }

    /// Makes [`CALLS`] calls. Returns `None` if there are too few.
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

/// Makes `number` calls. Returns false if there are too few.
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

/// Adds a row. The first row of a table must be that of the bare statement.
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
