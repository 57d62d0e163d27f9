//! The first request of each measured function, each to a route that the function serves.

use std::sync::Arc;

use anyhow::Context as _;
use farebox::dev::{Settings, token};
use platforms::Request;
use serde_json::{Value, json};
use shared::billing::entitlement_cache::Source;
use shared::endpoints::{
    CHAT_SAVE, CHECK, CREDITS, CRON_MINUTE, DASHBOARD, ENTITLEMENTS, HEALTH, MOOD, STRIPE_WEBHOOK,
    USAGE,
};
use shared::http::{Endpoint, Method};

use crate::database::Database;
use crate::release::APP;
use crate::stack::Stack;
use crate::webhooks::{Event, Stream, Stripe, prepare};

/// Creates the customer for whom the app's server calls.
const STORE: &str = include_str!("customer.sql");
const CUSTOMER: &str = "bench-customer";

#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub function: &'static str,
    endpoint: &'static Endpoint,
    method: Method,
    sender: Sender,
    body: Option<fn() -> Value>,
    /// Require TLS to Postgres, as in a deployment. The local Postgres has no TLS, so only a
    /// function that does not connect to it can set this.
    encrypted: bool,
    /// Where the function must read the entitlement.
    pub source: Option<Source>,
}

#[derive(Clone, Copy, Debug)]
enum Sender {
    /// A new user for each run and executable, so that no run reaches a limit.
    User,
    /// The app's server, for the stored customer.
    Server,
    Stripe,
    Scheduler,
}

/// Calls without a store (health), with one call to Redis (dashboard), with two in series (mood),
/// and with Redis and Postgres. The entitlement from Postgres comes before the same user's from the
/// cache, because it fills the cache.
pub static CALLS: [Call; 13] = [
    Call::new(&HEALTH, Method::Get, Sender::User),
    Call { encrypted: true, ..Call::new(&HEALTH, Method::Get, Sender::User) },
    Call::new(&DASHBOARD, Method::Get, Sender::User),
    Call::new(&MOOD, Method::Patch, Sender::User).with(mood),
    Call::new(&ENTITLEMENTS, Method::Get, Sender::User).reading(Source::Database),
    Call::new(&ENTITLEMENTS, Method::Get, Sender::User).reading(Source::Cache),
    Call::new(&CHECK, Method::Post, Sender::Server).with(check),
    Call::new(&USAGE, Method::Post, Sender::Server).with(usage),
    Call::new(&CREDITS, Method::Post, Sender::Server).with(spend),
    Call::new(&CHAT_SAVE, Method::Post, Sender::User).with(chat),
    Call::new(&STRIPE_WEBHOOK, Method::Post, Sender::Stripe),
    Call::new(&CRON_MINUTE, Method::Get, Sender::Scheduler),
    Call { function: APP, ..Call::new(&MOOD, Method::Patch, Sender::User).with(mood) },
];

impl Call {
    const fn new(endpoint: &'static Endpoint, method: Method, sender: Sender) -> Self {
        let function = endpoint.name;
        Self { function, endpoint, method, sender, body: None, encrypted: false, source: None }
    }

    const fn with(self, body: fn() -> Value) -> Self {
        Self { body: Some(body), ..self }
    }

    const fn reading(self, source: Source) -> Self {
        Self { source: Some(source), ..self }
    }

    /// The difference from other calls of the same function.
    pub fn detail(&self) -> &'static str {
        match self.source {
            Some(Source::Cache) => ", from the cache",
            Some(Source::Database | Source::DatabaseAlone) => ", from Postgres",
            None if self.encrypted => ", TLS settings",
            None => "",
        }
    }
}

/// Everything that the requests need, and the rows that the functions find.
pub struct Callers {
    settings: Settings,
    encrypted: Settings,
    service_key: String,
    stripe: Stripe,
    events: Arc<Stream<String>>,
}

impl Callers {
    /// Stores the customers. Each of `events` is about another one.
    pub async fn prepare(stack: &mut Stack, events: u32) -> anyhow::Result<Self> {
        stack.sell().await?;
        let settings = stack.settings(false);
        let database = Database::open(&settings, &stack.dir).await?;
        database.execute(prepare::TABLES).await?;
        database.execute(STORE).await?;
        let stripe = Stripe::open(&settings, &database).await?;
        prepare::store(&database, &stripe, 0, 2 * events).await?;
        let events = Stream::new(stripe.bodies(Event::Update, 0, events));
        let (encrypted, service_key) = (stack.settings(true), stack.service_key().to_owned());
        Ok(Self { settings, encrypted, service_key, stripe, events })
    }

    /// The settings of the function that answers a call.
    pub fn settings(&self, call: Option<&Call>) -> &Settings {
        if call.is_some_and(|call| call.encrypted) { &self.encrypted } else { &self.settings }
    }

    pub fn request(&self, call: &Call, user: &str) -> anyhow::Result<Request> {
        let request = Request::new(call.method.as_str(), call.endpoint.path);
        let request = match call.body {
            Some(body) => request.json(&body()),
            None => request,
        };
        Ok(match call.sender {
            Sender::User => request.bearer(&token::for_user(&self.settings, user, None)?),
            Sender::Server => request.bearer(&self.service_key),
            Sender::Stripe => {
                let event = self.events.next().context("the events ran out")?;
                request.raw(event).header("stripe-signature", &self.stripe.signature(event))
            }
            Sender::Scheduler => {
                let secret = self.settings.get("CRON_SECRET");
                request.bearer(secret.context("the settings have no CRON_SECRET")?)
            }
        })
    }
}

fn mood() -> Value {
    json!({ "score": 7.5 })
}

fn chat() -> Value {
    json!({ "summary": "How a start is measured", "content": "With a clock, and more than once." })
}

fn check() -> Value {
    json!({ "userId": CUSTOMER, "feature": "reports" })
}

fn usage() -> Value {
    json!({ "userId": CUSTOMER, "feature": "reports" })
}

fn spend() -> Value {
    json!({ "userId": CUSTOMER, "action": "spend", "unit": "ai_credit", "amount": 1 })
}
