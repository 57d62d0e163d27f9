//! Every SQL function that `farebox_app` may call, with arguments that must be refused: another
//! user's id under an identity, amounts out of range, and times of a clock that is ahead.

use jiff::SignedDuration;
use serde_json::{Value, json};
use shared::clock::Clock;
use tokio_postgres::Client;

use crate::support::events::Customer;
use crate::support::{TestApp, execute, settings};

/// A function and its parameters, each with its type.
struct Callable {
    name: String,
    parameters: Vec<(String, String)>,
}

impl Callable {
    fn has(&self, parameter: &str) -> bool {
        self.parameters.iter().any(|(name, _)| name == parameter)
    }

    /// A call with plain arguments, except for those in `given`.
    fn call(&self, given: &[(&str, &str)]) -> String {
        let argument = |(name, kind): &(String, String)| {
            let given = given.iter().find(|(known, _)| known == name);
            format!("{name} => {}", given.map_or(plain(name, kind), |(_, value)| value))
        };
        let arguments: Vec<String> = self.parameters.iter().map(argument).collect();
        format!("select {}({})", self.name, arguments.join(", "))
    }
}

fn plain(name: &str, kind: &str) -> &'static str {
    match (name, kind) {
        ("p_user_id", _) => "'alice'",
        ("p_unit", _) => "'ai_credit'",
        ("p_id" | "p_history_id", "text") => "'00000000-0000-4000-8000-000000000000'",
        ("p_kind", _) => "'grant'",
        ("p_entries", _) => r#"'[{"feature": "exports", "quantity": 1}]'"#,
        ("p_now" | "p_at" | "p_due_at", _) => "farebox_now()",
        (_, "text[]") => "'{}'",
        (_, "jsonb") => "'{}'",
        (_, "boolean") => "false",
        (_, "timestamp with time zone") => "farebox_now()",
        (_, "bigint" | "integer" | "positive_amount" | "page_size" | "lease_seconds") => "1",
        (_, "text" | "permitted_user") => "'a'",
        _ => panic!("no argument for {name} of type {kind}"),
    }
}

/// All functions that `farebox_app` may call, except those with row types as parameters.
async fn callables(client: &Client) -> Vec<Callable> {
    let sql = "select jsonb_build_object(
                 'name', p.proname,
                 'parameters', (
                   select coalesce(jsonb_agg(
                     jsonb_build_array(name, format_type(kind, null)) order by place), '[]')
                   from unnest(p.proargnames, p.proargtypes::oid[]) with ordinality
                     argument (name, kind, place)
                   where kind is not null))
               from pg_proc p
               where p.pronamespace = 'public'::regnamespace
                 and has_function_privilege('farebox_app', p.oid, 'execute')
                 and not p.proargtypes::oid[] && array[
                   'credit_transactions', 'subscriptions', 'wallets']::regtype[]::oid[]
               order by p.proname";
    let rows = client.query_typed(sql, &[]).await.unwrap();
    let read = |value: Value| Callable {
        name: value["name"].as_str().unwrap().to_owned(),
        parameters: serde_json::from_value(value["parameters"].clone()).unwrap(),
    };
    rows.iter().map(|row| read(row.get(0))).collect()
}

/// A connection as `farebox_app`.
async fn as_functions(app: &TestApp) -> Client {
    shared::adapters::postgres::connect(&settings(&app.settings["DATABASE_URL"])).await.unwrap()
}

/// The error code of a refused call, or none if the call succeeded.
async fn outcome(client: &Client, call: &str) -> Option<String> {
    let error = client.query_typed(call, &[]).await.err()?;
    Some(error.code().unwrap_or_else(|| panic!("{call}: {error:?}")).code().to_owned())
}

/// An app in which Alice and Bob have expiring credits and some usage.
async fn with_two_users() -> TestApp {
    let app = TestApp::selling("demo").await;
    let sql = "select comp_plan(id, 'starter', null, null, 'test', farebox_now()),
                 grant_credits(id, 'grant', 'ai_credit', 500, farebox_now() + interval '30 days', 50,
                   '{\"reason\": \"a start\"}', 'test', null, null, farebox_now()),
                 track_usages(id, '[{\"feature\": \"exports\", \"quantity\": 1}]', true, null, null,
                   farebox_now())
               from unnest(array['alice', 'bob']) id";
    execute(&app.owner().await, sql).await;
    app
}

