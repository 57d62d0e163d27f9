//! Signed events over HTTP: as many connections as are asked for, each with one event on its way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use farebox::local::Settings;
use farebox::server;
use jiff::Timestamp;
use ring::hmac;
use serde_json::json;
use shared::app::{App, PoolSize};
use shared::clock::Clock;
use shared::config::Config;
use shared::hash::hex;
use shared::{endpoints, http};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::prepare::Database;

/// Farebox with every route, and what Stripe tells it.
#[derive(Clone)]
pub struct Shop {
    address: SocketAddr,
    secret: Arc<hmac::Key>,
    price: (String, String),
    told: Arc<AtomicU64>,
}

impl Shop {
    pub async fn start(settings: Settings, database: &Database) -> anyhow::Result<Self> {
        let secret = settings.get("STRIPE_WEBHOOK_SECRET").context("there is no secret")?;
        let secret = Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()));
        let config = Config::from_vars(|name| settings.get(name).cloned())?;
        let app = App::new(config, Clock::default(), PoolSize::Server)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = http::mount_all(endpoints::ALL, &app);
        tokio::spawn(server::serve(listener, router, std::future::pending()));
        let price = database.price().await?;
        Ok(Self { address, secret, price, told: Arc::default() })
    }

    /// Delivers events for that long; answers how many milliseconds each took.
    pub async fn deliver(&self, concurrency: u32, length: Duration) -> anyhow::Result<Vec<f64>> {
        let until = Instant::now() + length;
        let connections = (0..concurrency).map(|_| {
            let shop = self.clone();
            tokio::spawn(async move { shop.deliver_one_by_one(until).await })
        });
        let mut all = Vec::new();
        for connection in connections.collect::<Vec<_>>() {
            all.extend(connection.await??);
        }
        Ok(all)
    }

    async fn deliver_one_by_one(&self, until: Instant) -> anyhow::Result<Vec<f64>> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let mut times = Vec::new();
        let mut answer = vec![0; 4_096];
        while Instant::now() < until {
            let request = self.request();
            let began = Instant::now();
            stream.write_all(request.as_bytes()).await?;
            let length = stream.read(&mut answer).await?;
            let answer = String::from_utf8_lossy(&answer[..length]);
            ensure!(answer.starts_with("HTTP/1.1 200 "), "an event was not received: {answer}");
            times.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
        Ok(times)
    }

    /// A renewal of one of the first customers, in turn.
    fn request(&self) -> String {
        let number = self.told.fetch_add(1, Ordering::Relaxed);
        let (customer, at) = (number % 25_000, 1_700_000_100 + number / 25_000);
        let body = json!({
            "id": format!("evt_http_{number}"), "object": "event", "created": at,
            "type": "customer.subscription.updated", "livemode": false,
            "data": { "object": {
                "id": format!("sub_{customer}"), "object": "subscription", "status": "active",
                "customer": format!("cus_{customer}"), "created": 1_700_000_000, "currency": "usd",
                "metadata": { "userId": format!("user_{customer}") },
                "cancel_at_period_end": false,
                "items": { "object": "list", "data": [{
                    "id": format!("si_{customer}"), "quantity": 1,
                    "current_period_start": at, "current_period_end": at + 2_592_000,
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
