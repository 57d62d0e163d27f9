//! `GET /api/account`: everything about a user, page by page.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::traces::{EMAIL, USER, live};
use crate::support::{ApiResponse, Mode, Setup, TestApp, execute};

/// Tables that name a user or a customer and are not exported, with the reason.
const NOT_EXPORTED: [(&str, &str); 5] = [
    ("app_webhook_queues", "when the next message to the app's own server is sent"),
    ("app_webhooks", "messages to the app's own server: copies of other records"),
    ("history_counters", "the number and the newest time of the entries in other records"),
    ("history_keys", "answers kept for a day for retries: ids and times of other records"),
    ("usage_keys", "answers kept for a day for retries: copies of the usage in other records"),
];

impl TestApp {
    async fn export(&self, query: &str) -> ApiResponse {
        self.get(&format!("/api/account?{query}")).bearer(&self.token(USER)).send().await
    }

    /// The records of all pages.
    async fn export_all(&self, limit: usize) -> Vec<Value> {
        let mut records = Vec::new();
        let mut query = format!("limit={limit}");
        loop {
            // Within the rate limit of the route.
            self.clock.advance(jiff::SignedDuration::from_secs(1));
            let page = self.export(&query).await.expect_status(200).body;
            let data = page["data"].as_array().unwrap();
            let stats = data.iter().filter(|one| one["type"] == "stats").count();
            assert!(data.len() - stats <= limit, "{} records", data.len());
            records.extend(data.iter().cloned());
            let Some(next) = page["nextCursor"].as_str() else { return records };
            query = format!("limit={limit}&cursor={next}");
        }
    }
}

fn of_type<'a>(records: &'a [Value], kind: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record["type"] == kind).map(|record| &record["data"]).collect()
}

/// AI-2, DM-2: no table is forgotten. A table that names a user, a customer or an address is in
/// `account_sections`, or in [`NOT_EXPORTED`] with the reason.
#[tokio::test]
async fn every_table_about_a_user_is_exported_or_left_out_for_a_reason() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let named = "select c.relname::text, string_agg(a.attname, ', ')
                 from pg_class c
                 join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                 where c.relnamespace = 'public'::regnamespace
                   and c.relkind in ('r', 'p')
                   and not c.relispartition
                   and (
                     a.attname ~ '(^|_)(user|customer|owner|actor|account|member|payment)(_id)?$'
                     or a.attname ~ 'email'
                     or c.relname = 'accounts')
                 group by 1";
    let rows = owner.query_typed(named, &[]).await.unwrap();
    let named: BTreeMap<String, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let exported = "select source, name from account_sections()";
    let rows = owner.query_typed(exported, &[]).await.unwrap();
    let exported: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    let left_out: BTreeSet<&str> = NOT_EXPORTED.iter().map(|(table, _)| *table).collect();
    for (table, columns) in &named {
        assert!(
            exported.contains(table) != left_out.contains(table.as_str()),
            "The table {table} names a user (columns: {columns}). Add it to account_sections() in \
             migrations/functions/account/export_account.sql, with a variant of AccountRecordType in \
             shared/src/adapters/postgres/account.rs; or name it in NOT_EXPORTED in \
             cli/tests/it/account/export.rs, with the reason. Not both. And make sure that \
             erase_user() deletes its rows or clears these columns: the test \
             nothing_of_the_address_or_the_id_remains shows whether it does."
        );
    }
    for table in exported.iter().map(String::as_str).chain(left_out) {
        let is_joined = ["refunds", "disputes"].contains(&table);
        assert!(is_joined || named.contains_key(table), "{table} names no user any more");
    }
    let unknown = "select s.name || '.' || column_name
                   from account_sections() s
                   cross join unnest(s.omitted) column_name
                   where not exists (
                     select from pg_attribute a
                     where a.attrelid = s.source::regclass and a.attname = column_name)";
    let unknown = owner.query_typed(unknown, &[]).await.unwrap();
    assert!(unknown.is_empty(), "account_sections omits the unknown column {:?}", unknown[0]);
}

