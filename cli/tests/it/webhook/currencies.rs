//! Refunds and disputes claw back credits by their amounts, in any order of events. Amounts may
//! shrink, currencies may be missing, and a session may have another currency than its charge.

use serde_json::{Value, json};

use super::orders::orders;
use super::story::books;
use crate::support::TestApp;
use crate::support::events::{Customer, Sold};

/// The same event with another id and changed fields of its object.
fn with(mut event: Value, changes: Value) -> Value {
    for (field, value) in changes.as_object().unwrap() {
        event["data"]["object"][field] = value.clone();
    }
    event["id"] = format!("{}_{changes}", event["id"].as_str().unwrap()).into();
    event
}

/// Delivers the story in every order; expects these credits of 100 after each, and one row for the
/// dispute.
async fn ends(credits: i64, dispute: Value, story: impl Fn(&Customer, &Sold) -> Vec<Value>) {
    let app = TestApp::selling("demo").await;
    let pack = app.pack_sold("ai_100").await;
    let count = story(&Customer::of("ann", 0), &pack).len();
    for (number, order) in orders(count).into_iter().enumerate() {
        let user = format!("u{number}");
        let events = story(&Customer::of(&user, app.now().as_second()), &pack);
        for place in &order {
            app.deliver(&events[*place]).await.expect_status(200);
        }
        assert_eq!(app.held(&user, "ai_credit").await["balance"], credits, "{order:?}");
        let sql = format!(
            "select count(*) from disputes
             where payment_id = 'pi_{user}_pack'
               and jsonb_build_array(status, amount_minor, currency, reason) = '{dispute}'"
        );
        assert_eq!(app.count(&sql).await, i64::from(!dispute.is_null()), "{order:?}");
    }
    books(&app).await.unwrap();
}

#[tokio::test]
async fn the_greatest_amount_of_a_dispute_counts_in_every_order() {
    let dispute = json!(["lost", 500, "usd", "fraudulent"]);
    ends(0, dispute, |ann, pack| {
        vec![
            ann.paid(0, "pack", "ai_100", pack),
            ann.disputed(30, "pack", 500, "needs_response"),
            with(ann.disputed(35, "pack", 300, "under_review"), json!({ "reason": null })),
            with(ann.disputed(40, "pack", 200, "lost"), json!({ "reason": null })),
        ]
    })
    .await;
}

#[tokio::test]
async fn a_disputes_currency_may_be_left_out_once() {
    let eur = json!({ "currency": "eur" });
    ends(0, json!(["under_review", 460, "eur", "fraudulent"]), |ann, pack| {
        vec![
            ann.paid(0, "pack", "ai_100", pack),
            with(ann.disputed(30, "pack", 460, "needs_response"), eur.clone()),
            with(ann.disputed(40, "pack", 460, "under_review"), json!({ "currency": null })),
        ]
    })
    .await;
}

/// A charge in euros, with its refunded amount; its session is in dollars.
fn charged(ann: &Customer, at: i64, pack: &Sold, refunded: i64) -> Value {
    let eur = json!({ "currency": "eur", "amount": 460, "amount_captured": 460 });
    with(ann.refunded(at, "pack", pack, refunded), eur)
}

#[tokio::test]
async fn a_dispute_is_compared_in_the_currency_of_its_charge() {
    for (disputed, credits) in [(460, 0), (115, 75)] {
        ends(credits, json!(["lost", disputed, "eur", "fraudulent"]), |ann, pack| {
            vec![
                ann.paid(0, "pack", "ai_100", pack),
                charged(ann, 1, pack, 0),
                with(ann.disputed(30, "pack", disputed, "lost"), json!({ "currency": "eur" })),
            ]
        })
        .await;
    }
}

#[tokio::test]
async fn a_refund_is_compared_in_the_currency_of_its_charge() {
    for (refunded, credits) in [(460, 0), (230, 50)] {
        ends(credits, Value::Null, |ann, pack| {
            vec![
                ann.paid(0, "pack", "ai_100", pack),
                charged(ann, 1, pack, 0),
                charged(ann, 30, pack, refunded),
                ann.refund(30, "pack", 1, refunded, "succeeded"),
            ]
        })
        .await;
    }
}

/// The charge has the paid amount, and waits for its payment in a row of its own.
#[tokio::test]
async fn a_charge_without_an_intent_provides_its_currency() {
    ends(0, json!(["won", 460, "eur", "fraudulent"]), |ann, pack| {
        vec![
            ann.paid(0, "pack", "ai_100", pack),
            with(charged(ann, 30, pack, 460), json!({ "payment_intent": null })),
            with(ann.disputed(31, "pack", 460, "won"), json!({ "currency": "eur" })),
        ]
    })
    .await;
}
