//! Checks Postgres: the connection, the migrations, and the rights of the functions' login.

use std::time::Instant;

use farebox::migrate::{self, Files};
use farebox::terminal::checks::CheckReport;
use jiff::{SignedDuration, Timestamp};
use shared::app::App;
use shared::config::Database;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::{backlog, with_causes};

/// The difference that Postgres's functions and Stripe's signatures accept.
const CLOCK_LIMIT: SignedDuration = SignedDuration::from_mins(5);
/// The number of exceptions that are listed.
const LISTED: usize = 5;

/// Returns true if Farebox's tables can be read. Otherwise the checks that read them would fail for
/// the same reason.
pub(super) async fn check(app: &App, report: &mut CheckReport) -> bool {
    let database = &app.config.database;
    let Some(client) = connect(app, report).await else { return false };
    let has_tables = check_schema(database, &client, report).await;
    check_time_limit(&client, report).await;
    check_clock(&client, report).await;
    if has_tables {
        backlog::check(app, report).await;
    }
    has_tables
}

async fn connect(app: &App, report: &mut CheckReport) -> Option<Client> {
    let database = &app.config.database;
    let client = match shared::adapters::postgres::connect(database).await.map_err(with_causes) {
        Ok(client) => client,
        Err(error) => {
            let fix = "Check DATABASE_URL, and DATABASE_CA_CERT if the server uses a private \
                       authority. A database that is suspended while it is idle may answer a second \
                       attempt.";
            report.failed("postgres", format!("{error:#}"), fix);
            return None;
        }
    };
    match describe(app, &client).await {
        Ok(found) => {
            report.passed("postgres", found);
            Some(client)
        }
        Err(error) => {
            let fix = "Check that this role may run queries.";
            report.failed("postgres", format!("{error:#}"), fix);
            None
        }
    }
}

/// Checks the migrations and the rights. Returns true if the tables can be read.
async fn check_schema(database: &Database, client: &Client, report: &mut CheckReport) -> bool {
    let (schema, files) = (&database.schema, Files::embedded());
    match outsider(database, client).await {
        Ok(None) => {}
        Ok(Some(role)) => {
            let found = format!("the connecting role {role} is not a member of farebox_app");
            let fix = format!("Run as the database's owner: grant farebox_app to {role}");
            report.failed("rights", found, &fix);
            return false;
        }
        Err(error) => {
            report.failed("rights", format!("{error:#}"), "Check that this role may run queries.");
            return false;
        }
    }
    let fix = "Run `farebox migrate` with the owner's DIRECT_URL.";
    match migrate::pending(client, schema, &files).await {
        Ok(lines) if lines.is_empty() => report.passed("migrations", "all applied"),
        Ok(lines) => report.failed("migrations", shortened(lines), fix),
        Err(error) => {
            report.failed("migrations", format!("{error:#}"), fix);
            return false;
        }
    }
    match migrate::exceptions(client, schema, &files).await {
        Ok(lines) if lines.is_empty() => report.passed("rights", "as expected"),
        Ok(lines) => report_exceptions(lines, report),
        Err(error) => report.failed("rights", format!("{error:#}"), fix),
    }
    true
}

/// Returns the connecting role if it may not read the table of migrations, which every member of
/// `farebox_app` may read.
async fn outsider(database: &Database, client: &Client) -> anyhow::Result<Option<String>> {
    let sql = "select quote_ident(current_user)
               from pg_class c
               join pg_namespace n on n.oid = c.relnamespace
               where n.nspname = $1
                 and c.relname = 'farebox_migrations'
                 and not has_table_privilege(c.oid, 'select')";
    let schema = database.schema.as_str();
    let row = client.query_typed_opt(sql, &[(&schema, Type::TEXT)]).await.map_err(with_causes)?;
    Ok(row.map(|row| row.get(0)))
}

