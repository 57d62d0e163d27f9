//! `GET`, `POST` and `DELETE /api/history`, and `POST /api/feedback`.

mod cost;
mod feedback;
mod filters;
mod hostile;
mod kept;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{ApiResponse, Mode, TestApp, execute};

impl TestApp {
    async fn add_entry(&self, user: &str, entry: Value) -> String {
        let call = self.post("/api/history").bearer(&self.token(user)).json(entry);
        call.send().await.expect_status(200).body["id"].as_str().unwrap().to_owned()
    }

    /// Adds an entry with only a title.
    async fn add_titled(&self, user: &str, title: &str) -> String {
        self.add_entry(user, json!({ "kind": "code_review", "title": title })).await
    }

    async fn history(&self, user: &str, parameters: &[(&str, &str)]) -> ApiResponse {
        let call = self.get("/api/history").bearer(&self.token(user));
        parameters.iter().fold(call, |call, (name, value)| call.query(name, value)).send().await
    }

    /// The titles on one page.
    async fn titles(&self, user: &str, parameters: &[(&str, &str)]) -> Vec<String> {
        titles(&self.history(user, parameters).await.expect_status(200).body)
    }

    /// The titles of all pages.
    async fn all_titles(&self, user: &str, parameters: &[(&str, &str)]) -> Vec<String> {
        let (mut found, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let behind = cursor.iter().map(|cursor| ("cursor", cursor.as_str()));
            let all: Vec<_> = parameters.iter().copied().chain(behind).collect();
            let page = self.history(user, &all).await.expect_status(200).body;
            found.extend(titles(&page));
            let Some(next) = page["nextCursor"].as_str() else { return found };
            cursor = Some(next.to_owned());
        }
    }

    async fn delete_history(&self, user: &str, parameter: (&str, &str)) -> ApiResponse {
        let call = self.delete("/api/history").bearer(&self.token(user));
        call.query(parameter.0, parameter.1).send().await
    }
}

fn titles(page: &Value) -> Vec<String> {
    let entries = page["data"].as_array().unwrap();
    entries.iter().map(|entry| entry["title"].as_str().unwrap().to_owned()).collect()
}

/// An entry with every field.
fn review() -> Value {
    json!({
        "kind": "code_review", "title": "src/main.rs", "inputRef": "https://git.example/pull/7",
        "result": "Two functions can panic.\n\tLine 7.", "score": 72.5, "tags": ["rust", "panic"],
        "data": { "lines": 120, "files": ["a.rs"] },
    })
}

/// The fields of an entry that the caller chose.
fn without_own_fields(entry: &Value) -> Value {
    let mut fields = entry.as_object().unwrap().clone();
    for own in ["id", "createdAt", "actorId", "feedback"] {
        fields.remove(own).unwrap();
    }
    Value::Object(fields)
}

/// CR-3: an entry is there on each of the user's devices. A list leaves out the long fields.
#[tokio::test]
async fn a_saved_review_is_found_on_another_device() {
    let app = TestApp::selling("coderev").await;
    let call = app.post("/api/history").bearer(&app.token("ann")).json(review());
    let saved = call.send().await.expect_status(200).body;
    let age = app.now().duration_since(saved["createdAt"].as_str().unwrap().parse().unwrap());
    assert!((0..60).contains(&age.as_secs()), "{saved}");
    let id = saved["id"].as_str().unwrap();

    let page = app.history("ann", &[]).await.expect_status(200).body;
    assert_eq!((&page["nextCursor"], page["data"].as_array().unwrap().len()), (&json!(null), 1));
    let mut shown = review();
    shown.as_object_mut().unwrap().retain(|name, _| name != "result" && name != "data");
    assert_eq!(without_own_fields(&page["data"][0]), shown);

    let whole = app.history("ann", &[("id", id)]).await.expect_status(200).body;
    assert_eq!(without_own_fields(&whole), review());
    assert_eq!((&whole["id"], &whole["createdAt"]), (&saved["id"], &saved["createdAt"]));
    assert_eq!(whole["feedback"], json!(null));

    let id = app.add_titled("ann", "short").await;
    let whole = app.history("ann", &[("id", &id)]).await.expect_status(200).body;
    let none = json!({
        "kind": "code_review", "title": "short", "inputRef": null, "result": null, "score": null,
        "tags": [], "data": {},
    });
    assert_eq!(without_own_fields(&whole), none);
}

