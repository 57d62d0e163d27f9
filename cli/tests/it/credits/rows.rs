//! Row Level Security: a query sees only the user's own rows, even without a WHERE.

use tokio_postgres::Client;

use crate::support::{TestApp, execute, settings};
use serde_json::json;

/// Every table and view with a user column, according to Postgres.
const TABLES: &str = "
  select c.relname::text
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped
  where c.relnamespace = 'public'::regnamespace
    and c.relkind in ('r', 'v', 'm', 'p')
    and has_table_privilege(c.oid, 'select')
  order by c.relname";

async fn names(client: &Client, sql: &str) -> Vec<String> {
    let rows = client.query_typed(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Two users who have rows in every table.
async fn lived_in() -> TestApp {
    let app = TestApp::selling("demo").await;
    for user in ["ann", "bob"] {
        app.buy_pack(user, "ai_100").await;
        app.buy(user, json!({ "tier": "starter", "interval": "monthly" })).await;
        app.spend(user, "ai_credit", 1).send().await.expect_status(200);
        let usage = json!({ "feature": "reports", "quantity": 1, "metadata": { "about": "a" } });
        let usage = app.post("/api/usage").bearer(&app.token(user)).json(usage);
        usage.header("idempotency-key", "one").send().await.expect_status(200);
        let chat = json!({ "summary": "a", "content": "b" });
        let chat = app.post("/api/chat/save").bearer(&app.token(user)).json(chat);
        chat.send().await.expect_status(200);
        let gift = app.patch("/api/plan").query("userId", user).bearer(&app.service_key);
        gift.json(json!({ "plan": "pro" })).send().await.expect_status(200);
    }
    app
}

/// CP-6: under a user's identity, no table and no function with the caller's rights returns another
/// user's rows.
#[tokio::test]
async fn a_query_without_a_where_shows_a_user_their_own_rows() {
    let app = lived_in().await;
    let owner = app.owner().await;
    execute(
        &owner,
        "create function forgetful() returns setof credit_transactions language sql stable
         set search_path = public
         as $$ select * from credit_transactions $$;
         grant execute on function forgetful() to farebox_app",
    )
    .await;
    let role = shared::adapters::postgres::connect(&settings(&app.settings["DATABASE_URL"]))
        .await
        .unwrap();
    let tables = names(&role, TABLES).await;
    let must = [
        "credit_grants",
        "credit_transactions",
        "wallets",
        "current_usage",
        "subscription_usage",
        "usage_tracking",
        "usage_events",
        "subscriptions",
        "billing_events",
    ];
    for table in must {
        assert!(tables.iter().any(|found| found == table), "{table} is not among {tables:?}");
    }
    let mut seen = 0;
    for from in tables.iter().map(String::as_str).chain(["forgetful()"]) {
        let all = format!(
            "select distinct user_id::text from {from} where user_id is not null order by 1"
        );
        execute(&role, "begin; set local farebox.user_id = 'ann'").await;
        let anns = names(&role, &all).await;
        execute(&role, "rollback").await;
        assert!(anns.iter().all(|user| user == "ann"), "{from}: {anns:?}");
        if names(&owner, &all).await.len() > 1 {
            seen += anns.len();
        }
    }
    assert!(seen >= 9, "only {seen} of them have rows of other users");
    execute(&role, "begin; set local farebox.user_id = 'eve'").await;
    for table in &tables {
        let nothing = names(&role, &format!("select user_id::text from {table}")).await;
        assert!(nothing.is_empty(), "{table}: {nothing:?}");
    }
}

/// CP-3: no column of a ledger entry can be changed.
#[tokio::test]
async fn no_column_of_the_ledger_changes() {
    let app = TestApp::selling("credits").await;
    app.grant("ann", "credit", 5, json!({})).await;
    let columns = "select column_name::text from information_schema.columns
                   where table_name = 'credit_transactions' and table_schema = 'public'
                     and is_identity = 'NO'";
    let owner = app.owner().await;
    let columns = names(&owner, columns).await;
    assert!(columns.len() >= 13, "{columns:?}");
    for column in columns {
        let same = format!("update credit_transactions set {column} = {column}");
        let refused = owner.query_typed(&same, &[]).await.unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "23001", "{column}");
    }
}
