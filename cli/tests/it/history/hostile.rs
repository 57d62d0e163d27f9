//! Hostile input of the history's routes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::review;
use crate::support::TestApp;

/// Texts that other layers might interpret.
const TEXTS: [&str; 7] = [
    "'; delete from history; --",
    "$$ || pg_sleep(10) || $$",
    "{\"userId\": \"bob\"}",
    "\\u0000 \\ \" '",
    "<script>alert(1)</script>",
    "{{7*7}} ${7*7} %00 %s",
    "ﷺ 🎉 \u{202e}abc",
];

/// CR-3: every text comes back as it was sent.
#[tokio::test]
async fn every_text_is_data() {
    let app = TestApp::selling("coderev").await;
    for text in TEXTS {
        let entry = json!({
            "kind": "code_review", "title": text, "inputRef": text, "result": text, "tags": [text],
            "data": { text: [text, { text: null }], "number": 0.1 },
        });
        let id = app.add_entry("ann", entry.clone()).await;
        let rating = json!({ "entryId": id, "rating": 1, "comment": text });
        let call = app.post("/api/feedback").bearer(&app.token("ann")).json(rating);
        call.send().await.expect_status(200);
        let whole = app.history("ann", &[("id", &id)]).await.expect_status(200).body;
        for field in ["title", "inputRef", "result", "tags", "data"] {
            assert_eq!(whole[field], entry[field], "{field}");
        }
        assert_eq!(whole["feedback"]["comment"], text);
        for filter in ["tag", "q"] {
            assert_eq!(app.titles("ann", &[(filter, text)]).await, [text], "{filter}");
        }
    }
}