/// CR-3: newest first, also of entries of one moment. Entries that are added while a client pages
/// are on no later page.
#[tokio::test]
async fn pages_have_each_entry_once_newest_first() {
    let app = TestApp::selling("coderev").await;
    for number in 0..7 {
        app.add_titled("ann", &number.to_string()).await;
    }
    app.add_titled("bob", "of bob").await;
    let first = app.history("ann", &[("limit", "3")]).await.expect_status(200).body;
    assert_eq!(titles(&first), ["6", "5", "4"]);
    app.add_titled("ann", "7").await;
    let next = first["nextCursor"].as_str().unwrap();
    let second = app.history("ann", &[("limit", "3"), ("cursor", next)]).await.body;
    assert_eq!(titles(&second), ["3", "2", "1"]);
    let next = second["nextCursor"].as_str().unwrap();
    let third = app.history("ann", &[("limit", "3"), ("cursor", next)]).await.body;
    assert_eq!((titles(&third), &third["nextCursor"]), (vec!["0".to_owned()], &json!(null)));
    for limit in ["1", "4", "8", "100"] {
        let all = app.all_titles("ann", &[("limit", limit)]).await;
        assert_eq!(all, ["7", "6", "5", "4", "3", "2", "1", "0"], "{limit}");
    }
}

/// CR-3: the order is that of the calls, even if a process has a slow clock.
#[tokio::test]
async fn an_entry_is_newer_than_all_before_it() {
    let app = TestApp::selling("coderev").await;
    app.add_titled("ann", "first").await;
    let late =
        "select add_history('ann', null, '{\"kind\": \"chat\", \"title\": \"second\"}', null, null,
                  farebox_now() - interval '1 minute')";
    execute(&app.owner().await, late).await;
    assert_eq!(app.titles("ann", &[]).await, ["second", "first"]);
}

/// CR-3: one key adds one entry, however many calls race, and gets one answer.
#[tokio::test]
async fn a_retry_with_a_key_adds_one_entry() {
    let app = TestApp::selling("coderev").await;
    let add = |entry: Value| {
        let call = app.post("/api/history").bearer(&app.token("ann")).json(entry);
        call.header("idempotency-key", "review-1").send()
    };
    let answers = join_all((0..32).map(|_| add(review()))).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (200, &answers[0].body), "{answer:?}");
    }
    assert_eq!(app.count("select count(*) from history").await, 1);
    let before = app.tables().await;
    add(json!({ "kind": "chat", "title": "a" }))
        .await
        .expect_problem(422, "idempotency_key_reused");
    assert_eq!(app.tables().await, before);

    // The key does not bring back an entry that was deleted since.
    app.delete_history("ann", ("all", "delete-all-history")).await.expect_status(200);
    assert_eq!(add(review()).await.expect_status(200).body, answers[0].body);
    assert_eq!(app.titles("ann", &[]).await, [""; 0]);
    app.clock.advance(jiff::SignedDuration::from_hours(25));
    assert_ne!(add(review()).await.expect_status(200).body, answers[0].body);
    assert_eq!(app.titles("ann", &[]).await, ["src/main.rs"]);
}

/// CR-3: without a key each call adds an entry, and the counter counts each.
#[tokio::test]
async fn racing_entries_are_all_kept_and_counted() {
    let app = TestApp::selling("coderev").await;
    let numbers: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    join_all(numbers.iter().map(|number| app.add_titled("ann", number))).await;
    let mut found = app.all_titles("ann", &[]).await;
    found.sort_by_key(|title| title.parse::<u32>().unwrap());
    assert_eq!(found, numbers);
    assert_eq!(app.count("select entries from history_counters").await, 50);
}

/// CR-3: deleting one entry or all of them, again and again.
#[tokio::test]
async fn one_entry_or_all_can_be_deleted() {
    let app = TestApp::selling("coderev").await;
    let mut ids = Vec::new();
    for number in 0..4 {
        ids.push(app.add_titled("ann", &number.to_string()).await);
    }
    app.add_titled("bob", "of bob").await;
    for deleted in [1, 0] {
        let answer = app.delete_history("ann", ("id", &ids[1])).await.expect_status(200);
        assert_eq!(answer.body, json!({ "deleted": deleted }));
    }
    assert_eq!(app.titles("ann", &[]).await, ["3", "2", "0"]);
    app.history("ann", &[("id", &ids[1])]).await.expect_problem(404, "history_entry_not_found");
    for deleted in [3, 0] {
        let answer = app.delete_history("ann", ("all", "delete-all-history")).await;
        assert_eq!(answer.expect_status(200).body, json!({ "deleted": deleted }));
    }
    assert_eq!(app.titles("ann", &[]).await, [""; 0]);
    app.add_titled("ann", "new").await;
    assert_eq!(app.titles("ann", &[]).await, ["new"]);
    assert_eq!(app.titles("bob", &[]).await, ["of bob"]);
    assert_eq!(app.count("select count(*) from history").await, 2);
}

