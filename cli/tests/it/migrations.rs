//! The migration runner, and the rights of the roles in the migrated schema.

use farebox::migrate::{self, Files, Sql};
use futures_util::future::join_all;
use shared::config::Database;
use tokio_postgres::Client;

use crate::support::{Stack, TestApp, execute, settings};

async fn connect(database: &Database) -> Client {
    shared::adapters::postgres::connect(database).await.unwrap()
}

fn migration(name: &str, text: &str) -> Sql {
    Sql { name: name.to_owned(), text: text.to_owned() }
}

async fn refusal(database: &Database, files: &Files) -> String {
    format!("{:#}", migrate::run(database, files).await.expect_err("it should be refused"))
}

/// CR-7: safe from several deploys at once.
#[tokio::test]
async fn eight_runners_at_once_apply_each_migration_once() {
    let database = settings(&Stack::start().await.empty_database().await.owner);
    let files = Files::embedded();
    let runs = join_all((0..8).map(|_| migrate::run(&database, &files))).await;
    let applied: Vec<String> = runs.into_iter().flat_map(|run| run.unwrap().migrations).collect();
    let all: Vec<String> = files.migrations.iter().map(|sql| sql.name.clone()).collect();
    assert_eq!(applied, all, "one runner applied everything");

    let again = migrate::run(&database, &files).await.unwrap();
    assert_eq!(again, migrate::Applied::default());
    let client = connect(&database).await;
    assert_eq!(migrate::pending(&client, &database.schema, &files).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn an_applied_file_that_was_edited_is_refused() {
    let database = settings(&Stack::start().await.empty_database().await.owner);
    let mut files = Files::embedded();
    migrate::run(&database, &files).await.unwrap();
    files.migrations[0].text += "\n-- edited\n";
    let refusal = refusal(&database, &files).await;
    assert!(refusal.contains("0001_accounts was edited after it was applied"), "{refusal}");
    let client = connect(&database).await;
    let pending = migrate::pending(&client, &database.schema, &files).await.unwrap();
    assert_eq!(pending, ["0001_accounts differs from this version of Farebox"]);
}

#[tokio::test]
async fn a_function_is_replaced_when_its_text_changes() {
    let database = settings(&Stack::start().await.empty_database().await.owner);
    let mut files = Files::embedded();
    migrate::run(&database, &files).await.unwrap();
    files.functions[0].text += "\n-- better\n";
    let applied = migrate::run(&database, &files).await.unwrap();
    assert_eq!(applied.functions, [files.functions[0].name.clone()]);
    assert_eq!(applied.migrations, [""; 0]);
}

#[tokio::test]
async fn a_table_that_farebox_did_not_create_is_refused() {
    let database = settings(&Stack::start().await.empty_database().await.owner);
    let client = connect(&database).await;
    execute(&client, "create table users (id int); insert into users values (7)").await;
    let refusal = refusal(&database, &Files::embedded()).await;
    assert!(refusal.contains("already has a table users that Farebox did not create"), "{refusal}");
    assert!(refusal.contains("FAREBOX_SCHEMA"), "{refusal}");
    let kept = client.query_typed_one("select id from users", &[]).await.unwrap();
    assert_eq!(kept.get::<_, i32>(0), 7);

    let apart = Database { schema: "farebox".parse().unwrap(), ..database };
    migrate::run(&apart, &Files::embedded()).await.unwrap();
    let functions = "select count(*) from pg_proc where pronamespace = 'farebox'::regnamespace";
    let count: i64 = client.query_typed_one(functions, &[]).await.unwrap().get(0);
    assert_eq!(count, i64::try_from(Files::embedded().functions.len()).unwrap());
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing() {
    let database = settings(&Stack::start().await.empty_database().await.owner);
    let mut files = Files::embedded();
    let broken = "create table half (id int);\nselect 1 / 0;\n";
    files.migrations.push(migration("0999_broken", broken));
    let refusal = refusal(&database, &files).await;
    assert!(refusal.contains("0999_broken failed: division by zero"), "{refusal}");
    let client = connect(&database).await;
    let half = "select to_regclass('public.half') is null";
    assert!(client.query_typed_one(half, &[]).await.unwrap().get::<_, bool>(0));

    files.migrations.pop();
    migrate::run(&database, &files).await.unwrap();
}

/// A statement that waits for a table lock blocks every statement after it.
#[tokio::test]
async fn a_migration_does_not_wait_long_for_a_table_in_use() {
    let database = settings(&Stack::start().await.empty_database().await.owner);
    let mut files = Files::embedded();
    migrate::run(&database, &files).await.unwrap();
    let dump = connect(&database).await;
    execute(&dump, "begin; lock table history in access share mode").await;
    let text = "-- a column.

alter table history add column color text;
";
    files.migrations.push(migration("0999_color", text));
    let refusal = refusal(&database, &files).await;
    assert!(refusal.contains("0999_color failed: canceling statement due to lock"), "{refusal}");
    execute(&dump, "rollback").await;
    migrate::run(&database, &files).await.unwrap();
}

/// DM-2: later migrations build indexes without blocking writers. An interrupted build leaves an
/// invalid index.
#[tokio::test]
async fn an_interrupted_index_build_is_repeated() {
    let database = settings(&Stack::start().await.empty_database().await.owner);
    let mut files = Files::embedded();
    migrate::run(&database, &files).await.unwrap();
    let client = connect(&database).await;
    execute(
        &client,
        "insert into accounts values ('a', 'epoch'), ('b', 'epoch');
         create table twice (id int); insert into twice values (1), (1)",
    )
    .await;
    let text = "-- no-transaction: for a table in use.\n\n\
                create unique index concurrently if not exists only_once on twice (id);\n";
    files.migrations.push(migration("0999_only_once", text));
    let first = refusal(&database, &files).await;
    assert!(first.contains("could not create unique index"), "{first}");
    execute(&client, "delete from twice").await;
    migrate::run(&database, &files).await.unwrap();
    let valid = "select indisvalid from pg_index where indexrelid = 'only_once'::regclass";
    assert!(client.query_typed_one(valid, &[]).await.unwrap().get::<_, bool>(0));
}

/// The rules on roles and grants, checked over the system catalogs as the functions' role.
#[tokio::test]
async fn no_right_violates_the_rules() {
    let app = TestApp::new().await;
    let database = settings(&app.settings["DATABASE_URL"]);
    let client = connect(&database).await;
    let files = Files::embedded();
    let exceptions = migrate::exceptions(&client, &database.schema, &files).await.unwrap();
    assert_eq!(exceptions, [""; 0]);
    let tables = "select count(*) from pg_class
                  where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'p', 'm')";
    let count: i64 = client.query_typed_one(tables, &[]).await.unwrap().get(0);
    assert_eq!(count, i64::try_from(files.relations().len()).unwrap(), "every table is checked");
}

/// The same check finds each kind of violation.
#[tokio::test]
async fn every_violation_of_the_rules_is_found() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    execute(
        &owner,
        "alter table accounts disable row level security;
         grant insert on accounts to farebox_app;
         grant select on history to public;
         grant usage on sequence credit_grants_id_seq to public;
         grant execute on function erase_user to public;
         grant execute on function spend_credits to farebox_user;
         grant select on history to farebox_reader;
         grant select (claimed_email) on accounts to farebox_reader;
         grant update (claimed_email) on accounts to farebox_app;
         grant execute on function erase_user to farebox_reader;
         grant create on schema public to public;
         alter function add_history reset all;
         alter function comp_plan set search_path to public;",
    )
    .await;
    let login = settings(&app.settings["DATABASE_URL"]);
    let client = connect(&login).await;
    let found = async || {
        let files = Files::embedded();
        let mut found = migrate::exceptions(&client, &login.schema, &files).await.unwrap();
        found.sort_unstable();
        found
    };
    let unset = [
        "function add_history does not set the required search_path",
        "function comp_plan does not set the required search_path",
        "table accounts has no row level security",
    ];
    let granted = [
        "PUBLIC may create functions in the schema public, which could replace Farebox functions",
        "PUBLIC may execute erase_user",
        "PUBLIC may select history",
        "PUBLIC may use the sequence credit_grants_id_seq",
        "farebox_app may insert accounts",
        "farebox_app may update the column claimed_email of accounts",
        "farebox_reader may execute erase_user, which does not run with its caller's rights",
        "farebox_reader may select history",
        "farebox_reader may select the column claimed_email of accounts",
        "farebox_user may execute spend_credits, which does not run with its caller's rights",
    ];
    assert_eq!(found().await, [&granted[..], &unset[..]].concat());
    // The next run repairs the grants.
    execute(&owner, "revoke create on schema public from public").await;
    migrate::run(&settings(&app.owner_url), &Files::embedded()).await.unwrap();
    assert_eq!(found().await, unset);
}

/// A connection as the owner bypasses all of the rules.
#[tokio::test]
async fn the_owner_is_not_a_role_for_functions() {
    let app = TestApp::new().await;
    let owner = settings(&app.owner_url);
    let client = connect(&owner).await;
    let found = migrate::exceptions(&client, &owner.schema, &Files::embedded()).await.unwrap();
    let owns = "the connecting role farebox_owner owns accounts or is a member of its owner";
    assert!(found.iter().any(|line| line == owns), "{found:?}");
}

/// A run that fails midway has not granted any function to PUBLIC, not even briefly.
#[tokio::test]
async fn a_failed_run_grants_no_function_to_public() {
    let database = settings(&Stack::start().await.empty_database().await.owner);
    let mut files = Files::embedded();
    files.functions.push(migration("zz_broken", "create function zz_broken() syntax error"));
    let refusal = refusal(&database, &files).await;
    assert!(refusal.contains("function zz_broken failed"), "{refusal}");
    let client = connect(&database).await;
    let functions = "select count(*) from pg_proc
        where pronamespace = 'public'::regnamespace and has_function_privilege('public', oid, 'execute')";
    let count: i64 = client.query_typed_one(functions, &[]).await.unwrap().get(0);
    assert_eq!(count, 0);
}

/// Migrations need a session, which a transaction-mode pooler does not provide.
#[tokio::test]
async fn migrating_through_a_pooler_is_refused() {
    for size in 1..=3 {
        let database = crate::postgres::pooled_empty_database(size).await;
        let refusal = refusal(&database, &Files::embedded()).await;
        assert!(refusal.contains("set DIRECT_URL"), "{size} backends: {refusal}");
    }
}

/// CP-6: an identity sees only that user's rows, and all writes go through the functions.
#[tokio::test]
async fn the_functions_role_reads_one_users_rows_and_writes_none() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    execute(
        &owner,
        "select add_history(user_id, null, '{\"kind\": \"chat\", \"title\": \"talk\"}', null, null, 'epoch')
         from unnest(array['ann', 'bob']) user_id",
    )
    .await;
    let role = connect(&settings(&app.settings["DATABASE_URL"])).await;
    for table in ["accounts", "history"] {
        let all = format!("select count(*) from {table}");
        let count: i64 = role.query_typed_one(&all, &[]).await.unwrap().get(0);
        assert_eq!(count, 2, "without an identity");
        let own = format!(
            "with identity as materialized (select set_config('farebox.user_id', 'ann', true))
             select count({table}) from identity, {table}"
        );
        let count: i64 = role.query_typed_one(&own, &[]).await.unwrap().get(0);
        assert_eq!(count, 1, "a query without a WHERE");
        for write in [
            format!("delete from {table}"),
            format!("truncate {table}"),
            format!("insert into {table} default values"),
            format!("update {table} set created_at = farebox_now()"),
            format!("alter table {table} disable row level security"),
        ] {
            let refused = role.query_typed(&write, &[]).await.expect_err(&write);
            assert_eq!(refused.code().unwrap().code(), "42501", "{write}: {refused}");
        }
    }
    let internal = role.query_typed("select ensure_account('eve', farebox_now())", &[]).await;
    assert_eq!(
        internal.expect_err("an internal function is not callable").code().unwrap().code(),
        "42501"
    );
}

/// Supabase grants its browser roles every new object; Farebox revokes all of it.
#[tokio::test]
async fn the_roles_that_supabase_opens_to_browsers_get_nothing() {
    let stack = Stack::start().await;
    let database = settings(&stack.empty_database().await.owner);
    let client = connect(&database).await;
    execute(
        &client,
        "do $$
         begin
           create role anon nologin;
         exception
           when duplicate_object or unique_violation then null;
         end
         $$;
         alter default privileges in schema public grant all on tables to anon;
         alter default privileges in schema public grant all on sequences to anon;
         alter default privileges in schema public grant all on functions to anon;",
    )
    .await;
    let files = Files::embedded();
    migrate::run(&database, &files).await.unwrap();
    let found = migrate::exceptions(&client, &database.schema, &files).await.unwrap();
    assert!(!found.iter().any(|line| line.starts_with("anon ")), "{found:?}");
}
