//! Wallets with many grants and several units. A wallet's head is the grant that is spent first.

use jiff::SignedDuration;
use serde_json::json;

use crate::calendar::months_after;
use crate::support::{TestApp, execute};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Grants with the same kind, expiry and priority are merged, unless another grant is between them.
#[tokio::test]
async fn grants_with_equal_terms_are_merged() {
    let app = TestApp::selling("demo").await;
    let later = app.now() + DAY * 10;
    for amount in [1, 2, 3] {
        app.grant("ann", "ai_credit", amount, json!({})).await;
    }
    app.grant("ann", "ai_credit", 4, json!({ "priority": 9 })).await;
    app.grant("ann", "ai_credit", 5, json!({ "expiresAt": later })).await;
    app.grant("ann", "ai_credit", 6, json!({ "expiresAt": later })).await;
    let grants = json!([["grant", 11], ["grant", 4], ["grant", 6]]);
    assert_eq!(app.grants("ann", "ai_credit").await, grants);

    app.buy_pack("ann", "ai_100").await;
    app.grant("ann", "ai_credit", 7, json!({})).await;
    app.grant("ann", "ai_credit", 8, json!({})).await;
    let grants =
        json!([["grant", 11], ["grant", 4], ["grant", 6], ["purchase", 100], ["grant", 15]]);
    assert_eq!(app.grants("ann", "ai_credit").await, grants, "the oldest are spent first");
    app.spend("ann", "ai_credit", 16).send().await.expect_status(200);
    let grants = json!([["grant", 5], ["purchase", 100], ["grant", 15]]);
    assert_eq!(app.grants("ann", "ai_credit").await, grants);
    app.books_are_right().await;
}

/// The first hundred grants are listed, with the total number of grants.
#[tokio::test]
async fn a_hundred_grants_are_listed() {
    let app = TestApp::selling("demo").await;
    let grants = "select count(grant_credits('ann', 'grant', 'ai_credit', n, farebox_now() + n * interval '1 day',
                    null, '{\"reason\": \"a\"}', 'test', null, null, farebox_now()))
                  from generate_series(1, 120) n";
    execute(&app.owner().await, grants).await;
    let held = app.held("ann", "ai_credit").await;
    assert_eq!((&held["grantCount"], &held["balance"]), (&json!(120), &json!(7_260)));
    let listed = held["grants"].as_array().unwrap();
    assert_eq!(
        (listed.len(), &listed[0]["amount"], &listed[99]["amount"]),
        (100, &json!(1), &json!(100))
    );
    app.spend("ann", "ai_credit", 1 + 2 + 3 + 1).send().await.expect_status(200);
    let held = app.held("ann", "ai_credit").await;
    assert_eq!((&held["grantCount"], &held["grants"][0]["remaining"]), (&json!(117), &json!(3)));
    app.books_are_right().await;
}

