//! The migration runner: applies the files of `migrations/`. Several deploys may run it at once.
//!
//! - A migration runs once, in a transaction with the row that records it.
//! - A migration whose first line is `-- no-transaction` has a single statement that is safe to
//!   repeat, such as an index built `concurrently`.
//! - The runner rejects an applied file that was edited.
//! - A SQL function is replaced when its text changes. Every run sets all grants again.
//!
//! The runner needs a direct connection, because its lock and its `search_path` belong to the
//! session. Functions that set `search_path from current` take it from there.
//!
//! Deliberately absent: down migrations. To undo a migration, write a new one.

mod files;
mod grants;
#[cfg(test)]
mod layout;
pub mod reader;

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use shared::config::{Database, Problems, Schema};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

pub(crate) use files::Param;
use files::{EXCEPTIONS, SCHEMA_RIGHTS};

pub use files::{Files, Sql};

/// The advisory lock of a database's runners: `farebox` in similar hexadecimal digits.
const LOCK: i64 = 0x0fa2_eb0c;
/// The longest wait for another runner, which may be building a large index.
const LOCK_PATIENCE: Duration = Duration::from_secs(600);
const LOCK_POLL: Duration = Duration::from_millis(100);
/// Begins a transaction. While it waits for a table's lock, every later statement on the table
/// waits behind it, so it fails after five seconds and the operator tries again. Its own statements
/// have no time limit.
const BEGIN: &str = "begin; set local lock_timeout to '5s'; set local statement_timeout to 0";

/// The result of a run.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Applied {
    pub migrations: Vec<String>,
    pub functions: Vec<String>,
}

/// The database with its owner's login: the direct URL, or else `DATABASE_URL`.
pub fn owner_database(given: impl Fn(&str) -> Option<String>) -> Result<Database, Problems> {
    let given = |name: &str| given(name).filter(|value| !value.is_empty());
    let direct = given("DIRECT_URL").or_else(|| given("DATABASE_URL_UNPOOLED"));
    Database::from_vars(|name| match name {
        "DATABASE_URL" => direct.clone().or_else(|| given(name)),
        name => given(name),
    })
}

/// Applies the files to the database.
pub async fn run(database: &Database, files: &Files) -> anyhow::Result<Applied> {
    let connect = || shared::adapters::postgres::connect(database);
    let client = connect().await.context("cannot connect to Postgres")?;
    let other = connect().await.context("cannot connect to Postgres")?;
    if is_pooled(&client, &other).await? {
        bail!(
            "this connection goes through a transaction-mode pooler, but migrations need one session; \
             set DIRECT_URL to the database's own address"
        );
    }
    let runner = Runner { client, schema: &database.schema };
    runner.lock().await?;
    // The lock ends with the connection, which ends with the runner.
    runner.apply(files).await
}

/// Returns true if a transaction-mode pooler assigns the backends: the two connections share a
/// backend, or one of them changes its backend.
pub async fn is_pooled(one: &Client, other: &Client) -> anyhow::Result<bool> {
    let mut backends = Vec::new();
    for client in [one, other, other, one] {
        let row = client.query_typed_one("select pg_backend_pid()", &[]).await?;
        backends.push(row.get::<_, i32>(0));
    }
    Ok(backends[0] == backends[1] || backends[1] != backends[2] || backends[3] != backends[0])
}

/// Lists the files that are not applied or differ, one per line. The functions' role may run this.
pub async fn pending(
    client: &Client,
    schema: &Schema,
    files: &Files,
) -> anyhow::Result<Vec<String>> {
    let sql = format!("select name, checksum from {schema}.farebox_migrations");
    let rows = client.query_typed(&sql, &[]).await.map_err(explain)?;
    let recorded: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let missing = files.migrations.iter().chain(&files.functions).filter_map(|sql| match recorded
        .iter()
        .find(|(name, _)| *name == sql.name)
    {
        None => Some(format!("{} is not applied", sql.name)),
        Some((_, checksum)) if *checksum != sql.checksum() => {
            Some(format!("{} differs from this version of Farebox", sql.name))
        }
        Some(_) => None,
    });
    Ok(missing.collect())
}