/// Functions about the catalog and the clock, and functions that read only rows visible under Row
/// Level Security.
const FOR_EVERY_USER: [&str; 11] = [
    "catalog_features",
    "farebox_now",
    "find_subscription",
    "get_catalog",
    "is_before_local_clock",
    "is_identity",
    "job_cursor",
    "period_at",
    "plan_features",
    "resolve_price",
    "validate_credits_consistency",
];

/// CP-6: under an identity, a call about another user or about all users is refused, also by a
/// function with its owner's rights. Without an identity the service calls for each user.
#[tokio::test]
async fn no_function_acts_for_another_user_than_its_identity() {
    let app = with_two_users().await;
    let client = as_functions(&app).await;
    let before = app.tables().await;
    execute(&client, "set farebox.user_id to 'alice'").await;
    let (mut about_one, mut about_all) = (0, 0);
    for callable in callables(&client).await {
        let name = callable.name.as_str();
        if FOR_EVERY_USER.contains(&name) || name == "refuse_amount" {
            continue;
        }
        let call = callable.call(&[("p_user_id", "'bob'")]);
        assert_eq!(outcome(&client, &call).await.as_deref(), Some("42501"), "{call}");
        *(if callable.has("p_user_id") { &mut about_one } else { &mut about_all }) += 1;
    }
    assert_eq!(app.tables().await, before);
    assert!(about_one > 25 && about_all > 25, "{about_one} about one user, {about_all} about all");

    let found = "select find_subscription('sub_of_bob', null, farebox_now()) is null
                   and not exists (select from validate_credits_consistency())
                   and job_cursor('a') is null";
    assert!(client.query_typed_one(found, &[]).await.unwrap().get::<_, bool>(0));
    let own = "select get_credits('alice', null, null, 10, farebox_now())";
    let own: Value = client.query_typed_one(own, &[]).await.unwrap().get(0);
    assert_eq!(own["units"][0]["balance"], 510);
    execute(&client, "select track_usage('alice', 'exports')").await;
}

/// Reading one user does not leave that user's identity behind for the next read.
#[tokio::test]
async fn the_service_reads_one_user_after_another() {
    let app = with_two_users().await;
    let client = as_functions(&app).await;
    let reads =
        "select jsonb_agg(get_credits(id, 'ai_credit', null, 10, farebox_now()) -> 'units' -> 0
                   -> 'balance'),
                   jsonb_agg(get_entitlements(id, farebox_now()) -> 'used' -> 'exports'
                     -> 'value'),
                   jsonb_agg(get_usage(id, 'exports', null, null, 10, farebox_now()) -> 'is_known'),
                   jsonb_agg(get_subscription(id, farebox_now()) -> 'plan'),
                   jsonb_agg(get_checkout_session(id, 'a')),
                   jsonb_agg(jsonb_array_length(export_account(id, null, null, 10) -> 'records'))
                 from unnest(array['alice', 'bob']) id";
    let row = client.query_typed_one(reads, &[]).await.unwrap();
    let read: Vec<Value> = (0..6).map(|column| row.get(column)).collect();
    let none = json!([null, null]);
    let expected =
        json!([[510, 510], [1, 1], [true, true], ["starter", "starter"], none, [10, 10]]);
    assert_eq!(json!(read), expected);
}

