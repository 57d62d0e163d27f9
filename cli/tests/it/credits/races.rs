//! Concurrent changes of credits.

use std::pin::pin;

use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::json;

use crate::support::{ApiResponse, TestApp, execute};
use crate::webhook::guards::without;

/// The answers of the calls, except those refused by the process's own rate limit. It replaces
/// Redis when Redis is slow under load, refuses at most a tenth of the calls, and a refused call
/// changes nothing.
async fn at_once(
    calls: impl IntoIterator<Item = impl Future<Output = ApiResponse>>,
) -> Vec<ApiResponse> {
    let mut answers = join_all(calls).await;
    let all = answers.len();
    answers.retain(|answer| answer.status != 429);
    assert!(answers.len() * 10 >= all * 9, "{} of {all}", answers.len());
    answers
}

/// The number of successful calls; all others were refused for insufficient credits.
fn done(answers: &[ApiResponse]) -> usize {
    let refused = answers.iter().filter(|answer| answer.body["code"] == "insufficient_credits");
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(done + refused.count(), answers.len(), "{answers:?}");
    done
}

/// CP-3: of 64 concurrent spends with credits for three, exactly three succeed, in each of 100
/// rounds.
#[tokio::test]
async fn sixty_four_spends_with_credits_for_three() {
    let app = TestApp::selling("credits").await;
    for round in 0..100 {
        let user = format!("r{round:03}");
        app.grant(&user, "credit", 2, json!({})).await;
        app.grant(&user, "credit", 2, json!({})).await;
        app.grant(&user, "credit", 3, json!({})).await;
        let spends = at_once((0..64).map(|_| app.spend(&user, "credit", 2).send())).await;
        assert_eq!(done(&spends), 3, "{user}");
    }
    for (what, count) in [
        ("wallets where balance = 1", 100),
        ("users where credits_balance = 1", 100),
        ("wallets where seq = 6", 100),
        ("credit_transactions where kind = 'spend'", 300),
    ] {
        assert_eq!(app.count(&format!("select count(*) from {what}")).await, count, "{what}");
    }
    app.books_are_right().await;
}

/// The unique index on sources is needed: without it, a retry that misses the first spend spends
/// again.
#[tokio::test]
async fn without_unique_sources_a_retry_spends_again() {
    let app = TestApp::selling("demo").await;
    execute(&app.owner().await, "drop index credit_transactions_source").await;
    for round in 0..50 {
        let user = format!("r{round:02}");
        app.grant(&user, "ai_credit", 1_000, json!({})).await;
        let retry = |_| app.spend(&user, "ai_credit", 2).header("idempotency-key", "one").send();
        at_once((0..64).map(retry)).await;
        if app.held(&user, "ai_credit").await["balance"] != 998 {
            return;
        }
    }
    panic!("nothing went wrong");
}

/// Runs two concurrent grants, of which the second has the lower priority number. Returns the
/// priority of the wallet's head.
async fn head_of_two_grants_at_once(app: &TestApp) -> i64 {
    let grant = |priority: i32| {
        format!(
            "select grant_credits('ann', 'grant', 'ai_credit', 5, null, {priority}, '{{}}', 'test', null,
               null, farebox_now())"
        )
    };
    app.grant("ann", "ai_credit", 1, json!({})).await;
    app.spend("ann", "ai_credit", 1).send().await.expect_status(200);
    let (first, second) = (app.owner().await, app.owner().await);
    execute(&first, &format!("begin; {}", grant(9))).await;
    let last = grant(1);
    let mut other = pin!(execute(&second, &last));
    let is_done = tokio::select! {
        () = &mut other => true,
        () = app.until_waiting(1) => false,
    };
    execute(&first, "commit").await;
    if !is_done {
        other.await;
    }
    app.count("select priority::bigint from credit_grants join wallets on head_id = id").await
}

/// The account lock is needed: without it, two concurrent grants do not see each other, and the
/// wallet spends from the wrong one.
#[tokio::test]
async fn without_the_lock_of_the_account_the_head_is_wrong() {
    assert_eq!(head_of_two_grants_at_once(&TestApp::selling("demo").await).await, 1);
    let app = without("lock_and_refresh_user", "\n  for update", "").await;
    assert_eq!(head_of_two_grants_at_once(&app).await, 9);
}

/// A retry on the slow path waits for the first spend to commit and returns its answer, although
/// the balance no longer covers the amount.
#[tokio::test]
async fn a_retry_that_waits_for_the_wallet_gets_the_first_answer() {
    let app = TestApp::selling("demo").await;
    app.grant("ann", "ai_credit", 10, json!({})).await;
    let (first, second) = (app.owner().await, app.owner().await);
    let due = "update wallets set due_at = farebox_now() + interval '10 seconds'";
    execute(&first, due).await;
    let spend = |seconds: i32| {
        format!(
            "select spend_credits('ann', 'ai_credit', 7, '{{}}', 'key', 'print',
               farebox_now() + interval '{seconds} seconds')"
        )
    };
    execute(&first, &format!("begin; {}", spend(0))).await;
    let commits = async {
        app.until_waiting(1).await;
        execute(&first, "commit").await;
    };
    let retry = spend(20);
    tokio::join!(execute(&second, &retry), commits);
    assert_eq!(app.held("ann", "ai_credit").await["balance"], 3);
    let spends = "select count(*) from credit_transactions where kind = 'spend'";
    assert_eq!(app.count(spends).await, 1);
    app.books_are_right().await;
}

