//! Events in Stripe's form about objects that exist nowhere, for orders and races that neither
//! Stripe nor the simulator can produce.

use serde_json::{Value, json};
use shared::domain::event::Event;

/// A customer and its objects, whose ids share a name.
#[derive(Clone, Debug)]
pub struct Customer {
    name: String,
    /// When the customer was created; events are given in seconds after it.
    since: i64,
    user: Option<String>,
}

/// A price at Stripe.
#[derive(Clone, Debug)]
pub struct Sold {
    pub price: String,
    pub product: String,
    pub amount: i64,
}

impl Customer {
    /// A customer whose objects all have the user in their metadata.
    pub fn of(user: &str, since: i64) -> Self {
        Self { name: user.to_owned(), since, user: Some(user.to_owned()) }
    }

    /// A customer without a user in the metadata, unless [`Customer::named`] sets it.
    pub fn without_user(name: &str, since: i64) -> Self {
        Self { name: name.to_owned(), since, user: None }
    }

    fn id(&self, kind: &str, name: &str) -> String {
        format!("{kind}_{}_{name}", self.name)
    }

    pub fn customer_id(&self) -> String {
        format!("cus_{}", self.name)
    }

    pub fn subscription_id(&self, name: &str) -> String {
        self.id("sub", name)
    }

    pub fn payment_id(&self, name: &str) -> String {
        self.id("pi", name)
    }

    fn metadata(&self) -> Value {
        self.user.as_ref().map_or(json!({}), |user| json!({ "userId": user }))
    }

    /// An event `at` seconds after the customer was created.
    fn event(&self, kind: &str, at: i64, name: &str, object: Value) -> Value {
        json!({
            "id": format!("evt_{}_{at:03}_{kind}_{name}", self.name),
            "object": "event",
            "type": kind,
            "created": self.since + at,
            "livemode": false,
            "data": { "object": object },
        })
    }

    /// Sets the customer's user.
    pub fn named(&self, at: i64, user: &str) -> Value {
        let object = json!({
            "id": self.customer_id(), "object": "customer", "email": format!("{user}@example.com"),
            "metadata": { "userId": user },
        });
        self.event("customer.updated", at, "named", object)
    }

    pub fn subscription(&self, name: &str, status: &str, sold: &Sold) -> Value {
        json!({
            "id": self.subscription_id(name), "object": "subscription",
            "customer": self.customer_id(), "status": status, "created": self.since,
            "currency": "usd", "metadata": self.metadata(), "cancel_at_period_end": false,
            "billing_cycle_anchor": self.since,
            "items": { "object": "list", "data": [{
                "id": self.id("si", name), "quantity": 1,
                "current_period_start": self.since, "current_period_end": self.since + 2_592_000,
                "price": {
                    "id": sold.price, "product": sold.product, "currency": "usd",
                    "unit_amount": sold.amount,
                    "recurring": { "interval": "month", "interval_count": 1 },
                },
            }] },
        })
    }

    /// `created`, `updated` or `deleted`.
    pub fn subscribed(&self, what: &str, at: i64, subscription: &Value) -> Value {
        let name = subscription["status"].as_str().unwrap();
        let kind = format!("customer.subscription.{what}");
        self.event(&kind, at, name, subscription.clone())
    }

    /// A paid session for a pack, created outside Farebox; it has the pack in its metadata, and an
    /// amount.
    pub fn paid(&self, at: i64, name: &str, pack: &str, sold: &Sold) -> Value {
        let mut metadata = self.metadata();
        metadata["pack"] = pack.into();
        let object = json!({
            "id": self.id("cs_test", name), "object": "checkout.session", "mode": "payment",
            "status": "complete", "payment_status": "paid", "created": self.since,
            "customer": self.customer_id(), "payment_intent": self.payment_id(name),
            "currency": "usd", "amount_subtotal": sold.amount, "amount_total": sold.amount,
            "metadata": metadata,
        });
        self.event("checkout.session.completed", at, name, object)
    }

    /// The payment's charge, with its total refunded amount.
    pub fn refunded(&self, at: i64, name: &str, sold: &Sold, in_all: i64) -> Value {
        let object = json!({
            "id": self.id("ch", name), "object": "charge", "payment_intent": self.payment_id(name),
            "customer": self.customer_id(), "currency": "usd", "paid": true, "captured": true,
            "amount": sold.amount, "amount_captured": sold.amount, "amount_refunded": in_all,
        });
        self.event("charge.refunded", at, &format!("{name}_{in_all}"), object)
    }

    /// One refund of that payment, which names no customer.
    pub fn refund(&self, at: i64, name: &str, number: usize, amount: i64, status: &str) -> Value {
        let object = json!({
            "id": self.id("re", &format!("{name}_{number}")), "object": "refund",
            "payment_intent": self.payment_id(name), "amount": amount, "currency": "usd",
            "status": status,
        });
        self.event("refund.updated", at, &format!("{name}_{number}_{status}"), object)
    }

    /// A dispute about that payment, which names no customer.
    pub fn disputed(&self, at: i64, name: &str, amount: i64, status: &str) -> Value {
        let object = json!({
            "id": self.id("dp", name), "object": "dispute", "currency": "usd",
            "payment_intent": self.payment_id(name), "charge": self.id("ch", name),
            "amount": amount, "status": status, "reason": "fraudulent",
        });
        let kind = match status {
            "needs_response" => "charge.dispute.created",
            "under_review" => "charge.dispute.updated",
            _ => "charge.dispute.closed",
        };
        self.event(kind, at, name, object)
    }

    /// `paid`, `payment_succeeded` or `payment_failed`.
    pub fn invoiced(&self, what: &str, at: i64, name: &str, sold: &Sold) -> Value {
        let is_paid = what != "payment_failed";
        let object = json!({
            "id": self.id("in", name), "object": "invoice", "customer": self.customer_id(),
            "status": if is_paid { "paid" } else { "open" }, "currency": "usd",
            "amount_due": sold.amount, "amount_paid": if is_paid { sold.amount } else { 0 },
            "attempt_count": 1, "number": name, "created": self.since + at,
            "hosted_invoice_url": "https://invoice.example/pay",
        });
        self.event(&format!("invoice.{what}"), at, name, object)
    }
}

/// The event as Farebox parses it.
pub fn parsed(event: &Value) -> Event {
    Event::parse(event.to_string().as_bytes()).unwrap()
}
