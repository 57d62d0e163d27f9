//! Unknown future values, fields of old API versions, and stubs of deleted objects are recorded,
//! and are never dead letters.

use serde_json::{Value, json};

use super::foreign::DEAD_LETTERS;
use crate::support::TestApp;
use crate::support::events::Customer;

/// An event with only these fields in its object.
fn event(id: &str, kind: &str, object: Value) -> Value {
    json!({
        "id": id, "object": "event", "type": kind, "created": 1_773_878_500, "livemode": false,
        "data": { "object": object },
    })
}

#[tokio::test]
async fn an_unknown_status_is_recorded_and_changes_nothing() {
    let app = TestApp::selling("demo").await;
    let (plan, pack) = (app.plan_sold("pro").await, app.pack_sold("ai_100").await);
    let ann = Customer::of("ann", 1_773_878_400);
    let active = ann.subscription("1", "active", &plan);
    for event in [
        ann.subscribed("created", 0, &active),
        ann.invoiced("paid", 1, "1", &plan),
        ann.paid(2, "pack", "ai_100", &pack),
        ann.refund(3, "pack", 1, 250, "pending"),
        ann.disputed(4, "pack", 100, "needs_response"),
    ] {
        app.deliver(&event).await.expect_status(200);
    }
    let mut events = vec![
        ann.subscribed("updated", 5, &ann.subscription("1", "hibernating", &plan)),
        ann.refund(6, "pack", 1, 500, "zeroed"),
        ann.disputed(7, "pack", 500, "adjudicated"),
    ];
    for (number, (kind, field)) in
        [("invoiced", "status"), ("paid", "status"), ("paid", "mode")].into_iter().enumerate()
    {
        let at = 8 + i64::try_from(number).unwrap();
        let mut odd = match kind {
            "invoiced" => ann.invoiced("paid", at, "1", &plan),
            _ => ann.paid(at, "pack", "ai_100", &pack),
        };
        odd["data"]["object"][field] = "hibernating".into();
        events.push(odd);
    }
    events.extend([
        event(
            "evt_deleted",
            "invoice.deleted",
            json!({
                "id": "in_ann_1", "object": "invoice", "status": "deleted", "customer": "cus_ann",
            }),
        ),
        event(
            "evt_stub",
            "customer.subscription.updated",
            json!({ "id": "sub_ann_1", "deleted": true }),
        ),
        event("evt_product", "product.deleted", json!({ "id": "prod_1", "deleted": true })),
    ]);
    let known = "select count(*) from webhook_events";
    let before_known = app.count(known).await;
    let mut before = app.tables().await;
    for event in &events {
        app.deliver(event).await.expect_status(200);
    }
    let mut after = app.tables().await;
    assert_eq!(app.count(known).await - before_known, i64::try_from(events.len()).unwrap());
    assert_eq!(app.count(DEAD_LETTERS).await, 0);
    // A refund or dispute event still touches its payment's row, which keeps its values.
    for tables in [&mut before, &mut after] {
        tables.remove("webhook_events");
        let payments = tables.remove("payments").unwrap();
        assert_eq!(payments.lines().count(), 1);
    }
    assert_eq!(after, before);
}

/// Before 2018-11-08 invoices had no status, and before 2019-03-14 a `date` in place of `created`.
/// The grace period of an unpaid one counts from that date.
#[tokio::test]
async fn an_old_unpaid_invoice_counts_from_its_date() {
    let app = TestApp::selling("demo").await;
    let plan = app.plan_sold("pro").await;
    let ann = Customer::of("ann", 1_773_878_400);
    let active = ann.subscription("1", "past_due", &plan);
    app.deliver(&ann.subscribed("created", 0, &active)).await.expect_status(200);
    let invoice = json!({
        "id": "in_1", "object": "invoice", "customer": "cus_ann", "subscription": "sub_ann_1",
        "date": 1_773_878_450, "paid": false, "closed": false, "forgiven": false,
        "attempted": true, "attempt_count": 1, "amount_due": 1900, "currency": "usd",
    });
    app.deliver(&event("evt_1", "invoice.payment_failed", invoice)).await.expect_status(200);
    let known = "select count(*) from invoices
                 where status = 'open' and failed_attempts = 1
                   and created_at = to_timestamp(1773878450)";
    assert_eq!((app.count(known).await, app.count(DEAD_LETTERS).await), (1, 0));
    let grace = "select extract(epoch from grace_end(s) - to_timestamp(1773878450))::bigint / 86400
                 from subscriptions s";
    assert_eq!(app.count(grace).await, 14, "the plan's days of grace");
}