/// CP-6: the user role reads nothing without an identity.
#[tokio::test]
async fn a_user_role_without_an_identity_reads_nothing() {
    let app = with_two_users().await;
    let stack = crate::support::Stack::start().await;
    let client = stack.superuser(&app.database_name()).await;
    execute(&client, "set role farebox_user").await;
    let tables = "select c.relname::text, exists (
                    select from pg_attribute a
                    where a.attrelid = c.oid and a.attname = 'user_id') as has_owner
                  from pg_class c
                  where c.relnamespace = 'public'::regnamespace
                    and c.relkind in ('r', 'v')
                    and has_table_privilege(c.oid, 'select')";
    let tables: Vec<(String, bool)> = {
        let rows = client.query_typed(tables, &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    };
    let owned: Vec<&String> = tables.iter().filter(|table| table.1).map(|table| &table.0).collect();
    for expected in ["credit_transactions", "current_usage", "subscriptions", "usage_tracking"] {
        assert!(owned.iter().any(|table| *table == expected), "{owned:?}");
    }
    let users = async |table: &str| {
        let sql = format!("select coalesce(jsonb_agg(distinct user_id), '[]') from {table}",);
        client.query_typed_one(&sql, &[]).await.unwrap().get::<_, Value>(0)
    };
    for (identity, seen) in [("", json!([])), ("alice", json!(["alice"]))] {
        execute(&client, &format!("set farebox.user_id to '{identity}'")).await;
        for table in &owned {
            let found = users(table).await;
            assert!(found == seen || found == json!([]), "{table} as {identity:?}: {found}");
        }
        assert_eq!(users("credit_transactions").await, seen);
        assert_eq!(users("current_usage").await, seen);
        assert_eq!(users("get_user_subscription('alice')").await, seen);
    }
    for refused in [
        "select * from get_user_subscription('bob')",
        "select get_credits('alice', null, null, 10, farebox_now())",
        "select spend_credits('alice', 'ai_credit', 1, '{}', null, null, farebox_now())",
        "select count(*) from webhook_events",
        "select count(*) from payments",
        "update wallets set balance = 1",
    ] {
        assert_eq!(outcome(&client, refused).await.as_deref(), Some("42501"), "{refused}");
    }
}

/// No function accepts the time of a clock that is ahead: it would expire credits too early.
#[tokio::test]
async fn no_function_takes_a_time_that_is_far_ahead() {
    let app = with_two_users().await;
    let client = as_functions(&app).await;
    let before = app.tables().await;
    let timed =
        |callable: &&Callable| callable.has("p_now") || callable.name == "compare_subscriptions";
    let callables = callables(&client).await;
    let timed: Vec<&Callable> =
        callables.iter().filter(timed).filter(|callable| callable.name != "period_at").collect();
    for callable in &timed {
        for (time, code) in [
            ("greatest(now(), farebox_now()) + interval '1 year'", "FB009"),
            ("greatest(now(), farebox_now()) + interval '6 minutes'", "FB009"),
            ("'infinity'", "FB009"),
            ("null", "22004"),
        ] {
            let call = callable.call(&[("p_now", time), ("p_at", time)]);
            assert_eq!(outcome(&client, &call).await.as_deref(), Some(code), "{call}");
        }
    }
    assert!(timed.len() > 35, "{} functions take a time", timed.len());
    assert_eq!(app.tables().await, before);

    let within = "select recompute_if_due('alice', farebox_now() + interval '4 minutes')";
    execute(&client, within).await;
    // The local stack's clock may be at any time, and callers follow it.
    app.clock.advance(SignedDuration::from_hours(24 * 365) - app.clock.shift());
    execute(&client, within).await;
    let further = "select recompute_if_due('alice', farebox_now() + interval '6 minutes')";
    assert_eq!(outcome(&client, further).await.as_deref(), Some("FB009"));
    let balance = "select balance from wallets where user_id = 'alice'";
    assert_eq!(app.count(balance).await, 10, "a year has passed, and 500 have expired");
}

/// A process whose clock is ahead answers 503, because another process may have the right time.
#[tokio::test]
async fn a_process_whose_clock_is_ahead_answers_503() {
    let app = with_two_users().await;
    // Moves only the process's clock, as on a machine whose clock is wrong.
    let wrong: &Clock = &app.clock;
    wrong.advance(SignedDuration::from_hours(1) - wrong.shift());
    let before = app.tables().await;
    let token = app.token("alice");
    let call = app.get("/api/credits").bearer(&token);
    call.send().await.expect_problem(503, "database_unavailable");
    let spend = json!({ "action": "spend", "unit": "ai_credit", "amount": 1 });
    let call = app.post("/api/credits").bearer(&token).json(spend);
    call.send().await.expect_problem(503, "database_unavailable");
    // Stripe retries; the event does not become a dead letter.
    let event = Customer::of("carol", app.now().as_second()).named(0, "carol");
    app.deliver(&event).await.expect_status(503);
    assert_eq!(app.tables().await, before);
}

