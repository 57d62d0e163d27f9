//! A paid session that does not name its payment: a refund could not find the purchase.

use serde_json::{Value, json};

use super::foreign::{CREDITS, DEAD_LETTERS};
use super::orders::orders;
use super::story::books;
use crate::support::TestApp;
use crate::support::events::Customer;

/// Stripe does not know the session either: this event is a dead letter, and the event that names
/// the payment counts.
#[tokio::test]
async fn a_refund_finds_the_purchase_of_a_session_without_its_payment() {
    let app = TestApp::selling("demo").await;
    let pack = app.pack_sold("ai_100").await;
    for (number, order) in orders(3).into_iter().enumerate() {
        let user = format!("u{number}");
        let ann = Customer::of(&user, app.now().as_second());
        let mut without = ann.paid(0, "pack", "ai_100", &pack);
        without["data"]["object"]["payment_intent"] = Value::Null;
        let mut again = ann.paid(5, "pack", "ai_100", &pack);
        again["type"] = "checkout.session.async_payment_succeeded".into();
        let events = [without, again, ann.refunded(30, "pack", &pack, 500)];
        for place in &order {
            app.deliver(&events[*place]).await.expect_status(200);
        }
        let taken = format!(
            "select count(*) from credit_transactions
             where user_id = '{user}' and payment_id = '{}'",
            ann.payment_id("pack")
        );
        assert_eq!(app.count(&taken).await, 2, "{order:?}");
        assert_eq!(app.count(CREDITS).await, 0, "{order:?}");
        assert_eq!(app.count(DEAD_LETTERS).await, i64::try_from(number).unwrap() + 1, "{order:?}");
    }
    books(&app).await.unwrap();
}

/// Farebox fetches the session, which names the payment.
#[tokio::test]
async fn a_session_without_its_payment_is_fetched() {
    let app = TestApp::selling("demo").await;
    let payment = app.buy_pack("ann", "ai_100").await;
    let mut without = app.event("checkout.session.completed");
    without["id"] = "evt_without".into();
    without["data"]["object"]["payment_intent"] = Value::Null;
    app.stripe.flights();
    for _ in 0..2 {
        app.deliver(&without).await.expect_status(200);
    }
    assert_eq!(app.stripe.flights(), 2);
    assert_eq!((app.count(CREDITS).await, app.count(DEAD_LETTERS).await), (100, 0));
    app.refund(&payment, "500").await;
    assert_eq!(app.held("ann", "ai_credit").await["balance"], json!(0));
    assert_eq!(app.count("select count(*) from payments where id like 'cs_%'").await, 0);
}
