//! `farebox_reader`, the role of dashboards: it reads every column without personal data, and
//! nothing else. Also the comments of the schema, which dashboards and Prisma show.

use std::collections::BTreeSet;

use farebox::migrate::Files;
use farebox::migrate::reader::{READABLE, WITHHELD, columns};
use serde_json::json;
use tokio_postgres::Client;

use crate::support::{Stack, TestApp, execute, settings};

impl TestApp {
    /// A connection as a dashboard, whose login is a member of `farebox_reader` and of nothing else.
    async fn dashboard(&self) -> Client {
        let superuser = Stack::start().await.superuser(&self.database_name()).await;
        execute(
            &superuser,
            "do $$
             begin
               create role metabase login password 'for-tests-alone' in role farebox_reader;
             exception
               when duplicate_object or unique_violation then null;
             end
             $$",
        )
        .await;
        let url = self.settings["DATABASE_URL"].replace("//farebox:", "//metabase:");
        shared::adapters::postgres::connect(&settings(&url)).await.unwrap()
    }
}

/// A user with a subscription, usage, credits, history, a request and a dead letter.
async fn with_a_customer() -> TestApp {
    let app = TestApp::selling("demo").await;
    app.buy("ann", json!({ "tier": "starter", "interval": "monthly" })).await;
    let entry = json!({ "feature": "exports", "metadata": { "file": "report" } });
    let call = app.post("/api/usage").bearer(&app.token("ann")).json(entry);
    call.send().await.expect_status(200);
    execute(
        &app.owner().await,
        "select add_history('ann', null, '{\"kind\": \"chat\", \"title\": \"a secret\"}', null, null,
           farebox_now());
         select grant_credits('ann', 'grant', 'ai_credit', 5, null, null, '{\"reason\": \"on the phone\"}',
           'operator', null, null, farebox_now());",
    )
    .await;
    app
}

async fn refusal(client: &Client, sql: &str) -> String {
    let error = client.query_typed(sql, &[]).await.expect_err(sql);
    error.code().unwrap_or_else(|| panic!("{sql}: {error:?}")).code().to_owned()
}

