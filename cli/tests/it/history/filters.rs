//! The filters of `GET /api/history`.

use jiff::SignedDuration;
use serde_json::json;

use crate::support::TestApp;

/// CR-3: each filter alone, and several together.
#[tokio::test]
async fn a_page_has_the_entries_that_match_every_filter() {
    let app = TestApp::selling("coderev").await;
    for (number, entry) in [
        json!({ "kind": "code_review", "title": "one", "score": 90, "tags": ["rust"] }),
        json!({ "kind": "diff", "title": "two", "score": 50.25, "tags": ["rust", "sql"] }),
        json!({ "kind": "code_review", "title": "three", "tags": ["sql"] }),
        json!({ "kind": "code_review", "title": "four", "score": 0, "result": "A rust-free zone." }),
    ]
    .into_iter()
    .enumerate()
    {
        app.clock.advance(SignedDuration::from_hours(i64::from(number > 0)));
        app.add_entry("ann", entry).await;
    }
    for (parameters, expected) in [
        (&[("kind", "code_review")][..], &["four", "three", "one"][..]),
        (&[("kind", "unknown")], &[]),
        (&[("tag", "rust")], &["two", "one"]),
        (&[("tag", "Rust")], &[]),
        (&[("minScore", "50.25")], &["two", "one"]),
        (&[("maxScore", "50.25")], &["four", "two"]),
        (&[("minScore", "0")], &["four", "two", "one"]),
        (&[("minScore", "50"), ("maxScore", "60")], &["two"]),
        (&[("since", "2026-06-10T11:20:30Z")], &["four", "three", "two"]),
        (&[("until", "2026-06-10T11:20:30Z")], &["one"]),
        (&[("since", "2026-06-10T13:20:30+02:00"), ("until", "2026-06-10T12:20:30Z")], &["two"]),
        (&[("q", "RUST")], &["four"]),
        (&[("q", "t")], &["four", "three", "two"]),
        (&[("kind", "diff"), ("tag", "rust"), ("minScore", "1"), ("q", "two")], &["two"]),
        (&[("kind", "diff"), ("tag", "rust"), ("q", "one")], &[]),
    ] {
        assert_eq!(app.all_titles("ann", parameters).await, expected, "{parameters:?}");
        let paged: Vec<_> = parameters.iter().copied().chain([("limit", "1")]).collect();
        assert_eq!(app.all_titles("ann", &paged).await, expected, "{paged:?}");
    }
}

/// CR-3: a search has no wildcards and no syntax.
#[tokio::test]
async fn every_character_of_a_search_is_plain() {
    let app = TestApp::selling("coderev").await;
    let odd = ["100%", "a_b", r"C:\temp", "it's", "\"quoted\"", "'; drop table history; --", "Ünï"];
    for title in odd {
        app.add_titled("ann", title).await;
    }
    let plain = json!({ "kind": "code_review", "title": "plain", "result": "axb and 100 of it" });
    app.add_entry("ann", plain).await;
    for (search, expected) in [
        ("%", &["100%"][..]),
        ("_", &["a_b"]),
        ("a_B", &["a_b"]),
        (r"\", &[r"C:\temp"]),
        (r"c:\T", &[r"C:\temp"]),
        ("'", &["'; drop table history; --", "it's"]),
        ("\"", &["\"quoted\""]),
        ("'; DROP table", &["'; drop table history; --"]),
        // Letters beyond ASCII have two cases only if the database's locale says so.
        ("ÜNï", &["Ünï"]),
        ("{\"kind\": \"chat\"}", &[]),
        ("100%_", &[]),
    ] {
        assert_eq!(app.titles("ann", &[("q", search)]).await, expected, "{search}");
    }
}

/// CR-3: an invalid parameter is named.
#[tokio::test]
async fn an_invalid_filter_is_refused() {
    let app = TestApp::selling("coderev").await;
    let long = "x".repeat(201);
    for (name, values) in [
        ("id", &["", "1", "'; drop table history; --", "00000000-0000-0000-0000-00000000000g"][..]),
        ("kind", &["", "Code Review", "x'", "ü"]),
        ("tag", &["", "two\nlines", &long]),
        ("minScore", &["", "-1", "101", "NaN", "inf", "1e2x", "0.001", "50; select 1"]),
        ("maxScore", &["-0.01", "1e9"]),
        (
            "since",
            &["", "yesterday", "2026-06-10", "1969-12-31T23:59:59Z", "-009999-01-01T00:00:00Z"],
        ),
        ("until", &["never", "99999-01-01T00:00:00Z"]),
        ("q", &["", "nul\u{0}", "\u{1b}[31m", &long]),
        ("limit", &["0", "-1", "101", "100000", "ten", "99999999999999999999"]),
    ] {
        for value in values {
            app.history("ann", &[(name, value)]).await.expect_invalid(name);
        }
    }
    let scores = [("minScore", "6"), ("maxScore", "5")];
    app.history("ann", &scores).await.expect_invalid("maxScore");
    let time = "2026-06-10T11:20:30Z";
    app.history("ann", &[("since", time), ("until", time)]).await.expect_invalid("until");
}