/// Each function checks amounts itself, because SQL has callers besides the routes.
#[tokio::test]
async fn no_function_takes_an_amount_out_of_range() {
    let app = with_two_users().await;
    let client = as_functions(&app).await;
    let before = app.tables().await;
    let mut checked = 0;
    for callable in callables(&client).await {
        for (parameter, kind) in &callable.parameters {
            let (worst, code): (&[&str], &str) = match (parameter.as_str(), kind.as_str()) {
                ("p_limit" | "p_batch", _) => (&["0", "-1", "10001", "null"], "22023"),
                ("p_lease_seconds", _) => (&["0", "-1", "3601", "null"], "22023"),
                ("p_amount", "positive_amount") => (&["0", "-1", "-1000", "null"], "22023"),
                // `grant_credits` also adjusts, and an adjustment may be negative.
                ("p_amount", _) if callable.name == "grant_credits" => {
                    (&["0", "-1", "-9223372036854775808", "null"], "22023")
                }
                ("p_credits", _) => (&["null"], "22023"),
                ("p_entries", _) => (
                    &[
                        r#"'[{"feature": "exports", "quantity": 0}]'"#,
                        r#"'[{"feature": "exports", "quantity": -5}]'"#,
                        r#"'[{"feature": "exports"}]'"#,
                        r#"'[{"feature": "api_calls", "quantity": 1}, {"feature": "exports", "quantity": -1}]'"#,
                    ],
                    "22023",
                ),
                _ => continue,
            };
            checked += 1;
            for value in worst {
                let call = callable.call(&[(parameter, value)]);
                assert_eq!(outcome(&client, &call).await.as_deref(), Some(code), "{call}");
            }
        }
    }
    assert!(checked > 15, "{checked} amounts");
    for (kind, amount) in [
        ("'purchase'", "5"),
        ("'opening'", "5"),
        ("null", "5"),
        ("'adjust'", "0"),
        ("'adjust'", "null"),
    ] {
        let call = format!(
            "select grant_credits('alice', {kind}, 'ai_credit', {amount}, null, null, '{{}}', 'test',
               null, null, farebox_now())"
        );
        assert_eq!(outcome(&client, &call).await.as_deref(), Some("22023"), "{call}");
    }
    let spend =
        "select spend_credits('alice', 'ai_credit', -1000, '{}', null, null, farebox_now())";
    assert_eq!(outcome(&client, spend).await.as_deref(), Some("22023"));
    assert_eq!(app.tables().await, before);
}

/// A key counts once even for calls without a note.
#[tokio::test]
async fn a_call_without_a_note_counts_once_per_key() {
    let app = with_two_users().await;
    let client = as_functions(&app).await;
    for _ in 0..2 {
        let sql =
            "select spend_credits('alice', 'ai_credit', 10, null, 'a', 'print', farebox_now()),
                     grant_credits('bob', 'adjust', 'ai_credit', -10, null, null, null, 'test', 'b',
                       'print', farebox_now())";
        execute(&client, sql).await;
    }
    let balances = "select sum(balance)::bigint from wallets";
    assert_eq!(app.count(balances).await, 1000);
}

/// A key matches only requests of its own user. Another user's call with it is refused, and reads
/// or takes over nothing.
#[tokio::test]
async fn a_key_does_not_match_another_users_request() {
    let app = with_two_users().await;
    let client = as_functions(&app).await;
    let order = r#"'{"mode": "subscription", "plan": "pro", "interval": "monthly"}'"#;
    let wish = r#"'{"action": "cancel"}'"#;
    let entry = r#"'{"kind": "chat", "title": "a talk"}'"#;
    let uses = r#"'[{"feature": "exports", "quantity": 1}]'"#;
    let calls = |user: &str| {
        [
            format!("select begin_checkout('{user}', {order}, 'k', 'print', farebox_now())"),
            format!("select add_history('{user}', null, {entry}, 'k', 'print', farebox_now())"),
            format!("select track_usages('{user}', {uses}, true, 'k', 'print', farebox_now())"),
        ]
    };
    for call in calls("alice") {
        assert_eq!(outcome(&client, &call).await, None, "{call}");
    }
    let before = app.tables().await;
    let change =
        format!("select begin_subscription_change('alice', {wish}, 'k', 'print', farebox_now())");
    for call in calls("bob").into_iter().chain([change]) {
        assert_eq!(outcome(&client, &call).await.as_deref(), Some("FB002"), "{call}");
    }
    assert_eq!(app.tables().await, before);
}
