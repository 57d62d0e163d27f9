//! Roles that may create functions in Farebox's schema: their code would run with the owner's
//! rights.

use farebox::migrate::{self, Files};
use serde_json::json;
use shared::config::Database;

use crate::support::{Stack, TestApp, execute, settings};

/// A login that owns nothing of Farebox's. Roles belong to the whole cluster.
const MAKE_MALLORY: &str = "do $$
    begin
      create role mallory login;
    exception
      when duplicate_object or unique_violation then null;
    end
    $$";

/// This overload matches better than pg_catalog's `format(text, variadic "any")`, which Farebox's
/// functions call.
const PLANTED: &str = "
    create table stolen (rights text);
    grant insert, select on stolen to public;
    create function public.format(text, text) returns text language plpgsql as $$
    begin
      insert into public.stolen values (current_user);
      return pg_catalog.format($1, variadic array[$2]);
    end
    $$";

async fn exceptions(app: &TestApp) -> Vec<String> {
    let login = settings(&app.settings["DATABASE_URL"]);
    let client = shared::adapters::postgres::connect(&login).await.unwrap();
    migrate::exceptions(&client, &login.schema, &Files::embedded()).await.unwrap()
}

async fn refusal(database: &Database) -> String {
    let run = migrate::run(database, &Files::embedded()).await;
    format!("{:#}", run.expect_err("other roles may create functions in the schema"))
}

/// As in `public` of databases from before Postgres 15.
#[tokio::test]
async fn a_schema_in_which_others_can_create_is_refused() {
    let app = TestApp::selling("demo").await;
    let owner = settings(&app.owner_url);
    let superuser = Stack::start().await.superuser(&app.database_name()).await;
    execute(&superuser, MAKE_MALLORY).await;
    execute(&superuser, "grant create on schema public to public").await;
    execute(&superuser, &format!("set role mallory; {PLANTED}; reset role")).await;

    let grant_credits = async |user: &str| {
        let gift = json!({ "action": "grant", "unit": "ai_credit", "amount": 5, "reason": "a" });
        let call = app.post("/api/credits").bearer(&app.service_key);
        call.header("x-user-id", user).json(gift).send().await.expect_status(200);
    };
    grant_credits("ann").await;
    let stolen = "select count(*) from stolen where rights = 'farebox_owner'";
    assert!(app.count(stolen).await > 0, "mallory's code must run with the rights of our owner");

    let may_create =
        "PUBLIC may create functions in the schema public, which could replace Farebox functions";
    let planted = "the function format(text,text) in the schema public belongs to mallory";
    let found = exceptions(&app).await;
    assert_eq!(found, [may_create, planted]);
    let refused = refusal(&owner).await;
    for named in
        [may_create, planted, "revoke create on schema public from public", "FAREBOX_SCHEMA"]
    {
        assert!(refused.contains(named), "{named}: {refused}");
    }
    let mut doctor = tokio::process::Command::new(env!("CARGO_BIN_EXE_farebox"));
    doctor.arg("doctor").env_clear().envs(&app.settings);
    let report = String::from_utf8(doctor.output().await.unwrap().stdout).unwrap();
    assert!(report.contains(&format!("FAIL  rights: {may_create}")), "{report}");

    // The planted function stays dangerous after the right to create functions is revoked.
    execute(&superuser, "revoke create on schema public from public").await;
    assert_eq!(exceptions(&app).await, [planted]);
    assert!(refusal(&owner).await.contains(planted));

    execute(&superuser, "drop function public.format(text, text); delete from stolen").await;
    assert_eq!(exceptions(&app).await, [""; 0]);
    migrate::run(&owner, &Files::embedded()).await.unwrap();
    execute(&superuser, "set role mallory").await;
    let again = "create function public.format(text, text) returns text language sql as 'select 1'";
    let error = superuser.query_typed(again, &[]).await.expect_err("mallory may create a function");
    assert_eq!(error.code().unwrap().code(), "42501");
    grant_credits("bob").await;
    assert_eq!(app.count("select count(*) from stolen").await, 0);
}

/// A database with an open schema gets nothing; a separate schema is the way out.
#[tokio::test]
async fn an_open_schema_is_refused_and_a_separate_one_is_migrated() {
    let stack = Stack::start().await;
    let database = settings(&stack.empty_database().await.owner);
    let name = database.url.expose().rsplit('/').next().unwrap().split('?').next().unwrap();
    let superuser = stack.superuser(name).await;
    execute(&superuser, MAKE_MALLORY).await;
    execute(&superuser, "grant create on schema public to public").await;
    let refused = refusal(&database).await;
    assert!(refused.contains("FAREBOX_SCHEMA"), "{refused}");
    let client = shared::adapters::postgres::connect(&database).await.unwrap();
    let made = "select count(*) from pg_class where relnamespace = 'public'::regnamespace";
    assert_eq!(client.query_typed_one(made, &[]).await.unwrap().get::<_, i64>(0), 0);

    let apart = Database { schema: "farebox".parse().unwrap(), ..database.clone() };
    migrate::run(&apart, &Files::embedded()).await.unwrap();
    // The parameter types check values, whatever the caller's search_path.
    let call = "select farebox.recompute_if_due('a', now()), farebox.track_usage('a', 'b', 0)";
    let refused = client.query_typed(call, &[]).await.expect_err("0 is accepted as an amount");
    assert_eq!(refused.code().unwrap().code(), "22023");
    let far = "select farebox.recompute_if_due('a', now() + interval '1 day')";
    let refused = client.query_typed(far, &[]).await.expect_err("a future time is accepted");
    assert_eq!(refused.code().unwrap().code(), "FB009");

    // A schema that another role owns, or in which one other role may create, is open too.
    execute(
        &superuser,
        "create schema hers authorization mallory; grant all on schema hers to public",
    )
    .await;
    let hers = Database { schema: "hers".parse().unwrap(), ..database.clone() };
    let refused = refusal(&hers).await;
    assert!(refused.contains("mallory may create functions in the schema hers"), "{refused}");
    execute(&superuser, "grant create on schema farebox to mallory").await;
    let refused = refusal(&apart).await;
    assert!(refused.contains("mallory may create functions in the schema farebox"), "{refused}");
    execute(&superuser, "revoke create on schema farebox from mallory").await;
    migrate::run(&apart, &Files::embedded()).await.unwrap();
}
