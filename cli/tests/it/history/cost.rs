//! The cost of a page does not grow with the history: counted in pages that Postgres reads.

use serde_json::Value;
use tokio_postgres::Client;

use crate::support::{TestApp, execute};

/// The entries of the long history.
const MANY: u32 = 30_000;

/// Filters, as `get_history` takes them. None but the first three has an index.
const FILTERS: [&str; 7] = [
    "{}",
    r#"{"kind": "rare"}"#,
    r#"{"until": "2001-06-01T00:00:00Z"}"#,
    r#"{"tag": "absent"}"#,
    r#"{"min_score": 90}"#,
    r#"{"text": "absent"}"#,
    r#"{"kind": "common", "tag": "absent", "text": "absent"}"#,
];

/// Fills a user's history, the oldest entry in 2001. Every hundredth entry is of the kind `rare`.
async fn fill(owner: &Client, user: &str, count: u32) {
    let sql = format!(
        "insert into accounts (id, created_at) values ('{user}', '2000-01-01');
         insert into history (user_id, kind, title, result, score, tags, created_at)
         select '{user}', case when n % 100 = 0 then 'rare' else 'common' end, 'entry ' || n,
           'The result of ' || n, 50, '{{rust}}', timestamptz '2001-01-01Z' + n * interval '1 minute'
         from generate_series(1, {count}) n;
         insert into history_counters (user_id, entries, newest_at)
         select '{user}', {count}, max(created_at) from history where user_id = '{user}'"
    );
    execute(owner, &sql).await;
}

/// The pages that a call reads, from the cache or from disk. The first call fills the session's
/// caches.
async fn pages_read(client: &Client, user: &str, filter: &str) -> u64 {
    let call = format!(
        "explain (analyze, buffers, format json)
         select get_history('{user}', null, '{filter}', null, 20, farebox_now())"
    );
    client.query_typed(&call, &[]).await.unwrap();
    let plan: Value = client.query_typed_one(&call, &[]).await.unwrap().get(0);
    let pages = |name: &str| plan[0]["Plan"][name].as_u64().unwrap();
    pages("Shared Hit Blocks") + pages("Shared Read Blocks")
}

/// CR-3: a page of a long history reads as many pages as one of a short history.
#[tokio::test]
async fn a_page_of_a_long_history_costs_no_more_than_one_of_a_short() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    fill(&owner, "short", 3_000).await;
    fill(&owner, "long", MANY).await;
    execute(&owner, "vacuum analyze history").await;
    for filter in FILTERS {
        let short = pages_read(&owner, "short", filter).await;
        let long = pages_read(&owner, "long", filter).await;
        // An index of a longer history may have another level.
        assert!(long <= short + short / 4 + 20, "{filter}: {short} pages, then {long}");
        assert!(long < 1_500, "{filter}: {long} pages");
    }
}

/// CR-3: a page that reaches the limit of the search is not the last one, and the next pages find
/// the entry.
#[tokio::test]
async fn a_rare_entry_is_found_by_following_the_cursor() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    fill(&owner, "ann", 5_000).await;
    execute(&owner, "update history set tags = '{rare}', score = 99 where title = 'entry 7'").await;
    for filter in [("tag", "rare"), ("minScore", "90"), ("q", "RESULT OF 7"), ("q", "result of 70")]
    {
        let page = app.history("ann", &[filter]).await.expect_status(200).body;
        if filter.0 != "q" {
            assert_eq!(page["data"].as_array().unwrap().len(), 0, "{filter:?}");
            assert!(page["nextCursor"].is_string(), "{filter:?}");
        }
    }
    assert_eq!(app.all_titles("ann", &[("tag", "rare")]).await, ["entry 7"]);
    assert_eq!(app.all_titles("ann", &[("minScore", "90")]).await, ["entry 7"]);
    assert_eq!(app.all_titles("ann", &[("q", "of 499")]).await.len(), 11);
    let all = app.all_titles("ann", &[("tag", "rust"), ("limit", "100")]).await;
    assert_eq!(all.len(), 4_999);
}

/// CR-3: long results end a search earlier, so that a call cannot take long.
#[tokio::test]
async fn a_search_reads_a_limited_amount_of_text() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    fill(&owner, "ann", 200).await;
    execute(&owner, "update history set result = repeat('x', 50000)").await;
    let page = app.history("ann", &[("q", "entry 100")]).await.expect_status(200).body;
    assert_eq!(page["data"].as_array().unwrap().len(), 0);
    assert!(page["nextCursor"].is_string(), "the search has read 4 MB");
    assert_eq!(app.all_titles("ann", &[("q", "entry 100")]).await, ["entry 100"]);
}
