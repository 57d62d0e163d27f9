//! Makes Stripe's events about the stored customers, before the measurement, so that no figure
//! includes the time to make them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use axum::body::Body;
use axum::http::Request;
use farebox::dev::Settings;
use jiff::Timestamp;
use ring::hmac;
use serde_json::json;
use shared::domain::Observation;
use shared::domain::event::Event as StripeEvent;
use shared::domain::hash::hex;

use super::prepare::{self, Times};
use crate::database::Database;
use crate::load::Requests;

const PATH: &str = "/api/stripe/webhook";
/// The number of customers that updates are about, in turns.
const TURNS: u32 = 25_000;

/// A kind of event about a subscription.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// The user's entitlement does not change, as with most events.
    Update,
    /// The user has paid for another month. The user's credits of the last month expire, and new
    /// credits are granted.
    Renewal,
}

/// Makes and signs events of customers who all pay the same price.
pub struct Stripe {
    secret: hmac::Key,
    price: (String, String),
    times: Times,
}

impl Stripe {
    pub async fn open(settings: &Settings, database: &Database) -> anyhow::Result<Self> {
        let secret = settings.get("STRIPE_WEBHOOK_SECRET").context("there is no secret")?;
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let price = prepare::price(database).await?;
        Ok(Self { secret, price, times: prepare::times(database).await? })
    }

    /// Returns the bodies of `number` events about every second customer from `first` on. Each
    /// customer has only one renewal.
    pub fn bodies(&self, event: Event, first: u32, number: u32) -> Vec<String> {
        let Times { began, ended, next_ends } = self.times;
        let body = |index: u32| match event {
            Event::Update => {
                let at = began + 1 + i64::from(index / TURNS);
                self.body(first + 2 * (index % TURNS), at, began, ended)
            }
            Event::Renewal => self.body(first + 2 * index, ended, ended, next_ends),
        };
        (0..number).map(body).collect()
    }

    /// Returns the digest of a customer's subscription at Stripe, as text.
    pub fn digest(&self, customer: u32) -> anyhow::Result<String> {
        let Times { began, ended, .. } = self.times;
        let parameters = update(&self.body(customer, began, began, ended))?;
        parameters.into_iter().nth(5).context("there is no digest")
    }

    fn body(&self, customer: u32, at: i64, from: i64, to: i64) -> String {
        json!({
            "id": format!("evt_{customer}_{at}"), "object": "event", "created": at,
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
        })
        .to_string()
    }

    /// Signs each event when it is sent, because a signature is valid only for minutes.
    pub fn requests(self: &Arc<Self>, bodies: &Arc<Stream<String>>) -> Requests {
        let (stripe, bodies) = (Arc::clone(self), Arc::clone(bodies));
        Arc::new(move || bodies.next().map(|body| stripe.signed(body)))
    }

    fn signed(&self, body: &str) -> String {
        format!(
            "POST {PATH} HTTP/1.1\r\nhost: bench.example\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\
             stripe-signature: {}\r\n\r\n{body}",
            body.len(),
            self.signature(body),
        )
    }

    /// Returns a signed event as a request to a router in this process.
    pub fn request(&self, body: &str) -> anyhow::Result<Request<Body>> {
        let request = Request::post(PATH).header("stripe-signature", self.signature(body));
        Ok(request.body(Body::from(body.to_owned()))?)
    }

    pub fn signature(&self, body: &str) -> String {
        let time = Timestamp::now().as_second();
        let signature = hmac::sign(&self.secret, format!("{time}.{body}").as_bytes());
        format!("t={time},v1={}", hex(signature.as_ref()))
    }
}

/// The parameters of `apply_subscription_update` that Farebox's own code derives from an event's
/// body.
pub fn update(body: &str) -> anyhow::Result<Vec<String>> {
    let event = StripeEvent::parse(body.as_bytes()).context("the body is not an event")?;
    let facts = event.facts().map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let observation = Observation::from_event(&event, facts);
    let update = observation
        .subscription_update()
        .context("the event is not only about one subscription")?;
    Ok(vec![
        update.event.id.to_owned(),
        update.event.kind.to_owned(),
        update.created.to_string(),
        update.rank.to_string(),
        update.subscription_id.to_owned(),
        update.digest.to_string(),
        update.period_start.to_string(),
        update.period_end.to_string(),
        update.observation,
    ])
}

/// Values that are each used once, in order.
pub struct Stream<T> {
    values: Vec<T>,
    used: AtomicUsize,
}

impl<T> Stream<T> {
    pub fn new(values: Vec<T>) -> Arc<Self> {
        Arc::new(Self { values, used: AtomicUsize::default() })
    }

    pub fn next(&self) -> Option<&T> {
        self.values.get(self.used.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns true if callers requested more values than there are.
    pub fn ran_out(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.values.len()
    }
}
