//! Grants and adjustments by hand: who may make them, the reason, and the limits.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::TestApp;

/// Only a trusted server or an admin may grant credits, and must give a reason.
#[tokio::test]
async fn only_a_server_or_an_admin_can_grant_credits() {
    let app = TestApp::selling("credits").await;
    let gift = |action: &str, amount: i64| json!({ "action": action, "unit": "credit", "amount": amount, "reason": "sorry" });
    // The catalog's events at Stripe are stored too.
    app.simulator.delivered().await;
    let before = app.tables().await;
    for action in ["grant", "adjust"] {
        let own = app.post("/api/credits").bearer(&app.token("ann")).json(gift(action, 5));
        own.send().await.expect_problem(403, "service_only");
        let others = app.post("/api/credits").query("userId", "ann").bearer(&app.token("eve"));
        others.json(gift(action, 5)).send().await.expect_status(403);
    }
    assert_eq!(app.tables().await, before);

    let granted = app.for_user("ann", gift("grant", 50)).send().await.expect_status(200).body;
    assert_eq!(granted["kind"], "grant");
    assert_eq!((granted["amount"].clone(), granted["balance"].clone()), (json!(50), json!(50)));
    assert_eq!(granted["reason"], "sorry");
    let admin = app.token_with(json!({ "sub": "boss", "role": "admin" }));
    for (bearer, amount) in [(&admin, -60), (&app.admin_key, 25)] {
        let call = app.post("/api/credits").header("x-user-id", "ann").bearer(bearer);
        call.json(gift("adjust", amount)).send().await.expect_status(200);
    }
    let ledger = json!([["grant", 50, 50], ["adjust", -60, -10], ["adjust", 25, 15]]);
    assert_eq!(app.ledger("ann").await, ledger);
    let trail = "select jsonb_agg(jsonb_build_array(action, details -> 'amount', details ->> 'reason') order by ctid)
                 from audit_log where user_id = 'ann' and actor <> ''";
    let trail: Value = app.owner().await.query_typed_one(trail, &[]).await.unwrap().get(0);
    let expected = json!([
        ["credits.grant", 50, "sorry"],
        ["credits.adjust", -60, "sorry"],
        ["credits.adjust", 25, "sorry"],
    ]);
    assert_eq!(trail, expected);
    assert_eq!(app.count("select count(*) from audit_log where actor = 'user boss'").await, 1);
    app.books_are_right().await;
}

/// DM-3: a trusted server spends for a user, and its metadata is stored.
#[tokio::test]
async fn a_server_spends_for_a_user() {
    let app = TestApp::selling("dearme").await;
    app.grant("ann", "mail_credit", 3, json!({})).await;
    let spend = json!({
        "action": "spend", "unit": "mail_credit", "amount": 1, "reason": "a letter",
        "metadata": { "letter": "one" },
    });
    let spent = app.for_user("ann", spend).send().await.expect_status(200).body;
    assert_eq!((spent["amount"].clone(), spent["balance"].clone()), (json!(-1), json!(2)));
    let call = app.get("/api/credits").query("userId", "ann").bearer(&app.service_key);
    let latest = call.send().await.expect_status(200).body["data"][0].clone();
    assert_eq!(latest, spent);
    assert_eq!(latest["metadata"], json!({ "letter": "one" }));
    assert_eq!(latest["reason"], "a letter");
}

