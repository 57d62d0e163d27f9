//! Signed events over HTTP, to every route of Farebox.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use farebox::dev::Settings;
use jiff::Timestamp;
use ring::hmac;
use serde_json::json;
use shared::domain::hash::hex;
use shared::endpoints;

use super::prepare::{self, Event, TURNS, Times};
use crate::database::Database;
use crate::load::{self, Requests};

/// Farebox with every route, and the source of its events.
pub struct Shop {
    pub address: SocketAddr,
    stripe: Arc<Stripe>,
}

/// Makes and signs Stripe's events.
struct Stripe {
    secret: hmac::Key,
    price: (String, String),
    times: Times,
}

impl Shop {
    pub async fn start(settings: Settings, database: &Database) -> anyhow::Result<Self> {
        let secret = settings.get("STRIPE_WEBHOOK_SECRET").context("there is no secret")?;
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let address = load::serve(&load::app(&settings)?, endpoints::ALL).await?;
        let price = prepare::price(database).await?;
        let times = prepare::times(database).await?;
        Ok(Self { address, stripe: Arc::new(Stripe { secret, price, times }) })
    }

    /// Events of the customers that the script leaves out, and a count of those sent.
    pub fn events(&self, event: Event, first: u32) -> (Requests, Arc<AtomicU64>) {
        let sent = Arc::new(AtomicU64::default());
        let (stripe, count) = (Arc::clone(&self.stripe), Arc::clone(&sent));
        let next = move || {
            let number = count.fetch_add(1, Ordering::Relaxed);
            let customer = u64::from(first) + 1;
            match event {
                Event::Update => stripe.update(customer + 2 * (number % TURNS), number / TURNS),
                Event::Renewal => stripe.renewal(customer + 2 * number),
            }
        };
        (Arc::new(next), sent)
    }
}

impl Stripe {
    fn update(&self, customer: u64, round: u64) -> String {
        let Times { began, ended, .. } = self.times;
        self.signed_request(customer, began + 1 + round.cast_signed(), began, ended)
    }

    fn renewal(&self, customer: u64) -> String {
        let Times { ended, next_ends, .. } = self.times;
        self.signed_request(customer, ended, ended, next_ends)
    }

    fn signed_request(&self, customer: u64, at: i64, from: i64, to: i64) -> String {
        let body = json!({
            "id": format!("evt_http_{customer}_{at}"), "object": "event", "created": at,
            "type": "customer.subscription.updated", "livemode": false,
            "data": { "object": {
                "id": format!("sub_{customer}"), "object": "subscription", "status": "active",
                "customer": format!("cus_{customer}"), "created": self.times.began, "currency": "usd",
                "billing_cycle_anchor": self.times.began,
                "metadata": { "userId": format!("user_{customer}") },
                "cancel_at_period_end": false,
                "items": { "object": "list", "data": [{
                    "id": format!("si_{customer}"), "quantity": 1,
                    "current_period_start": from, "current_period_end": to,
                    "price": {
                        "id": self.price.0, "product": self.price.1, "currency": "usd",
                        "unit_amount": 2_900,
                        "recurring": { "interval": "month", "interval_count": 1 },
                    },
                }] },
            } },
        });
        let body = body.to_string();
        let time = Timestamp::now().as_second();
        let signature = hmac::sign(&self.secret, format!("{time}.{body}").as_bytes());
        format!(
            "POST /api/stripe/webhook HTTP/1.1\r\nhost: bench.example\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\
             stripe-signature: t={time},v1={}\r\n\r\n{body}",
            body.len(),
            hex(signature.as_ref()),
        )
    }
}
