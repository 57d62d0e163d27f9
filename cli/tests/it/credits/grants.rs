//! The order in which spends, expiry and refunds consume credits.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::events::Customer;
use crate::support::{TestApp, execute};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The grant that expires first, then the lowest priority, then the oldest.
#[tokio::test]
async fn credits_that_expire_first_are_spent_first() {
    let app = TestApp::selling("demo").await;
    let now = Timestamp::from_second(app.now().as_second()).unwrap();
    let (soon, later) = (now + DAY, now + DAY * 10);
    app.grant("ann", "ai_credit", 50, json!({})).await;
    app.grant("ann", "ai_credit", 20, json!({ "expiresAt": later, "priority": 90 })).await;
    app.grant("ann", "ai_credit", 10, json!({ "expiresAt": later, "priority": 10 })).await;
    app.grant("ann", "ai_credit", 5, json!({ "expiresAt": soon, "priority": 100 })).await;
    app.grant("ann", "ai_credit", 7, json!({ "priority": 0 })).await;
    let left = async || {
        let held = app.held("ann", "ai_credit").await;
        let grants = held["grants"].as_array().unwrap().iter();
        grants.map(|grant| grant["remaining"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(left().await, [5, 10, 20, 7, 50]);
    let held = app.held("ann", "ai_credit").await;
    assert_eq!((held["balance"].clone(), held["expiring"].clone()), (json!(92), json!(5)));
    assert_eq!(held["expiresAt"], json!(soon));
    for (amount, expected) in
        [(3, vec![2, 10, 20, 7, 50]), (4, vec![8, 20, 7, 50]), (32, vec![3, 50]), (53, vec![])]
    {
        app.spend("ann", "ai_credit", amount).send().await.expect_status(200);
        assert_eq!(left().await, expected);
    }
    let refused = app.spend("ann", "ai_credit", 1).send().await;
    let refused = refused.expect_problem(402, "insufficient_credits");
    assert_eq!(
        (refused.body["balance"].clone(), refused.body["needed"].clone()),
        (json!(0), json!(1))
    );
    app.books_are_right().await;
}

/// Unspent credits expire once, however late or often the job runs. Nothing can spend them after
/// they expire.
#[tokio::test]
async fn expired_credits_are_removed_once() {
    let app = TestApp::selling("demo").await;
    let soon = json!({ "expiresAt": app.now() + DAY });
    for user in ["ann", "bob"] {
        app.grant(user, "ai_credit", 20, soon.clone()).await;
        app.grant(user, "ai_credit", 5, json!({})).await;
        app.spend(user, "ai_credit", 8).send().await.expect_status(200);
    }
    app.clock.advance(DAY * 40);
    let late = app.spend("bob", "ai_credit", 6).send().await;
    assert_eq!(late.expect_problem(402, "insufficient_credits").body["balance"], 5);
    for _ in 0..3 {
        app.two_jobs().await;
    }
    for user in ["ann", "bob"] {
        let ledger =
            json!([["grant", 20, 20], ["grant", 5, 25], ["spend", -8, 17], ["expiry", -12, 5]]);
        assert_eq!(app.ledger(user).await, ledger, "{user}");
    }
    assert_eq!(app.redis_command(&["HGET", "user:ann:credits", "ai_credit"]).await, "5");
    app.books_are_right().await;
}

/// A refund takes the pack's own remaining credits, even if others would be spent first.
#[tokio::test]
async fn a_refund_takes_its_own_credits_first() {
    let app = TestApp::selling("demo").await;
    let lasting = app.buy_pack("ann", "ai_100").await;
    app.buy_pack("ann", "ai_1000").await;
    assert_eq!(
        app.grants("ann", "ai_credit").await,
        json!([["purchase", 1_000], ["purchase", 100]])
    );
    app.refund(&lasting, "250").await;
    assert_eq!(
        app.grants("ann", "ai_credit").await,
        json!([["purchase", 1_000], ["purchase", 50]])
    );
    app.spend("ann", "ai_credit", 1_010).send().await.expect_status(200);
    app.grant("ann", "ai_credit", 5, json!({ "expiresAt": app.now() + DAY })).await;
    app.refund(&lasting, "250").await;
    assert_eq!(app.held("ann", "ai_credit").await["balance"], 40 + 5 - 50);
    assert_eq!(app.grants("ann", "ai_credit").await, json!([]));
    app.books_are_right().await;
}

/// A negative balance allows no spend, and incoming credits pay it off first.
#[tokio::test]
async fn a_negative_balance_is_paid_off_first() {
    let app = TestApp::selling("credits").await;
    let payment = app.buy_pack("ann", "starter").await;
    app.spend("ann", "credit", 80).send().await.expect_status(200);
    app.refund(&payment, "999").await;
    assert_eq!(app.balance("ann").await, -80);
    let refused = app.spend("ann", "credit", 1).send().await;
    assert_eq!(refused.expect_problem(402, "insufficient_credits").body["balance"], -80);
    app.grant("ann", "credit", 30, json!({})).await;
    app.spend("ann", "credit", 1).send().await.expect_problem(402, "insufficient_credits");
    app.buy_pack("ann", "starter").await;
    assert_eq!(app.grants("ann", "credit").await, json!([["purchase", 50]]));
    app.spend("ann", "credit", 50).send().await.expect_status(200);
    let ledger = json!([
        ["purchase", 100, 100],
        ["spend", -80, 20],
        ["refund", -100, -80],
        ["grant", 30, -50],
        ["purchase", 100, 50],
        ["spend", -50, 0],
    ]);
    assert_eq!(app.ledger("ann").await, ledger);
    app.books_are_right().await;
}

/// A refund has the same result before and after the credits expire: expired credits are not owed.
#[tokio::test]
async fn expired_credits_are_not_owed() {
    let app = TestApp::selling("demo").await;
    let pack = app.pack_sold("ai_1000").await;
    let since = app.now().as_second();
    for user in ["early", "late"] {
        app.deliver(&Customer::of(user, since).paid(0, "p", "ai_1000", &pack))
            .await
            .expect_status(200);
        app.spend(user, "ai_credit", 700).send().await.expect_status(200);
    }
    let refund = |user, at| Customer::of(user, since).refunded(at, "p", &pack, 2_000);
    app.deliver(&refund("early", 1)).await.expect_status(200);
    app.clock.advance(DAY * 366);
    app.two_jobs().await;
    app.deliver(&refund("late", 2)).await.expect_status(200);
    for user in ["early", "late"] {
        assert_eq!(app.held(user, "ai_credit").await["balance"], -200, "{user}");
    }
    let whole = |user, at| Customer::of(user, since).refunded(at, "p", &pack, 4_000);
    for (user, at) in [("early", 3), ("late", 4)] {
        app.deliver(&whole(user, at)).await.expect_status(200);
        assert_eq!(app.held(user, "ai_credit").await["balance"], -700, "{user}");
    }
    app.books_are_right().await;
}

/// A dispute takes the available credits, and winning it restores the same grants.
#[tokio::test]
async fn a_won_dispute_restores_the_same_grants() {
    let app = TestApp::selling("demo").await;
    let pack = app.pack_sold("ai_100").await;
    let ann = Customer::of("ann", app.now().as_second());
    app.deliver(&ann.paid(0, "p", "ai_100", &pack)).await.expect_status(200);
    app.grant("ann", "ai_credit", 30, json!({})).await;
    for (at, status, grants) in [
        (1, "needs_response", json!([["grant", 30]])),
        (2, "won", json!([["purchase", 100], ["grant", 30]])),
    ] {
        app.deliver(&ann.disputed(at, "p", 500, status)).await.expect_status(200);
        assert_eq!(app.grants("ann", "ai_credit").await, grants, "{status}");
    }
    let held: Value = app.held("ann", "ai_credit").await;
    assert_eq!(held["grants"][0]["amount"], 100, "it was bought once");
    app.books_are_right().await;
}

/// A won dispute returns credits to the grants it took them from, even after the pack expired. The
/// result is the same as without the dispute, in any order of events.
#[tokio::test]
async fn a_won_dispute_returns_credits_taken_from_other_grants() {
    let app = TestApp::selling("demo").await;
    let pack = app.pack_sold("ai_1000").await;
    let since = app.now().as_second();
    for user in ["lent", "owed", "won"] {
        app.deliver(&Customer::of(user, since).paid(0, "p", "ai_1000", &pack))
            .await
            .expect_status(200);
        app.spend(user, "ai_credit", 600).send().await.expect_status(200);
    }
    for user in ["lent", "won"] {
        app.grant(user, "ai_credit", 1_000, json!({})).await;
    }
    let dispute = |user, at, status| Customer::of(user, since).disputed(at, "p", 4_000, status);
    for user in ["lent", "owed"] {
        app.deliver(&dispute(user, 1, "needs_response")).await.expect_status(200);
    }
    assert_eq!(app.held("owed", "ai_credit").await["balance"], -600);
    app.grant("owed", "ai_credit", 400, json!({})).await;
    app.grant("owed", "ai_credit", 600, json!({})).await;
    for user in ["lent", "owed"] {
        assert_eq!(app.grants(user, "ai_credit").await, json!([["grant", 400]]), "{user}");
    }
    app.clock.advance(DAY * 366);
    app.two_jobs().await;
    for (user, grants) in [
        ("lent", json!([["grant", 1_000]])),
        ("won", json!([["grant", 1_000]])),
        ("owed", json!([["grant", 400], ["grant", 600]])),
    ] {
        app.deliver(&dispute(user, 2, "won")).await.expect_status(200);
        assert_eq!(app.grants(user, "ai_credit").await, grants, "{user}");
    }
    app.books_are_right().await;
}

/// Two disputes take from other grants. When one is won, its credits return to the grant that would
/// be spent last, whichever dispute came first.
#[tokio::test]
async fn a_won_dispute_returns_the_credits_that_would_be_spent_last() {
    let app = TestApp::selling("demo").await;
    let pack = app.pack_sold("ai_100").await;
    let since = app.now().as_second();
    for (user, order) in [("ann", ["p", "q"]), ("bob", ["q", "p"])] {
        let of = Customer::of(user, since);
        for payment in ["p", "q"] {
            app.deliver(&of.paid(0, payment, "ai_100", &pack)).await.expect_status(200);
        }
        app.spend(user, "ai_credit", 200).send().await.expect_status(200);
        for (at, payment) in (1..).zip(order) {
            let dispute = of.disputed(at, payment, 500, "needs_response");
            app.deliver(&dispute).await.expect_status(200);
        }
        app.grant(user, "ai_credit", 100, json!({ "expiresAt": app.now() + DAY })).await;
        app.grant(user, "ai_credit", 100, json!({})).await;
    }
    app.clock.advance(DAY * 2);
    for user in ["ann", "bob"] {
        let won = Customer::of(user, since).disputed(4, "p", 500, "won");
        app.deliver(&won).await.expect_status(200);
        let lasting = json!([["grant", 100]]);
        assert_eq!(app.grants(user, "ai_credit").await, lasting, "{user}");
    }
    app.books_are_right().await;
}

/// A dispute of a purchase without its own grant takes and returns credits too.
#[tokio::test]
async fn a_dispute_of_a_purchase_without_a_grant_is_won() {
    let app = TestApp::selling("demo").await;
    let pack = app.pack_sold("ai_100").await;
    let ann = Customer::of("ann", app.now().as_second());
    app.deliver(&ann.paid(0, "p", "ai_100", &pack)).await.expect_status(200);
    let before = "update credit_grants set kind = 'opening', payment_id = null";
    execute(&app.owner().await, before).await;
    let disputed = |at, status| ann.disputed(at, "p", 500, status);
    let refund = |at, status| ann.refund(at, "p", 1, 500, status);
    for (event, left) in [
        (disputed(1, "needs_response"), json!([])),
        (disputed(2, "won"), json!([["opening", 100]])),
        (refund(3, "pending"), json!([])),
        (refund(4, "failed"), json!([["opening", 100]])),
    ] {
        app.deliver(&event).await.expect_status(200);
        assert_eq!(app.grants("ann", "ai_credit").await, left, "{}", event["type"]);
    }
    app.books_are_right().await;
}