/// Each invalid field is named, and nothing changes.
#[tokio::test]
async fn an_invalid_grant_or_spend_is_refused() {
    let app = TestApp::selling("credits").await;
    app.grant("ann", "credit", 10, json!({})).await;
    let before = app.tables().await;
    let change_credits = |fields: &str| {
        let call = app.post("/api/credits").bearer(&app.service_key).header("x-user-id", "ann");
        call.raw(format!("{{{fields}}}")).send()
    };
    let unit = r#""unit": "credit""#;
    for action in ["spend", "grant", "adjust"] {
        for amount in
            ["0", "9223372036854775808", "9007199254740992", "1.5", "1e30", r#""1""#, "null", "[1]"]
        {
            let fields =
                format!(r#""action": "{action}", {unit}, "reason": "a", "amount": {amount}"#);
            change_credits(&fields).await.expect_invalid("amount");
        }
        let fields = format!(r#""action": "{action}", "unit": "gold", "reason": "a", "amount": 1"#);
        change_credits(&fields).await.expect_invalid("unit");
        let fields = format!(r#""action": "{action}", {unit}, "reason": "a", "amount": NaN"#);
        change_credits(&fields).await.expect_status(400);
    }
    let past = app.now() - SignedDuration::from_secs(1);
    for (fields, field) in [
        (r#""action": "spend", "amount": -1"#.to_owned(), "amount"),
        (r#""action": "grant", "reason": "a", "amount": -1"#.to_owned(), "amount"),
        (r#""action": "grant", "reason": "a", "amount": 1000000000000000"#.to_owned(), "amount"),
        (r#""action": "adjust", "reason": "a", "amount": -9007199254740991"#.to_owned(), "amount"),
        (r#""action": "steal", "amount": 1"#.to_owned(), "action"),
        (r#""amount": 1"#.to_owned(), "action"),
        (r#""action": "spend""#.to_owned(), "amount"),
        (r#""action": "grant", "amount": 1"#.to_owned(), "reason"),
        (r#""action": "adjust", "amount": 1, "reason": """#.to_owned(), "reason"),
        (
            format!(r#""action": "grant", "amount": 1, "reason": "a", "expiresAt": "{past}""#),
            "expiresAt",
        ),
        (
            r#""action": "grant", "amount": 1, "reason": "a", "expiresAt": "soon""#.to_owned(),
            "expiresAt",
        ),
        (
            r#""action": "grant", "amount": 1, "reason": "a", "priority": 101"#.to_owned(),
            "priority",
        ),
        (r#""action": "grant", "amount": 1, "reason": "a", "priority": -1"#.to_owned(), "priority"),
        (r#""action": "spend", "amount": 1, "priority": 1"#.to_owned(), "priority"),
        (r#""action": "adjust", "amount": 1, "reason": "a", "priority": 1"#.to_owned(), "priority"),
        (r#""action": "spend", "amount": 1, "balance": 9"#.to_owned(), "balance"),
    ] {
        change_credits(&format!("{unit}, {fields}")).await.expect_invalid(field);
    }
    let none = app.post("/api/credits").bearer(&app.service_key);
    none.json(json!({ "action": "spend", "unit": "credit", "amount": 1 }))
        .send()
        .await
        .expect_invalid("userId");
    assert_eq!(app.tables().await, before);
}

/// The largest grant leaves room for credits that cannot be refused: a plan's and a purchase's.
#[tokio::test]
async fn the_largest_balance_still_takes_what_is_paid_for() {
    let app = TestApp::selling("dearme").await;
    app.grant("ann", "mail_credit", 1_000_000_000_000_000, json!({})).await;
    app.buy("ann", json!({ "tier": "pro", "interval": "monthly" })).await;
    let held = app.held("ann", "mail_credit").await;
    assert_eq!(held["balance"], 1_000_000_000_000_002_i64);
    app.books_are_right().await;
}

/// A grant with a key counts once, for good; the same key with another request is refused.
#[tokio::test]
async fn a_grant_with_an_idempotency_key_counts_once() {
    let app = TestApp::selling("credits").await;
    let grant = |amount: i64, reason: &str| {
        let gift =
            json!({ "action": "grant", "unit": "credit", "amount": amount, "reason": reason });
        app.for_user("ann", gift).header("idempotency-key", "one").send()
    };
    let first = grant(5, "a").await.expect_status(200).body;
    app.clock.advance(SignedDuration::from_hours(24 * 400));
    assert_eq!(grant(5, "a").await.expect_status(200).body, first);
    grant(6, "a").await.expect_problem(422, "idempotency_key_reused");
    grant(5, "b").await.expect_problem(422, "idempotency_key_reused");
    assert_eq!(app.ledger("ann").await, json!([["grant", 5, 5]]));
    app.books_are_right().await;
}