/// Every column of our tables and views, as `table.column`.
async fn all_columns(owner: &Client) -> Vec<String> {
    let sql = "select format('%s.%s', c.relname, a.attname)
               from pg_class c
               join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
               where c.relnamespace = 'public'::regnamespace
                 and c.relkind in ('r', 'p', 'v')
                 and not c.relispartition
               order by 1";
    owner.query_typed(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// PT-13: a new column is not readable until its author has decided.
#[tokio::test]
async fn each_column_is_either_readable_or_withheld() {
    let app = TestApp::new().await;
    let in_schema = all_columns(&app.owner().await).await;
    let mut listed = [columns(READABLE), columns(WITHHELD)].concat();
    listed.sort_unstable();
    let known: BTreeSet<&String> = listed.iter().collect();
    let new: Vec<&String> = in_schema.iter().filter(|column| !known.contains(column)).collect();
    assert!(new.is_empty(), "name in READABLE or WITHHELD of cli/src/migrate/reader.rs: {new:?}");
    let exist: BTreeSet<&String> = in_schema.iter().collect();
    let gone: Vec<&String> = listed.iter().filter(|column| !exist.contains(column)).collect();
    assert!(gone.is_empty(), "not in the schema: {gone:?}");
    assert_eq!(listed.len(), known.len(), "a column is listed twice");
}

#[tokio::test]
async fn a_dashboard_reads_every_row_without_personal_data() {
    let app = with_a_customer().await;
    let (owner, dashboard) = (app.owner().await, app.dashboard().await);
    for (table, columns) in READABLE {
        let columns = columns.replace(' ', ", ");
        let read = format!("select {columns} from {table}");
        let rows = dashboard.query_typed(&read, &[]).await;
        let rows = rows.unwrap_or_else(|error| panic!("{read}: {error:?}"));
        let all: i64 = app.count(&format!("select count(*) from {table}")).await;
        assert_eq!(i64::try_from(rows.len()).unwrap(), all, "rows of {table}");
    }
    for filled in ["subscriptions", "billing_events", "current_usage", "usage_events", "history"] {
        assert!(app.count(&format!("select count(*) from {filled}")).await > 0, "{filled}");
    }
    let policies = "select count(*) from pg_policy
                    where 'farebox_reader'::regrole = any (polroles) and polcmd <> 'r'";
    let writes: i64 = owner.query_typed_one(policies, &[]).await.unwrap().get(0);
    assert_eq!(writes, 0, "policies to write");
}

#[tokio::test]
async fn a_dashboard_reads_no_personal_data() {
    let app = with_a_customer().await;
    let dashboard = app.dashboard().await;
    for column in columns(WITHHELD) {
        let (table, column) = column.split_once('.').unwrap();
        let refused = refusal(&dashboard, &format!("select {column} from {table}")).await;
        assert_eq!(refused, "42501", "{column} of {table}");
    }
    for (table, _) in WITHHELD {
        let whole = format!("select {table} from {table}");
        assert_eq!(refusal(&dashboard, &whole).await, "42501", "{whole}");
    }
    for partition in ["usage_events_default", "audit_log_default", "api_log_default"] {
        let read = format!("select count(*) from {partition}");
        assert_eq!(refusal(&dashboard, &read).await, "42501", "{read}");
    }
}

#[tokio::test]
async fn a_dashboard_writes_nothing_and_calls_nothing_that_writes() {
    let app = with_a_customer().await;
    let dashboard = app.dashboard().await;
    for table in Files::embedded().relations() {
        for write in [
            format!("delete from {table}"),
            format!("truncate {table}"),
            format!("insert into {table} default values"),
            format!("alter table {table} disable row level security"),
        ] {
            let refused = refusal(&dashboard, &write).await;
            // A view, or a column that is always generated, refuses before the rights are checked.
            let is_refused = ["42501", "42809", "428C9", "55000"].contains(&&*refused);
            assert!(is_refused, "{write}: {refused}");
        }
    }
    let update = "update subscriptions set status = 'active'";
    assert_eq!(refusal(&dashboard, update).await, "42501");
    let callable = "select p.proname::text
                    from pg_proc p
                    where p.pronamespace = 'public'::regnamespace
                      and has_function_privilege('metabase', p.oid, 'execute')
                    order by 1";
    let rows = dashboard.query_typed(callable, &[]).await.unwrap();
    let callable: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(callable, ["farebox_now", "period_at"]);
    let call = "select erase_user('ann', farebox_now())";
    assert_eq!(refusal(&dashboard, call).await, "42501");
    assert_eq!(refusal(&dashboard, "create table mine (id int)").await, "42501");
}

/// PT-13: dashboards and Prisma show the comments.
#[tokio::test]
async fn every_table_view_and_column_has_a_comment() {
    let app = TestApp::new().await;
    let sql = "select concat_ws('.', c.relname, a.attname)
               from pg_class c
               left join lateral (
                 select attnum, attname from pg_attribute
                 where attrelid = c.oid and attnum > 0 and not attisdropped
                 union all
                 select 0, null
               ) a on true
               where c.relnamespace = 'public'::regnamespace
                 and c.relkind in ('r', 'p', 'v')
                 and not c.relispartition
                 and not exists (
                   select from pg_description d
                   where d.objoid = c.oid
                     and d.classoid = 'pg_class'::regclass
                     and d.objsubid = a.attnum)
               order by 1";
    let rows = app.owner().await.query_typed(sql, &[]).await.unwrap();
    let silent: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(silent, [""; 0], "add `comment on` below the table");
}

/// PT-13: `docs/schema.prisma` takes from the comment whether a view's column may be null.
#[tokio::test]
async fn a_views_column_without_null_in_its_comment_has_none() {
    let app = with_a_customer().await;
    let owner = app.owner().await;
    let sql = "select c.relname::text, a.attname::text
               from pg_class c
               join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
               where c.relnamespace = 'public'::regnamespace
                 and c.relkind = 'v'
                 and col_description(c.oid, a.attnum) !~* '\\mnull\\M'";
    for row in owner.query_typed(sql, &[]).await.unwrap() {
        let (view, column): (String, String) = (row.get(0), row.get(1));
        let nulls = format!("select count(*) from {view} where {column} is null");
        assert_eq!(app.count(&nulls).await, 0, "{view}.{column}");
    }
}