/// Each section has a type in the API, and its query runs.
#[tokio::test]
async fn every_section_can_be_read_from_any_place() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let sections = "select name, keys from account_sections() order by place";
    for row in owner.query_typed(sections, &[]).await.unwrap() {
        let (name, keys): (String, Vec<String>) = (row.get(0), row.get(1));
        let kind: Result<shared::adapters::postgres::AccountRecordType, _> =
            serde_json::from_value(json!(name));
        assert!(kind.is_ok(), "AccountRecordType lacks {name}");
        let least = |kind: &str| match kind {
            "text" => "",
            "bigint" => "0",
            "tid" => "(0,0)",
            "uuid" => "00000000-0000-0000-0000-000000000000",
            "timestamptz" => "-infinity",
            other => panic!("no value of {other}"),
        };
        let after: Vec<&str> = keys.chunks(2).map(|pair| least(&pair[1])).collect();
        let cursor = shared::http::cursor(&json!({ "section": name, "after": after }));
        let page = app.export(&format!("cursor={cursor}")).await.expect_status(200).body;
        assert_eq!(page, json!({ "data": [], "nextCursor": null }), "{name}");
    }
}

/// A small account is one answer, in the words of the API.
#[tokio::test]
async fn a_small_account_is_exported_in_one_answer() {
    let app = Setup::default().set("API_LOG", "full").sells("demo").start().await;
    live(&app, USER, EMAIL).await;
    app.get("/api/cron/minute").cron().send().await.expect_status(200);
    let answer = app.export("").await.expect_status(200);
    assert_eq!(answer.body["nextCursor"], Value::Null);
    let records = answer.body["data"].as_array().unwrap();
    for (kind, least) in [
        ("stats", 1),
        ("account", 1),
        ("customer", 1),
        ("entitlement", 1),
        ("subscription", 1),
        ("subscription_preview", 1),
        ("checkout_session", 3),
        ("stripe_request", 2),
        ("payment", 1),
        ("invoice", 2),
        ("credit_balance", 1),
        ("credit_grant", 2),
        ("ledger_entry", 3),
        ("usage_counter", 1),
        ("usage_entry", 1),
        ("history_entry", 2),
        ("history_feedback", 1),
        ("billing_event", 3),
        ("outbox_message", 1),
        ("audit_entry", 1),
        ("failed_webhook", 1),
        ("api_call", 10),
    ] {
        let found = of_type(records, kind).len();
        assert!(found >= least, "{found} of {kind}: {records:#?}");
    }
    let stats = of_type(records, "stats")[0];
    assert_eq!(stats["recent_conversations"], json!([format!("about {EMAIL}")]));
    assert_eq!(of_type(records, "customer")[0]["email"], EMAIL);
    let history = of_type(records, "history_entry")[0];
    assert_eq!(history["result"], format!("from {EMAIL}"));
    let created: jiff::Timestamp = history["createdAt"].as_str().unwrap().parse().unwrap();
    assert!(history["createdAt"].as_str().unwrap().ends_with('Z'), "{history}");
    assert!(created < app.now());
    let grant = of_type(records, "credit_grant").into_iter().find(|one| one["kind"] == "grant");
    assert_eq!(grant.unwrap()["expiresAt"], Value::Null, "it never expires");
    let spend = of_type(records, "ledger_entry").into_iter().find(|one| one["kind"] == "spend");
    assert_eq!(spend.unwrap()["metadata"], json!({ "ticket": EMAIL }));
    assert!(!answer.text.contains("idempotencyKey") && !answer.text.contains("stripeKey"));

    // A trusted server exports the same.
    let call = app.get("/api/account").query("userId", USER).bearer(&app.service_key);
    assert_eq!(call.send().await.expect_status(200).body, answer.body);
}

/// The pages of any size are the records of one page, once each, and of no other user.
#[tokio::test]
async fn pages_have_every_record_once() {
    let app = TestApp::selling("demo").await;
    live(&app, USER, EMAIL).await;
    live(&app, "bob", "bob@mail.example").await;
    let sql = format!(
        "insert into history (user_id, kind, title, created_at)
         select '{USER}', 'chat', 'a chat', 'epoch'::timestamptz + n * interval '1 microsecond'
         from generate_series(1, 7) n;
         insert into usage_events (user_id, usage_type, quantity, metadata, occurred_at)
         select '{USER}', 'reports', n, '{{}}', 'epoch' from generate_series(1, 7) n"
    );
    execute(&app.owner().await, &sql).await;
    let whole = app.export_all(1_000).await;
    assert_eq!(of_type(&whole, "usage_entry").len(), 8);
    for limit in [1, 2, 3, 7, 20] {
        assert_eq!(app.export_all(limit).await, whole, "pages of {limit}");
    }
    let text = json!(whole).to_string();
    assert!(!text.contains("bob@mail") && !text.contains("\"bob\""), "{text}");
}