/// Reports exceptions from the rules on roles and grants. A login that owns the tables has one for
/// each table and function, so its others come first.
fn report_exceptions(lines: Vec<String>, report: &mut CheckReport) {
    let (of_login, of_grants): (Vec<_>, Vec<_>) =
        lines.into_iter().partition(|line| line.starts_with("the connecting role "));
    let fix = if of_login.is_empty() {
        "Run `farebox migrate` with the owner's DIRECT_URL: it sets all grants again."
    } else {
        "Set DATABASE_URL to a login in the role farebox_app: docs/SETUP.md, section 2, step 2."
    };
    let (owns, others): (Vec<_>, Vec<_>) =
        of_login.into_iter().partition(|line| line.contains(" owns "));
    report.failed("rights", shortened([others, owns, of_grants].concat()), fix);
}

fn shortened(mut lines: Vec<String>) -> String {
    let more = lines.len().saturating_sub(LISTED);
    lines.truncate(LISTED);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines.join(", ")
}

/// Checks that the role has a statement timeout. Without one, the statement of a function that
/// ended, or gave up after five seconds, keeps running and holds its locks. Only a setting of the
/// role reaches every connection, including those through a pooler.
async fn check_time_limit(client: &Client, report: &mut CheckReport) {
    let sql = "select current_setting('statement_timeout'), quote_ident(current_user)";
    match client.query_typed_one(sql, &[]).await {
        Ok(row) => {
            let (limit, role): (String, String) = (row.get(0), row.get(1));
            if limit == "0" {
                let found = format!("the role {role} has no statement_timeout");
                let fix = format!("Run: alter role {role} set statement_timeout = '5s'");
                report.failed("time limit", found, &fix);
            } else {
                report.passed("time limit", format!("Postgres ends a statement after {limit}"));
            }
        }
        Err(error) => {
            let fix = "Check that this role may run queries.";
            report.failed("time limit", format!("{:#}", with_causes(error)), fix);
        }
    }
}

/// Compares the clocks: with a difference of more than five minutes, Postgres refuses the functions'
/// times (FB009), and Farebox refuses Stripe's signatures.
async fn check_clock(client: &Client, report: &mut CheckReport) {
    let before = Timestamp::now();
    let row = client.query_typed_one("select clock_timestamp()", &[]).await;
    match row.map(|row| row.get::<_, Timestamp>(0).duration_since(before)) {
        Ok(ahead) if are_apart(ahead) => {
            let found = format!("Postgres's clock differs from this machine's by {ahead:#}");
            report.failed("clock", found, "Set the clock that is wrong, and keep it set by NTP.");
        }
        Ok(_) => report.passed("clock", "that of Postgres agrees with this machine's"),
        Err(error) => {
            let fix = "Check that this role may run queries.";
            report.failed("clock", format!("{:#}", with_causes(error)), fix);
        }
    }
}

fn are_apart(ahead: SignedDuration) -> bool {
    ahead.abs() > CLOCK_LIMIT
}

/// Describes the version, the role, the pooling and the time of a query.
async fn describe(app: &App, client: &Client) -> anyhow::Result<String> {
    let sql = "select current_user::text, current_setting('server_version')";
    let started = Instant::now();
    let row = client.query_typed_one(sql, &[]).await?;
    let took = started.elapsed();
    let (role, version): (String, String) = (row.get(0), row.get(1));
    let other =
        shared::adapters::postgres::connect(&app.config.database).await.map_err(with_causes)?;
    let pooled = migrate::is_pooled(client, &other).await?;
    let pooling = if pooled { "through a transaction-mode pooler" } else { "directly" };
    Ok(format!("{version}, as {role}, {pooling}, a query from here in {took:.1?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_by_five_minutes_in_either_direction() {
        let seconds = SignedDuration::from_secs;
        assert!(!are_apart(seconds(300)) && !are_apart(seconds(-300)));
        assert!(are_apart(seconds(301)) && are_apart(seconds(-301)));
    }
}
