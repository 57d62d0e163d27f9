//! Retention: monthly partitions, and the rows that the daily job deletes.

use farebox::migrate::{self, Files};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::support::{Stack, TestApp, execute, settings};

impl TestApp {
    async fn daily(&self) -> Value {
        self.get("/api/cron/daily").cron().send().await.expect_status(200).body
    }

    fn pass_days(&self, days: i64) {
        self.clock.advance(SignedDuration::from_hours(24 * days));
    }

    /// An entry with metadata, which is stored in `usage_events`.
    async fn store_usage_event(&self) {
        let entry = json!({ "feature": "letters", "metadata": { "to": "myself" } });
        let call = self.post("/api/usage").bearer(&self.token("ann")).json(entry);
        call.send().await.expect_status(200);
    }

    /// An operator's change, which is stored in `audit_log`.
    async fn store_audit_entry(&self) {
        let call = self.patch("/api/plan").query("userId", "ann").bearer(&self.service_key);
        call.json(json!({ "plan": "pro" })).send().await.expect_status(200);
    }

    /// The partitions that have rows.
    async fn filled(&self, table: &str) -> Value {
        let sql = format!(
            "select coalesce(jsonb_agg(distinct tableoid::regclass::text), '[]') from {table}"
        );
        self.owner().await.query_typed_one(&sql, &[]).await.unwrap().get(0)
    }
}

async fn value(client: &Client, sql: &str) -> Value {
    client.query_typed_one(sql, &[]).await.unwrap().get(0)
}

const FIRST_MONTHS: [&str; 6] = [
    "audit_log_2026_06",
    "audit_log_2026_07",
    "audit_log_2026_08",
    "usage_events_2026_06",
    "usage_events_2026_07",
    "usage_events_2026_08",
];

#[tokio::test]
async fn the_daily_job_makes_partitions_ahead_and_drops_them_after_their_time() {
    let app = TestApp::selling("dearme").await;
    app.store_audit_entry().await;
    let report = app.daily().await["partitions"].clone();
    assert_eq!(report["made"], json!(&FIRST_MONTHS[1..]), "June's row is in audit_log_default");
    assert_eq!(report["postponed"], json!(["audit_log_2026_06"]));
    app.store_usage_event().await;
    assert_eq!(app.filled("usage_events").await, json!(["usage_events_2026_06"]));
    assert_eq!(app.filled("audit_log").await, json!(["audit_log_default"]));

    // 2027-07-31, a day before the entry's whole month is older than 13 months.
    app.pass_days(416);
    assert_eq!(app.daily().await["partitions"]["dropped"], json!([]));
    assert_eq!(app.count("select count(*) from usage_events").await, 1);
    app.pass_days(1);
    let report = app.daily().await;
    assert_eq!(report["partitions"]["dropped"], json!(["usage_events_2026_06"]));
    assert_eq!(app.count("select count(*) from usage_events").await, 0);

    // 24 months after the change, whose row is in no month's partition.
    app.pass_days(315);
    let report = app.daily().await;
    assert_eq!(report["deleted"]["audit_log"], 1);
    assert_eq!(app.count("select count(*) from audit_log").await, 0);
}

/// The job has not run for a year: inserts still succeed, and old rows are deleted once it runs.
#[tokio::test]
async fn an_entry_of_a_month_without_a_partition_is_kept() {
    let app = TestApp::selling("dearme").await;
    app.pass_days(365);
    app.store_usage_event().await;
    assert_eq!(app.filled("usage_events").await, json!(["usage_events_default"]));
    app.pass_days(400);
    assert_eq!(app.daily().await["deleted"]["usage_events"], 1);
}