/// A page is bounded in bytes too.
#[tokio::test]
async fn a_page_ends_after_a_megabyte() {
    let app = TestApp::new().await;
    let sql = format!(
        "insert into accounts (id, created_at) values ('{USER}', 'epoch');
         insert into history (user_id, kind, title, result, created_at)
         select '{USER}', 'chat', 'long', repeat('x', 250000),
           'epoch'::timestamptz + n * interval '1 second'
         from generate_series(1, 20) n"
    );
    execute(&app.owner().await, &sql).await;
    let page = app.export("limit=1000").await.expect_status(200);
    assert!((1_000_000..2_000_000).contains(&page.text.len()), "{} bytes", page.text.len());
    assert_eq!(app.export_all(1_000).await.len(), 21);
}

/// A page of the last of 50,000 records reads no more rows than the first.
#[tokio::test]
async fn a_page_costs_the_same_wherever_it_begins() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let sql = format!(
        "insert into accounts (id, created_at) values ('{USER}', 'epoch');
         insert into history (user_id, kind, title, created_at)
         select '{USER}', 'chat', 'a', 'epoch'::timestamptz + n * interval '1 second'
         from generate_series(1, 50000) n;
         insert into history_feedback (history_id, user_id, author_id, rating, updated_at)
         select id, user_id, user_id, 5, created_at from history;
         insert into api_log (
           called_at, id, route, method, status, duration_us, caller, user_id, weight)
         select 'epoch'::timestamptz + n * interval '1 second', gen_random_uuid(), 'mood', 'PATCH',
           200, 1, 'user', '{USER}', 1
         from generate_series(1, 50000) n;
         insert into credit_transactions (user_id, seq, unit, delta, balance_after, kind, created_at)
         select '{USER}', n, 'ai_credit', 1, n, 'grant', 'epoch' from generate_series(1, 50000) n;
         insert into usage_events (user_id, usage_type, quantity, metadata, occurred_at)
         select '{USER}', 'reports', 1, '{{}}', 'epoch'::timestamptz + n * interval '1 second'
         from generate_series(1, 50000) n;
         insert into billing_events (user_id, kind, occurred_at, recorded_at)
         select '{USER}', 'test', 'epoch'::timestamptz + n * interval '1 second', 'epoch'
         from generate_series(1, 50000) n;
         insert into credit_grants (user_id, unit, kind, amount, remaining, priority, created_at)
         select '{USER}', 'ai_credit', 'grant', 5, 0, 50, 'epoch' from generate_series(1, 50000);
         vacuum analyze"
    );
    for statement in sql.split(';') {
        execute(&owner, statement).await;
    }
    let middle = "1970-01-01 06:56:40+00";
    for (section, after) in [
        ("history_entry", format!("array['{middle}']")),
        ("history_feedback", "array['80000000-0000-0000-0000-000000000000', '']".to_owned()),
        ("api_call", format!("array['{middle}', '80000000-0000-0000-0000-000000000000']")),
        ("ledger_entry", "array['ai_credit', '25000']".to_owned()),
        ("usage_entry", format!("array['{middle}', '(0,0)']")),
        ("billing_event", format!("array['{middle}', '25000']")),
        ("credit_grant", "array['25000']".to_owned()),
    ] {
        // A connection of its own: one also counts what it did shortly before.
        let owner = app.owner().await;
        execute(&owner, "begin").await;
        let page = format!("select export_account('{USER}', '{section}', {after}, 100)");
        execute(&owner, &page).await;
        let read = "select (sum(seq_tup_read) + sum(coalesce(idx_tup_fetch, 0)))::bigint
                    from pg_stat_xact_user_tables";
        let read: i64 = owner.query_typed_one(read, &[]).await.unwrap().get(0);
        assert!((100..1_000).contains(&read), "{section}: {read} rows read for a page of 100");
    }
}