/// Entries of several units are read page by page, each once, the newest first.
#[tokio::test]
async fn the_ledger_of_several_units_is_read_page_by_page() {
    let app = TestApp::selling("demo").await;
    let mut expected = Vec::new();
    for amount in 1..=9 {
        let unit = if amount % 3 == 0 { "mail_credit" } else { "ai_credit" };
        execute(
            &app.owner().await,
            &format!(
                "insert into accounts (id, created_at) values ('ann', farebox_now()) on conflict do nothing;
                 select post_to_ledger('ann', '{unit}', {amount}, 'grant', '{{}}',
                   farebox_now() + interval '{amount} seconds')"
            ),
        )
        .await;
        expected.insert(0, amount);
    }
    let mut cursor: Option<String> = None;
    let (mut seen, mut ids) = (Vec::new(), Vec::new());
    loop {
        let mut call = app.get("/api/credits").query("limit", "2").bearer(&app.token("ann"));
        if let Some(cursor) = &cursor {
            call = call.query("cursor", cursor);
        }
        let page = call.send().await.expect_status(200).body;
        for entry in page["data"].as_array().unwrap() {
            seen.push(entry["amount"].as_i64().unwrap());
            ids.push(entry["id"].as_str().unwrap().to_owned());
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(seen, expected);
    assert_eq!(ids[..4], ["mail_credit:3", "ai_credit:6", "ai_credit:5", "mail_credit:2"]);
}

/// A spend may follow a grant in the same transaction.
#[tokio::test]
async fn a_grant_is_spent_in_its_own_transaction() {
    let app = TestApp::selling("demo").await;
    let both = "select grant_credits(
                  'ann', 'grant', 'ai_credit', 10, null, null, '{}', 'me', null, null, farebox_now());
                select spend_credits('ann', 'ai_credit', 10, '{}', null, null, farebox_now())";
    execute(&app.owner().await, both).await;
    assert_eq!(app.held("ann", "ai_credit").await["balance"], 0);
    app.books_are_right().await;
}

/// An open wallet (one without a head) is consistent: it shows its credits, and its next spend sets
/// a head.
#[tokio::test]
async fn an_open_wallet_is_consistent() {
    let app = TestApp::selling("demo").await;
    app.grant("ann", "ai_credit", 10, json!({})).await;
    app.spend("ann", "ai_credit", 1).send().await.expect_status(200);
    execute(&app.owner().await, "select open_wallets('ann')").await;
    app.books_are_right().await;
    assert_eq!(app.grants("ann", "ai_credit").await, json!([["grant", 9]]));
    let heads = "select count(head_id) from wallets";
    assert_eq!(app.count(heads).await, 0);
    app.spend("ann", "ai_credit", 1).send().await.expect_status(200);
    assert_eq!(
        (app.count(heads).await, app.held("ann", "ai_credit").await["balance"].clone()),
        (1, json!(8))
    );
    app.books_are_right().await;
}

/// A renewal on the fast path leaves the same state as one on the slow path.
#[tokio::test]
async fn both_renewal_paths_end_in_one_state() {
    let app = TestApp::selling("demo").await;
    let users = ["ann", "bob"];
    for user in users {
        app.buy(user, json!({ "tier": "team", "interval": "monthly" })).await;
    }
    let since = app.now();
    app.lose_webhooks();
    let owner = app.owner().await;
    let mut ledger = vec![json!(["plan", 500, 500])];
    for (month, spent) in [(1, 30), (2, 500), (3, 0)] {
        for user in users.iter().filter(|_| spent > 0) {
            app.spend(user, "ai_credit", spent).send().await.expect_status(200);
        }
        app.advance_to(months_after(since, month) + DAY).await;
        let renewed = "select count(renew_plan_credits(
                         s.user_id, s.id, s.renewal_unit, s.renewal_amount, farebox_now()))
                       from subscriptions s where s.user_id = 'ann'";
        assert_eq!(app.count(renewed).await, 1);
        assert_eq!(app.count(renewed).await, 0, "nothing is due");
        execute(&owner, "select recompute_if_due('bob', farebox_now())").await;
        if spent > 0 {
            ledger.push(json!(["spend", -spent, 500 - spent]));
        }
        if spent < 500 {
            ledger.push(json!(["expiry", spent - 500, 0]));
        }
        ledger.push(json!(["plan", 500, 500]));
        for user in users {
            assert_eq!(app.ledger(user).await, json!(ledger), "{user}");
        }
    }
    // The two subscriptions began at different moments.
    let states = "select count(distinct state) from (
                    select jsonb_build_object(
                      'wallet', to_jsonb(w) - '{user_id,version,head_id,due_at,head_ends}'::text[],
                      'is_due', array[w.due_at = a.due_at, w.head_ends = a.due_at],
                      'grants', (
                        select jsonb_agg(
                          (to_jsonb(g) || jsonb_build_object('expires_at', g.expires_at = g.period_end))
                            - '{id,user_id,created_at,period_start,period_end}'::text[] order by g.id)
                        from credit_grants g where g.user_id = w.user_id)) as state
                    from wallets w join accounts a on a.id = w.user_id) states";
    assert_eq!(app.count(states).await, 1);
    app.books_are_right().await;
}
