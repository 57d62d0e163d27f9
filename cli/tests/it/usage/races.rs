//! Concurrent usage.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::TestApp;

/// Of 64 concurrent calls with room for three, three are counted and the others are refused.
#[tokio::test]
async fn a_hundred_rounds_of_sixty_four_uses_count_up_to_the_limit() {
    let app = TestApp::selling("dearme").await;
    let letter = json!({ "feature": "letters" });
    for round in 0..100 {
        let user = format!("r{round}");
        app.report(&user, json!({ "feature": "letters", "quantity": 2 })).await.expect_status(200);
        let answers = join_all((0..64).map(|_| app.report(&user, letter.clone()))).await;
        let mut used = BTreeSet::new();
        for answer in answers {
            match answer.status {
                200 => assert!(used.insert(answer.body["used"].as_i64().unwrap()), "{answer:?}"),
                _ => drop(answer.expect_problem(402, "quota_exceeded")),
            }
        }
        assert_eq!(used.into_iter().collect::<Vec<_>>(), [3, 4, 5], "round {round}");
    }
    assert_eq!(app.count("select count(*) from usage_tracking where used = 5").await, 100);
}

/// Of 64 concurrent retries of one key, one is counted and all get the same answer.
#[tokio::test]
async fn sixty_four_retries_of_one_key_count_once() {
    let app = TestApp::selling("dearme").await;
    let letter = json!({ "feature": "letters", "metadata": { "to": "myself" } });
    for round in 0..20 {
        let user = format!("r{round}");
        let retries = (0..64).map(|_| app.report_once(&user, "k", letter.clone()));
        let answers = join_all(retries).await;
        let answers: BTreeSet<String> =
            answers.into_iter().map(|answer| answer.expect_status(200).text).collect();
        assert_eq!(answers.len(), 1, "{answers:?}");
    }
    assert_eq!(app.count("select sum(used)::bigint from usage_tracking").await, 20);
    assert_eq!(app.count("select count(*) from usage_events").await, 20);
}

/// Batches with two features in opposite orders neither deadlock nor count more than the limit.
#[tokio::test]
async fn batches_in_every_order_do_not_block_each_other() {
    let app = TestApp::selling("demo").await;
    let one = json!({ "feature": "reports" });
    let other = json!({ "feature": "api_calls", "quantity": 10 });
    let reports = [json!({ "entries": [one, other] }), json!({ "entries": [other, one] })];
    let calls = (0..64).map(|number| app.report("ann", reports[number % 2].clone()));
    let counted = join_all(calls).await.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(counted, 5, "the monthly limit of reports");
    assert_eq!(app.used("ann", "api_calls").await["used"], 50);
}
