//! A payment with several attempts has several charges, and a dispute may name any of them.

use serde_json::{Value, json};

use super::foreign::{CREDITS, DEAD_LETTERS};
use super::orders::orders;
use crate::support::TestApp;
use crate::support::events::Customer;

/// The payment intent's event after an attempt.
fn attempt(of: &Customer, at: i64, name: &str, charge: &str, is_paid: bool) -> Value {
    let verb = if is_paid { "succeeded" } else { "payment_failed" };
    let status = if is_paid { "succeeded" } else { "requires_payment_method" };
    json!({
        "id": format!("evt_{at}_{charge}"), "object": "event", "created": 1_773_878_400 + at,
        "type": format!("payment_intent.{verb}"), "livemode": false,
        "data": { "object": {
            "id": of.payment_id(name), "object": "payment_intent", "status": status,
            "customer": of.customer_id(), "latest_charge": charge, "currency": "usd",
            "amount": 500, "amount_received": if is_paid { 500 } else { 0 }, "metadata": {},
        } },
    })
}

/// In every order, with the charge of the second or of the third attempt.
#[tokio::test]
async fn a_dispute_that_names_a_later_charge_finds_its_payment() {
    let app = TestApp::selling("demo").await;
    let pack = app.pack_sold("ai_100").await;
    for (number, order) in orders(4).into_iter().enumerate() {
        let user = format!("u{number}");
        let ann = Customer::of(&user, app.now().as_second());
        let charge = |attempt| format!("ch_{user}_{attempt}");
        let disputed = charge(if number % 2 == 0 { 2 } else { 3 });
        let mut dispute = ann.disputed(4, "pack", 500, "lost");
        dispute["data"]["object"]["payment_intent"] = Value::Null;
        dispute["data"]["object"]["charge"] = disputed.clone().into();
        let events = [
            ann.paid(0, "pack", "ai_100", &pack),
            attempt(&ann, 1, "pack", &charge(1), false),
            attempt(&ann, 2, "pack", &disputed, true),
            dispute,
        ];
        for place in &order {
            app.deliver(&events[*place]).await.expect_status(200);
        }
        let credits = format!("{CREDITS} where user_id = '{user}'");
        assert_eq!(app.count(&credits).await, 0, "{order:?}");
        let paid = ann.payment_id("pack");
        let charges = format!(
            "select count(*) from payments where id = '{paid}'
               and array[charge_id] || other_charges @> array['{}', '{disputed}']",
            charge(1)
        );
        assert_eq!(app.count(&charges).await, 1, "{order:?}");
    }
    assert_eq!(app.count(DEAD_LETTERS).await, 0);
}

/// Until 2022 a payment intent listed all of its charges.
#[tokio::test]
async fn a_dispute_that_names_a_listed_charge_finds_its_payment() {
    let app = TestApp::selling("demo").await;
    let pack = app.pack_sold("ai_100").await;
    for (user, order) in [("ann", [0, 1, 2]), ("bob", [2, 1, 0]), ("eve", [1, 2, 0])] {
        let someone = Customer::of(user, app.now().as_second());
        let mut intent = attempt(&someone, 1, "pack", &format!("ch_{user}_1"), true);
        let object = &mut intent["data"]["object"];
        object["latest_charge"] = Value::Null;
        let listed = |number| json!({ "id": format!("ch_{user}_{number}"), "object": "charge" });
        object["charges"] = json!({ "object": "list", "data": [listed(3), listed(2), listed(1)] });
        let mut dispute = someone.disputed(2, "pack", 500, "lost");
        dispute["data"]["object"]["payment_intent"] = Value::Null;
        dispute["data"]["object"]["charge"] = format!("ch_{user}_1").into();
        let events = [someone.paid(0, "pack", "ai_100", &pack), intent, dispute];
        for place in order {
            app.deliver(&events[place]).await.expect_status(200);
        }
        let credits = format!("{CREDITS} where user_id = '{user}'");
        assert_eq!(app.count(&credits).await, 0, "{user}");
    }
}