/// CR-3: an invalid field is named, and nothing is stored.
#[tokio::test]
async fn an_invalid_entry_is_named_and_changes_nothing() {
    let app = TestApp::selling("coderev").await;
    let token = app.token("ann");
    let nested = (0..16).fold(json!({}), |inner, _| json!({ "a": inner }));
    let many: Vec<String> = (0..11).map(|number| number.to_string()).collect();
    for (field, values) in [
        ("kind", vec![json!(""), json!("Code"), json!("x".repeat(51)), json!(7), json!(null)]),
        (
            "title",
            vec![json!(""), json!("x".repeat(201)), json!("nul\u{0}"), json!("a\nb"), json!([])],
        ),
        ("inputRef", vec![json!(""), json!("x".repeat(2_001)), json!("a\r\nb"), json!(null)]),
        ("result", vec![json!(""), json!("x".repeat(50_001)), json!("\u{1b}[31m"), json!({})]),
        (
            "score",
            vec![json!(-0.01), json!(100.01), json!(1.001), json!("50"), json!(null), json!(1e300)],
        ),
        ("tags", vec![json!(many), json!(["a", "a"]), json!("a"), json!({}), json!(null)]),
        ("data", vec![json!([]), json!("{}"), json!({ "a": "\u{0}" }), nested, json!(null)]),
        ("data", vec![json!({ "a": "x".repeat(16_384) })]),
        ("id", vec![json!("00000000-0000-4000-8000-000000000000")]),
        ("createdAt", vec![json!("2020-01-01T00:00:00Z")]),
        ("created_at", vec![json!("2020-01-01T00:00:00Z")]),
        ("user_id", vec![json!("bob")]),
        ("feedback", vec![json!({ "rating": 5 })]),
    ] {
        for value in values {
            let mut entry = review();
            entry[field] = value;
            let call = app.post("/api/history").bearer(&token).json(entry);
            call.send().await.expect_invalid(field);
        }
    }
    for tag in [json!(""), json!("x".repeat(51)), json!("a\tb"), json!(1)] {
        let mut entry = review();
        entry["tags"] = json!(["fine", tag]);
        let call = app.post("/api/history").bearer(&token).json(entry);
        call.send().await.expect_invalid("tags[1]");
    }
    for missing in ["kind", "title"] {
        let mut entry = review();
        entry.as_object_mut().unwrap().remove(missing);
        let call = app.post("/api/history").bearer(&token).json(entry);
        call.send().await.expect_invalid(missing);
    }
    let deep = format!(r#"{{"data": {}1{}}}"#, r#"{"a":"#.repeat(200), "}".repeat(200));
    let call = app.post("/api/history").bearer(&token).raw(deep);
    call.send().await.expect_problem(400, "malformed_json");
    let mut large = review();
    large["result"] = json!("x".repeat(300_000));
    let call = app.post("/api/history").bearer(&token).json(large);
    call.send().await.expect_problem(413, "body_too_large");
    assert_eq!(app.count("select count(*) from accounts").await, 0);
}

/// CR-3: a deletion names one entry, or confirms that it means all.
#[tokio::test]
async fn an_unclear_deletion_is_refused() {
    let app = TestApp::selling("coderev").await;
    let id = app.add_titled("ann", "a").await;
    let call = || app.delete("/api/history").bearer(&app.token("ann"));
    call().send().await.expect_invalid("id");
    call().json(json!({ "id": id })).send().await.expect_invalid("id");
    for word in ["", "true", "delete all history", "DELETE-ALL-HISTORY"] {
        call().query("all", word).send().await.expect_invalid("all");
    }
    let both = call().query("id", &id).query("all", "delete-all-history");
    both.send().await.expect_invalid("all");
    for odd in ["", "null", "undefined", "%", "' or '1' = '1"] {
        call().query("id", odd).send().await.expect_invalid("id");
    }
    assert_eq!(app.titles("ann", &[]).await, ["a"]);
}

/// CR-3: only a cursor of this user's history is accepted.
#[tokio::test]
async fn a_cursor_of_another_list_or_user_is_refused() {
    let app = TestApp::selling("coderev").await;
    for user in ["ann", "bob"] {
        for title in ["1", "2"] {
            app.add_titled(user, &format!("{title} of {user}")).await;
        }
    }
    let page = app.history("bob", &[("limit", "1")]).await.expect_status(200).body;
    let cursor = page["nextCursor"].as_str().unwrap();
    app.history("ann", &[("cursor", cursor)]).await.expect_invalid("cursor");
    assert_eq!(app.titles("bob", &[("cursor", cursor)]).await, ["1 of bob"]);

    let place: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).unwrap()).unwrap();
    let forge = |place: Value| URL_SAFE_NO_PAD.encode(place.to_string());
    for forged in [
        String::new(),
        "x".to_owned(),
        forge(json!(null)),
        forge(json!(["2026-06-10T10:20:30Z"])),
        forge(json!(["2026-06-10T10:20:30Z", "' or 1 = 1"])),
        forge(json!(["2026-06-10T10:20:30Z", "letters"])),
        forge(json!(["-009999-01-01T00:00:00Z", place[1]])),
        forge(json!(["infinity", place[1]])),
        forge(json!([place[0], place[1], 1])),
        "A".repeat(10_000),
    ] {
        app.history("bob", &[("cursor", &forged)]).await.expect_invalid("cursor");
    }
    // A forged time is a position in the user's own history.
    let early = forge(json!(["1970-01-01T00:00:00Z", place[1]]));
    assert_eq!(app.titles("bob", &[("cursor", &early)]).await, [""; 0]);
}

/// CR-3: another user's entry does not exist, whatever is done with its id.
#[tokio::test]
async fn another_users_entry_does_not_exist() {
    let app = TestApp::selling("coderev").await;
    let id = app.add_titled("bob", "of bob").await;
    app.add_titled("ann", "of ann").await;
    let before = app.tables().await;
    app.history("ann", &[("id", &id)]).await.expect_problem(404, "history_entry_not_found");
    let answer = app.delete_history("ann", ("id", &id)).await.expect_status(200);
    assert_eq!(answer.body["deleted"], 0);
    let rating = json!({ "entryId": id, "rating": 1 });
    let call = app.post("/api/feedback").bearer(&app.token("ann")).json(rating);
    let theirs = call.send().await.expect_problem(404, "history_entry_not_found");
    let rating = json!({ "entryId": "00000000-0000-4000-8000-000000000000", "rating": 1 });
    let call = app.post("/api/feedback").bearer(&app.token("ann")).json(rating);
    let nobodys = call.send().await.expect_problem(404, "history_entry_not_found");
    assert_eq!(theirs.body["detail"], nobodys.body["detail"]);
    assert_eq!(app.tables().await, before);
}