/// CR-3: each entry is counted as deleted once, by whichever of the racing calls.
#[tokio::test]
async fn racing_deletions_count_each_entry_once() {
    let app = TestApp::selling("coderev").await;
    let mut ids = Vec::new();
    for number in 0..10 {
        ids.push(app.add_titled("ann", &number.to_string()).await);
    }
    let ones = ids.iter().map(|id| app.delete_history("ann", ("id", id)));
    let all = (0..3).map(|_| app.delete_history("ann", ("all", "delete-all-history")));
    let (ones, all) = tokio::join!(join_all(ones), join_all(all));
    let deleted = |answer: ApiResponse| answer.expect_status(200).body["deleted"].as_i64().unwrap();
    let total: i64 = ones.into_iter().chain(all).map(deleted).sum();
    assert_eq!(total, 10);
    assert_eq!(app.count("select entries from history_counters").await, 0);
}

/// AI-3: the content of a saved chat is an entry of the history, with its summary as the title.
#[tokio::test]
async fn a_saved_chat_is_in_the_history() {
    let app = TestApp::new().await;
    let body = json!({ "summary": "Plans for the weekend", "content": "Shall we go to the lake?" });
    let call = app.post("/api/chat/save").bearer(&app.token("ann")).json(body);
    call.send().await.expect_status(200);
    let page = app.history("ann", &[("kind", "chat")]).await.expect_status(200).body;
    let id = page["data"][0]["id"].as_str().unwrap();
    let whole = app.history("ann", &[("id", id)]).await.expect_status(200).body;
    assert_eq!(whole["title"], "Plans for the weekend");
    assert_eq!(whole["result"], "Shall we go to the lake?");
}

/// CR-3: a server may keep the history of each of its users.
#[tokio::test]
async fn a_service_key_names_the_user() {
    let app = TestApp::selling("coderev").await;
    let call = app.post("/api/history").bearer(&app.service_key).header("x-user-id", "ann");
    call.json(review()).send().await.expect_status(200);
    assert_eq!(app.titles("ann", &[]).await, ["src/main.rs"]);
    let call = app.delete("/api/history").bearer(&app.service_key).query("userId", "ann");
    call.query("all", "delete-all-history").send().await.expect_status(200);
    assert_eq!(app.titles("ann", &[]).await, [""; 0]);
    app.get("/api/history").bearer(&app.service_key).send().await.expect_invalid("userId");
}

/// CR-3: one call of SQL, beside the rate limit.
#[tokio::test]
async fn each_call_costs_one_call_of_sql() {
    let app = TestApp::selling("coderev").await;
    let id = app.add_titled("ann", "a").await;
    let token = app.token("ann");
    let feedback = json!({ "entryId": id, "rating": 4 });
    for call in [
        app.post("/api/history").json(review()),
        app.get("/api/history"),
        app.get("/api/history").query("q", "panic"),
        app.get("/api/history").query("id", &id),
        app.post("/api/feedback").json(feedback),
        app.delete("/api/history").query("id", &id),
        app.delete("/api/history").query("all", "delete-all-history"),
    ] {
        app.redis.flights();
        app.postgres.flights();
        call.bearer(&token).send().await.expect_status(200);
        assert_eq!((app.redis.flights(), app.postgres.flights()), (1, 1));
    }
}

/// CR-3: without Postgres nothing is answered as if it were empty; without Redis everything works.
#[tokio::test]
async fn an_outage_is_reported_and_leaves_nothing_half_done() {
    let app = TestApp::selling("coderev").await;
    let id = app.add_titled("ann", "a").await;
    let token = app.token("ann");
    let calls = || {
        let rating = json!({ "entryId": id, "rating": 4 });
        [
            app.post("/api/history").json(review()),
            app.post("/api/feedback").json(rating),
            app.get("/api/history"),
            app.get("/api/history").query("id", &id),
            app.delete("/api/history").query("all", "delete-all-history"),
        ]
    };
    let before = app.tables().await;
    app.postgres.set(Mode::Down).await;
    for call in calls() {
        let answer = call.bearer(&token).send().await;
        answer.expect_problem(503, "database_unavailable");
    }
    app.postgres.set(Mode::Pass).await;
    assert_eq!(app.tables().await, before);
    app.redis.set(Mode::Down).await;
    for call in calls() {
        call.bearer(&token).send().await.expect_status(200);
    }
    assert_eq!(app.count("select entries from history_counters").await, 0);
}