/// Lists every exception from the rules on roles and grants, one per line, as the connected role
/// sees it.
pub async fn exceptions(
    client: &Client,
    schema: &Schema,
    files: &Files,
) -> anyhow::Result<Vec<String>> {
    let schema = schema.as_str();
    let relations = files.relations();
    let functions: Vec<&str> = files.functions.iter().map(|sql| sql.name.as_str()).collect();
    let readable = reader::columns(reader::READABLE);
    let params: &[Param<'_>] = &[
        (&schema, Type::TEXT),
        (&relations, Type::TEXT_ARRAY),
        (&functions, Type::TEXT_ARRAY),
        (&readable, Type::TEXT_ARRAY),
    ];
    let rows = client.query_typed(EXCEPTIONS, params).await.map_err(explain)?;
    let mut exceptions: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    exceptions.extend(intruders(client, schema).await?);
    Ok(exceptions)
}

/// Lists every role that can run its own code as the owner of our functions, one per line.
async fn intruders(client: &Client, schema: &str) -> anyhow::Result<Vec<String>> {
    let params: &[Param<'_>] = &[(&schema, Type::TEXT)];
    let rows = client.query_typed(SCHEMA_RIGHTS, params).await.map_err(explain)?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

struct Runner<'a> {
    client: Client,
    schema: &'a Schema,
}

impl Runner<'_> {
    /// Polls for the lock. A statement that waits inside Postgres keeps a snapshot, and the other
    /// runner's `create index concurrently` would wait for that.
    async fn lock(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        while !self
            .query_value::<bool>("select pg_try_advisory_lock($1)", &[(&LOCK, Type::INT8)])
            .await?
        {
            if started.elapsed() > LOCK_PATIENCE {
                bail!("another migration has been running for {LOCK_PATIENCE:?}; try again later");
            }
            tokio::time::sleep(LOCK_POLL).await;
        }
        Ok(())
    }

    async fn apply(&self, files: &Files) -> anyhow::Result<Applied> {
        self.prepare().await?;
        let mut applied = Applied::default();
        for migration in &files.migrations {
            if self.is_pending(migration).await? {
                self.migrate(migration)
                    .await
                    .with_context(|| format!("migration {} failed", migration.name))?;
                applied.migrations.push(migration.name.clone());
            }
        }
        self.replace_functions(files, &mut applied).await?;
        Ok(applied)
    }

    /// Replaces functions and grants in one transaction, so that no role has a wrong grant and no
    /// function calls an older one.
    async fn replace_functions(&self, files: &Files, applied: &mut Applied) -> anyhow::Result<()> {
        self.execute(BEGIN).await?;
        for function in &files.functions {
            if self.recorded(&function.name).await?.as_deref() != Some(&function.checksum()) {
                self.execute(&function.text)
                    .await
                    .with_context(|| format!("function {} failed", function.name))?;
                self.record(function).await?;
                applied.functions.push(function.name.clone());
            }
        }
        self.execute(&grants::statements(self.schema, files)).await.context("granting failed")?;
        self.execute("commit").await
    }

    async fn prepare(&self) -> anyhow::Result<()> {
        let schema = self.schema;
        const FAILED: &str = "cannot prepare the schema; does this role own the database?";
        let create = format!(
            "set client_min_messages to warning;
             create schema if not exists {schema};"
        );
        self.execute(&create).await.context(FAILED)?;
        self.refuse_intruders().await?;
        // Functions call one another in any order, so their bodies are checked when they run.
        self.execute(&format!(
            "set search_path to {schema}, pg_temp;
             set check_function_bodies to off;
             create table if not exists farebox_migrations (
               name       text primary key,
               checksum   text not null,
               applied_at timestamptz not null default now()
             );
             alter table farebox_migrations enable row level security;"
        ))
        .await
        .context(FAILED)
    }

    /// Fails if other roles may create objects in the schema. It runs before the first object is
    /// created there.
    async fn refuse_intruders(&self) -> anyhow::Result<()> {
        let schema = self.schema;
        let found = intruders(&self.client, schema.as_str()).await?;
        if !found.is_empty() {
            bail!(
                "{}.\nRun `revoke create on schema {schema} from public` (or from the role that is \
                 named) as the schema's owner, and drop the objects of other roles there. Or set \
                 FAREBOX_SCHEMA to a schema that does not exist yet, such as farebox: `farebox \
                 migrate` creates it and owns it.",
                found.join(",\n")
            );
        }
        Ok(())
    }

    async fn is_pending(&self, migration: &Sql) -> anyhow::Result<bool> {
        match self.recorded(&migration.name).await? {
            None => Ok(true),
            Some(checksum) if checksum == migration.checksum() => Ok(false),
            Some(_) => bail!(
                "{} was edited after it was applied to this database. Restore the old text, and make \
                 the change in a new migration.",
                migration.name
            ),
        }
    }

    async fn migrate(&self, migration: &Sql) -> anyhow::Result<()> {
        for table in migration.relations() {
            let (schema, name) = (self.schema, format!("{}.{table}", self.schema));
            let sql = "select to_regclass($1) is not null";
            if self.query_value::<bool>(sql, &[(&name, Type::TEXT)]).await? {
                bail!(
                    "the schema {schema} already has a table {table} that Farebox did not create. \
                     Set FAREBOX_SCHEMA to a schema of its own."
                );
            }
        }
        if migration.is_outside_transactions() {
            self.execute("set statement_timeout to 0").await?;
            self.drop_invalid_index(migration).await?;
            self.execute(&migration.text).await?;
            return self.record(migration).await;
        }
        let recording = format!(
            "insert into farebox_migrations (name, checksum) values ('{}', '{}')",
            migration.name,
            migration.checksum()
        );
        self.execute(&format!("{BEGIN};\n{}\n;\n{recording};\ncommit;", migration.text)).await
    }

    /// Drops the invalid index that an interrupted concurrent build left under the same name.
    async fn drop_invalid_index(&self, migration: &Sql) -> anyhow::Result<()> {
        let Some(index) = migration.index() else { return Ok(()) };
        let name = format!("{}.{index}", self.schema);
        let sql = "select exists (
                     select 1 from pg_index
                     where indexrelid = to_regclass($1) and not indisvalid
                   )";
        if self.query_value::<bool>(sql, &[(&name, Type::TEXT)]).await? {
            self.execute(&format!("drop index concurrently {name}")).await?;
        }
        Ok(())
    }

    async fn recorded(&self, name: &str) -> anyhow::Result<Option<String>> {
        let sql = "select checksum from farebox_migrations where name = $1";
        let row = self.client.query_typed_opt(sql, &[(&name, Type::TEXT)]).await?;
        Ok(row.map(|row| row.get(0)))
    }

    async fn record(&self, sql: &Sql) -> anyhow::Result<()> {
        let statement = "insert into farebox_migrations (name, checksum) values ($1, $2)
                         on conflict (name) do update
                         set checksum = excluded.checksum, applied_at = now()";
        let checksum = sql.checksum();
        let params: &[Param<'_>] = &[(&sql.name, Type::TEXT), (&checksum, Type::TEXT)];
        self.client.query_typed(statement, params).await?;
        Ok(())
    }

    async fn query_value<T>(&self, sql: &str, params: &[Param<'_>]) -> anyhow::Result<T>
    where
        T: for<'r> tokio_postgres::types::FromSql<'r>,
    {
        Ok(self.client.query_typed_one(sql, params).await?.get(0))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a direct connection, and files with several statements"
    )]
    async fn execute(&self, sql: &str) -> anyhow::Result<()> {
        self.client.batch_execute(sql).await.map_err(explain)
    }
}

/// Returns Postgres's own message, which names the table or the line. The driver's is only
/// `db error`.
fn explain(error: tokio_postgres::Error) -> anyhow::Error {
    match error.as_db_error() {
        Some(database) => anyhow::anyhow!("{} ({})", database.message(), database.code().code()),
        None => error.into(),
    }
}