/// A partition is readable only through its table, whatever the database grants on new tables.
#[tokio::test]
async fn no_role_has_a_right_to_a_partition() {
    let app = TestApp::selling("dearme").await;
    let superuser = Stack::start().await.superuser(&app.database_name()).await;
    execute(
        &superuser,
        "do $$
         begin
           create role anon nologin;
         exception
           when duplicate_object or unique_violation then null;
         end
         $$;
         alter default privileges for role farebox_owner in schema public
           grant all on tables to anon, farebox_app",
    )
    .await;
    assert_eq!(app.daily().await["partitions"]["made"], json!(FIRST_MONTHS));
    app.store_usage_event().await;

    let login = settings(&app.settings["DATABASE_URL"]);
    let role = shared::adapters::postgres::connect(&login).await.unwrap();
    let exceptions = async || {
        let files = Files::embedded();
        migrate::exceptions(&role, &login.schema, &files).await.unwrap()
    };
    assert_eq!(exceptions().await, [""; 0]);
    let refused = role.query_typed("select * from usage_events_2026_06", &[]).await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42501");
    execute(&role, "set farebox.user_id to 'bob'").await;
    assert_eq!(value(&role, "select to_jsonb(count(*)) from usage_events").await, 0);
    execute(&role, "set farebox.user_id to 'ann'").await;
    assert_eq!(value(&role, "select to_jsonb(count(*)) from usage_events").await, 1);
    execute(&role, "reset farebox.user_id").await;

    let owner = app.owner().await;
    execute(
        &owner,
        "grant select on usage_events_2026_07 to anon;
         alter table usage_events_2026_06 disable row level security",
    )
    .await;
    let found = exceptions().await;
    for line in [
        "anon may select usage_events_2026_07",
        "table usage_events_2026_06 has no row level security",
    ] {
        assert!(found.iter().any(|found| found == line), "{line}: {found:?}");
    }
    execute(&owner, "alter table usage_events_2026_06 enable row level security").await;
    migrate::run(&settings(&app.owner_url), &Files::embedded()).await.unwrap();
    assert_eq!(exceptions().await, [""; 0], "each run sets the rights of partitions again");
}

/// While a dump or a long query holds the table, writers must not wait behind the job.
#[tokio::test]
async fn a_partition_that_is_locked_is_left_to_the_next_run() {
    let app = TestApp::new().await;
    let dump = app.owner().await;
    execute(&dump, "begin; lock table usage_events in access share mode").await;
    let report = app.daily().await["partitions"].clone();
    assert_eq!(report["made"], json!(&FIRST_MONTHS[..3]));
    assert_eq!(report["postponed"], json!(&FIRST_MONTHS[3..]));
    execute(&dump, "rollback").await;
    assert_eq!(app.daily().await["partitions"]["made"], json!(&FIRST_MONTHS[3..]));
    let nothing = json!({ "made": [], "dropped": [], "postponed": [] });
    assert_eq!(app.daily().await["partitions"], nothing);
}

/// DM-9: 30 days, unless an operator changes it.
#[tokio::test]
async fn an_operator_decides_how_long_rows_are_kept() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let insert = |id: &str| {
        format!("insert into webhook_events values ('{id}', 'ping', farebox_now(), farebox_now())")
    };
    execute(&owner, &insert("evt_1")).await;
    app.pass_days(31);
    let keep = |keep: &str| {
        format!("update retention set keep = {keep} where table_name = 'webhook_events'")
    };
    for forever in ["interval '90 days'", "null"] {
        execute(&owner, &keep(forever)).await;
        let deleted = app.daily().await["deleted"]["webhook_events"].clone();
        assert!(deleted == 0 || deleted.is_null(), "{deleted}");
    }
    // Stripe lists events for 30 days, and reconciliation would apply an event without a mark
    // again.
    let refused = owner.query_typed(&keep("interval '29 days'"), &[]).await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "23514");
    execute(&owner, &keep("interval '30 days'")).await;
    execute(&owner, &insert("evt_2")).await;
    assert_eq!(app.daily().await["deleted"]["webhook_events"], 1);
    assert_eq!(app.count("select count(*) from webhook_events where id = 'evt_2'").await, 1);
}

/// Each call reads some pages, and the next call continues after them. A row that another
/// transaction holds is left for a later pass.
#[tokio::test]
async fn expired_rows_are_deleted_page_by_page() {
    let app = TestApp::new().await;
    let (owner, other) = (app.owner().await, app.owner().await);
    execute(
        &owner,
        "insert into webhook_events
         select format('evt_%s', n), 'ping', farebox_now(), farebox_now() - interval '31 days'
         from generate_series(1, 1000) n",
    )
    .await;
    execute(&other, "begin; select from webhook_events where id = 'evt_7' for update").await;
    let batch = "select delete_expired(array['webhook_events'], farebox_now(), 2)
                   -> 'webhook_events'";
    let (mut calls, mut rows) = (0, 0);
    loop {
        let batch = value(&owner, batch).await;
        calls += 1;
        rows += batch["rows"].as_i64().unwrap();
        if batch["has_more"] == false {
            break;
        }
    }
    assert!(calls > 2, "{calls}");
    assert_eq!(rows, 999);
    execute(&other, "rollback").await;
    assert_eq!(value(&owner, batch).await["rows"], 1, "from the first page again");

    // A run that holds a table keeps other runs from it.
    execute(&other, "begin; select from retention where table_name = 'webhook_events' for update")
        .await;
    assert_eq!(value(&owner, batch).await, json!({ "rows": 0, "has_more": false }));
}
