//! Shared test support: a simulator and an app on free ports, and a clock.

pub mod node;
mod stripe;
mod until;

use axum::Router;
use stripe_simulator::Clock;
use tokio::net::TcpListener;

pub use stripe::{KEY, Stripe};
pub use until::until;

const BEGINNING: &str = "2026-06-10T10:20:30Z";

/// The clock of one test. `STRIPE_SIMULATOR_CLOCK` overrides its start.
pub fn clock() -> Clock {
    let beginning =
        std::env::var("STRIPE_SIMULATOR_CLOCK").unwrap_or_else(|_| BEGINNING.to_owned());
    Clock::starting_at(beginning.parse().unwrap())
}

/// Serves until the test ends.
pub fn serve(listener: TcpListener, router: Router) {
    tokio::spawn(async move { axum::serve(listener, router).await });
}

/// The response to a call.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    /// The body as JSON, or null.
    pub body: serde_json::Value,
}

impl Response {
    pub async fn of(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Self { status, headers, text, body }
    }

    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// A header's value, or an empty string.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}
