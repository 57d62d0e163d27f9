//! The connection to Postgres breaks at any protocol message. The answer to Stripe is always
//! correct, and after Stripe's retry the state is as if nothing had happened.

use std::net::SocketAddr;

use shared::app::{App, PoolSize};
use shared::config::Config;
use shared::{endpoints, http};

use super::orders::SINCE;
use super::story::{all_are, books, end_states};
use crate::postgres::{POOLED, allow_without_password};
use crate::support::events::{Customer, Sold};
use crate::support::wire::{Break, Wire};
use crate::support::{PgBouncer, Stack, TestApp, listen, pooler, signature};

/// Another process of the same app, whose connection to Postgres breaks.
struct Fragile<'a> {
    app: &'a TestApp,
    base: String,
    wire: Wire,
    pack: Sold,
    runs: usize,
}

impl<'a> Fragile<'a> {
    async fn new(app: &'a TestApp, upstream: SocketAddr, database_url: &str) -> Self {
        let wire = Wire::to(upstream).await;
        let url = database_url.replace(&upstream.to_string(), &wire.address.to_string());
        let setting = |name: &str| match name {
            "DATABASE_URL" => Some(url.clone()),
            name => app.settings.get(name).cloned(),
        };
        let config = Config::from_vars(setting).unwrap();
        let own = App::new(config, app.clock.clone(), PoolSize::Function).unwrap();
        let served = listen(http::mount_all(endpoints::ALL, &own)).await;
        let pack = app.pack_sold("ai_100").await;
        Self { app, base: format!("http://{}", served.address), wire, pack, runs: 0 }
    }

    async fn deliver(&self, event: &serde_json::Value) -> u16 {
        let body = event.to_string();
        let header = signature(&body, self.app.now());
        let call = reqwest::Client::new().post(format!("{}/api/stripe/webhook", self.base));
        let call = call.header("stripe-signature", header).body(body);
        call.send().await.unwrap().status().as_u16()
    }

    /// Breaks the connection at each message of a delivery: on an open connection or a new one;
    /// before, within and after the message.
    async fn break_everywhere(&mut self) {
        for how in [Break::Before, Break::Within, Break::After] {
            for is_open in [false, true] {
                let mut at = 0;
                while self.breaks(at, how, is_open).await {
                    at += 1;
                }
                assert!(at > 5, "a delivery has more messages than {at}");
            }
        }
    }

    /// One delivery, and Stripe's retry. Returns whether the connection broke.
    async fn breaks(&mut self, at: usize, how: Break, is_open: bool) -> bool {
        self.runs += 1;
        let ann = Customer::of(&format!("f{:04}", self.runs), SINCE);
        let event = ann.paid(0, "pack", "ai_100", &self.pack);
        if is_open {
            let other = Customer::without_user(&format!("other{:04}", self.runs), SINCE);
            assert_eq!(self.deliver(&other.named(0, "other")).await, 200);
        } else {
            // Existing connections are gone.
            self.wire.break_at(0, Break::Before);
            self.deliver(&Customer::without_user("nobody", SINCE).named(0, "nobody")).await;
            self.wire.mend();
        }
        self.wire.break_at(at, how);
        let first = self.deliver(&event).await;
        let broke = self.wire.mend();
        assert!([200, 503].contains(&first), "{first}");
        if first == 200 {
            self.is_there_once(&ann).await;
        }
        assert_eq!(self.deliver(&event).await, 200, "{at} {how:?} {is_open}");
        self.is_there_once(&ann).await;
        broke
    }

    async fn is_there_once(&self, ann: &Customer) {
        let credits = format!(
            "select count(*) from credit_transactions where user_id = '{}'",
            ann.customer_id().trim_start_matches("cus_")
        );
        assert_eq!(self.app.count(&credits).await, 1);
    }

    async fn all_is_well(&self) {
        let ends = end_states(self.app, "f").await;
        assert_eq!(ends.len(), self.runs);
        all_are(&ends, &ends[0].1.clone()).unwrap();
        assert_eq!(self.app.count("select count(*) from failed_webhooks").await, 0);
        books(self.app).await.unwrap();
    }
}

#[tokio::test]
async fn a_broken_connection_does_not_change_the_final_state() {
    let app = TestApp::selling("demo").await;
    let stack = Stack::start().await;
    let url = app.owner_url.replace("farebox_owner", "farebox");
    let mut fragile = Fragile::new(&app, stack.postgres_address(), &url).await;
    fragile.break_everywhere().await;
    fragile.all_is_well().await;
}

#[tokio::test]
async fn a_broken_connection_behind_a_pooler_changes_nothing_in_the_end() {
    let app = TestApp::selling("demo").await;
    let stack = Stack::start().await;
    allow_without_password(stack).await;
    let name = app.database_name();
    let address = pooler::start(stack.postgres_address(), POOLED, &name, 3).await;
    let url = format!("postgres://{POOLED}@{address}/{name}?sslmode=disable");
    let mut fragile = Fragile::new(&app, address, &url).await;
    fragile.break_everywhere().await;
    fragile.all_is_well().await;
}

/// Repeated with PgBouncer, where it is installed.
#[tokio::test]
async fn a_broken_connection_behind_pgbouncer_changes_nothing_in_the_end() {
    let app = TestApp::selling("demo").await;
    let stack = Stack::start().await;
    allow_without_password(stack).await;
    let name = app.database_name();
    let Some(pooler) = PgBouncer::start(stack.postgres_address(), POOLED, &name).await else {
        return;
    };
    let url = format!("postgres://{POOLED}@{}/{name}?sslmode=disable", pooler.address);
    let mut fragile = Fragile::new(&app, pooler.address, &url).await;
    fragile.break_everywhere().await;
    fragile.all_is_well().await;
}