/// A cursor that no page returned is refused, and one of another user shows nothing of them.
#[tokio::test]
async fn a_forged_cursor_is_refused() {
    let app = TestApp::selling("demo").await;
    live(&app, USER, EMAIL).await;
    let forged = |place: Value| shared::http::cursor(&place);
    for place in [
        json!({ "section": "passwords", "after": ["1"] }),
        json!({ "section": "history_entry", "after": ["someday", "1"] }),
        json!({ "section": "billing_event", "after": ["epoch", "1; drop table history"] }),
        json!({ "section": "billing_event", "after": ["epoch", "99999999999999999999"] }),
        json!({ "section": "usage_entry", "after": ["epoch", "1"] }),
        json!({ "section": "outbox_message", "after": ["1"] }),
        json!({ "section": "history_entry", "after": [] }),
        json!({ "section": "history_entry", "after": ["epoch", "1", "2"] }),
        json!({ "section": "account", "after": ["a\0b"] }),
        json!({ "section": "account", "after": ["a".repeat(400)] }),
        json!({ "section": "account" }),
        json!(["account", "1"]),
        json!(1),
    ] {
        let answer = app.export(&format!("cursor={}", forged(place.clone()))).await;
        answer.expect_invalid("cursor");
    }
    for text in ["", "x", "!!!", "e30"] {
        app.export(&format!("cursor={text}")).await.expect_invalid("cursor");
    }
    for limit in ["0", "-1", "1001", "x", ""] {
        app.export(&format!("limit={limit}")).await.expect_invalid("limit");
    }
    let cursor = app.export("limit=1").await.body["nextCursor"].as_str().unwrap().to_owned();
    let call = app.get("/api/account").query("cursor", &cursor).bearer(&app.token("eve"));
    assert_eq!(call.send().await.expect_status(200).body["data"], json!([]));
}

/// A user of whom nothing is known has no records, and reading creates none.
#[tokio::test]
async fn an_unknown_user_has_no_records() {
    let app = TestApp::selling("demo").await;
    let before = app.tables().await;
    let answer = app.export("").await.expect_status(200);
    assert_eq!(answer.body, json!({ "data": [], "nextCursor": null }));
    assert_eq!(app.tables().await, before);
    assert_eq!(app.redis_command(&["EXISTS", &format!("user:{USER}:stats")]).await, 0);
}

/// A deleted account has no export. While a store is down, no export pretends to be complete.
#[tokio::test]
async fn an_export_is_complete_or_refused() {
    let app = TestApp::selling("demo").await;
    live(&app, USER, EMAIL).await;
    let first = app.export("limit=5").await.expect_status(200).body;
    let next = format!("cursor={}", first["nextCursor"].as_str().unwrap());
    app.redis.set(Mode::Down).await;
    app.export("").await.expect_problem(503, "redis_unavailable");
    app.export(&next).await.expect_status(200);
    app.redis.set(Mode::Pass).await;
    app.redis_is_back().await;
    app.postgres.set(Mode::Down).await;
    app.export("").await.expect_problem(503, "database_unavailable");
    app.postgres.set(Mode::Pass).await;
    app.delete_account(USER).await;
    app.export("").await.expect_problem(403, "account_erased");
    app.export(&next).await.expect_problem(403, "account_erased");
}

/// The first page costs one call of SQL, and reads the stats in the same time; later pages do not
/// read the stats. A deletion calls SQL twice: to erase, and to finish what it queued.
#[tokio::test]
async fn an_export_and_a_deletion_cost_few_round_trips() {
    let app = TestApp::selling("demo").await;
    live(&app, USER, EMAIL).await;
    app.simulator.delivered().await;
    let flights = || (app.redis.flights(), app.postgres.flights(), app.stripe.flights());
    flights();
    let page = app.export("limit=5").await.expect_status(200).body;
    assert_eq!(flights(), (2, 1, 0), "the limit and the stats; the page");
    let next = page["nextCursor"].as_str().unwrap();
    app.export(&format!("cursor={next}")).await.expect_status(200);
    assert_eq!(flights(), (1, 1, 0), "the limit; the page");

    // The first deletion loads a script into Redis.
    assert_eq!(app.delete_account("dan").await, 204);
    flights();
    assert_eq!(app.delete_account("eve").await, 204);
    let expected = (3, 2, 1);
    assert_eq!(flights(), expected, "the limit, keys and log; erase and finish; the search");
}