/// CP-3: ten rounds of 64 retries with one key: one debit, and the same answer for all.
#[tokio::test]
async fn sixty_four_retries_of_one_key_spend_once() {
    let app = TestApp::selling("credits").await;
    for round in 0..10 {
        let user = format!("r{round}");
        app.grant(&user, "credit", 1_000, json!({})).await;
        let retry = |_| app.spend(&user, "credit", 7).header("idempotency-key", "one").send();
        let answers = at_once((0..64).map(retry)).await;
        for answer in &answers {
            assert_eq!((answer.status, &answer.body), (200, &answers[0].body));
        }
        assert_eq!(app.balance(&user).await, 993);
    }
    assert_eq!(
        app.count("select count(*) from credit_transactions where kind = 'spend'").await,
        10
    );
    app.books_are_right().await;
}

/// Sixty-four concurrent grants with one key count once.
#[tokio::test]
async fn sixty_four_retries_of_one_grant_count_once() {
    let app = TestApp::selling("credits").await;
    let grant_request = json!({ "action": "grant", "unit": "credit", "amount": 5, "reason": "a" });
    let grant =
        |_| app.for_user("ann", grant_request.clone()).header("idempotency-key", "one").send();
    let answers = at_once((0..64).map(grant)).await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.body == answers[0].body));
    assert_eq!(app.ledger("ann").await, json!([["grant", 5, 5]]));
    app.books_are_right().await;
}

/// CP-3: a spend during an erasure is either refused, or committed before it with the user id
/// removed.
#[tokio::test]
async fn spends_during_an_erasure_leave_no_user_id() {
    let app = TestApp::selling("credits").await;
    for round in 0..10 {
        let user = format!("r{round}");
        app.grant(&user, "credit", 1_000, json!({})).await;
        let spends = (0..32).map(|_| app.spend(&user, "credit", 1).send());
        let erasure = app.delete("/api/account").bearer(&app.token(&user)).send();
        let (spends, erased) = tokio::join!(at_once(spends), erasure);
        erased.expect_status(204);
        for spend in spends {
            assert!([200, 401, 403].contains(&spend.status), "{spend:?}");
        }
        let named = format!("select count(*) from credit_transactions where user_id = '{user}'");
        assert_eq!(app.count(&named).await, 0, "{user}");
    }
    assert_eq!(app.count("select count(*) from wallets").await, 0);
}

/// Credits that expire during spends are either spent or expired, never both.
#[tokio::test]
async fn credits_are_spent_or_expired_and_never_both() {
    let app = TestApp::selling("credits").await;
    for round in 0..20 {
        let user = format!("r{round:02}");
        let soon = app.now() + SignedDuration::from_mins(1);
        app.grant(&user, "credit", 40, json!({ "expiresAt": soon })).await;
        let spends = at_once((0..64).map(async |number| {
            if number == 32 {
                app.clock.advance(SignedDuration::from_mins(1));
            }
            app.spend(&user, "credit", 1).send().await
        }));
        let (spends, ()) = tokio::join!(spends, app.two_jobs());
        let done = i64::try_from(done(&spends)).unwrap();
        app.two_jobs().await;
        let expired = format!(
            "select coalesce(-sum(delta), 0)::bigint from credit_transactions
             where user_id = '{user}' and kind = 'expiry'"
        );
        assert_eq!(app.count(&expired).await, 40 - done, "{user}");
        assert_eq!(app.balance(&user).await, 0);
    }
    app.books_are_right().await;
}

/// DM-4: two jobs, spends and reads at the start of a month grant its credits once.
#[tokio::test]
async fn a_new_month_brings_its_credits_once() {
    let app = TestApp::selling("dearme").await;
    let users: Vec<String> = (0..20).map(|number| format!("u{number:02}")).collect();
    for user in &users {
        let grant_request = json!({ "plan": "pro" });
        let call = app.patch("/api/plan").query("userId", user).bearer(&app.service_key);
        call.json(grant_request).send().await.expect_status(200);
    }
    for month in 1..=3 {
        app.clock.advance(SignedDuration::from_hours(24 * 31));
        let spends =
            users.iter().flat_map(|user| (0..3).map(|_| app.spend(user, "mail_credit", 1).send()));
        let (spends, (), ()) = tokio::join!(at_once(spends), app.two_jobs(), app.two_jobs());
        assert_eq!(done(&spends), 40, "two of three succeed for each user");
        let plan = "select count(*) from credit_transactions where kind = 'plan'";
        assert_eq!(app.count(plan).await, 20 * (month + 1));
    }
    app.books_are_right().await;
}
