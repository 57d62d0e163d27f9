//! Roles that may create functions beside ours: their code would run with our owner's rights.

use farebox::migrate::{self, Files};
use serde_json::json;
use shared::config::Database;

use crate::support::{Stack, TestApp, execute, settings};

/// A login that owns nothing of ours. Roles belong to the whole cluster.
const MAKE_MALLORY: &str = "do $$
    begin
      create role mallory login;
    exception
      when duplicate_object or unique_violation then null;
    end
    $$";

/// It fits better than pg_catalog's `format(text, variadic "any")`, which our functions mean.
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
    format!("{:#}", run.expect_err("others may create functions beside ours"))
}

/// As in `public` of databases that were made before Postgres 15.
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
    assert!(app.count(stolen).await > 0, "her code ran with the rights of our owner");

    let may_create = "PUBLIC may create functions in the schema public, and so take over ours";
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

    // What is there stays dangerous after the right to make it is gone.
    execute(&superuser, "revoke create on schema public from public").await;
    assert_eq!(exceptions(&app).await, [planted]);
    assert!(refusal(&owner).await.contains(planted));

    execute(&superuser, "drop function public.format(text, text); delete from stolen").await;
    assert_eq!(exceptions(&app).await, [""; 0]);
    migrate::run(&owner, &Files::embedded()).await.unwrap();
    execute(&superuser, "set role mallory").await;
    let again = "create function public.format(text, text) returns text language sql as 'select 1'";
    let error = superuser.query_typed(again, &[]).await.expect_err("she may create nothing");
    assert_eq!(error.code().unwrap().code(), "42501");
    grant_credits("bob").await;
    assert_eq!(app.count("select count(*) from stolen").await, 0);
}

/// A database that has nothing of ours yet gets nothing, and a schema of its own is the way out.
#[tokio::test]
async fn an_open_schema_gets_nothing_and_one_of_its_own_does() {
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
    // Its parameters check themselves, whatever the caller's search_path.
    let call = "select farebox.recompute_if_due('a', now()), farebox.track_usage('a', 'b', 0)";
    let refused = client.query_typed(call, &[]).await.expect_err("0 is no amount");
    assert_eq!(refused.code().unwrap().code(), "22023");
    let far = "select farebox.recompute_if_due('a', now() + interval '1 day')";
    let refused = client.query_typed(far, &[]).await.expect_err("that has not come yet");
    assert_eq!(refused.code().unwrap().code(), "FB009");

    // One that another role owns, or to which one role alone was let in, is open as well.
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
