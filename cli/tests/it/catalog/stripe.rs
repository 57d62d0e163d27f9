//! An empty Stripe account, and functions that inspect it afterwards.

use farebox::catalog::Stripe;
use farebox::server;
use serde_json::Value;
use stripe_simulator::{Options, Simulator};
use tokio::net::TcpListener;
use url::form_urlencoded;

use crate::support::clock;

pub const KEY: &str = "sk_test_of_the_tests";

/// Serves an empty account; returns its URL.
pub async fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let options = Options {
        base: base.clone(),
        secret_key: KEY.to_owned(),
        webhook: None,
        clock: stripe_simulator::Clock::with_shift(clock().shared_shift()),
        snapshot: None,
        before_moving: None,
    };
    let simulator = Simulator::start(options).await.unwrap();
    tokio::spawn(server::serve(listener, simulator.router(), std::future::pending()));
    base
}

pub fn client(url: &str) -> Stripe {
    let setting = |name: &str| match name {
        "STRIPE_API_URL" => Some(url.to_owned()),
        "STRIPE_SECRET_KEY" => Some(KEY.to_owned()),
        _ => None,
    };
    Stripe::from_settings(setting).unwrap()
}

/// Calls the account's API as any client would; returns the object.
pub async fn call(url: &str, path: &str, fields: &[(&str, &str)]) -> Value {
    let http = reqwest::Client::new();
    let url = format!("{url}/v1/{path}");
    let request = match fields {
        [] => http.get(url),
        fields => {
            let body =
                form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            http.post(url).header("content-type", "application/x-www-form-urlencoded").body(body)
        }
    };
    let answer = request.bearer_auth(KEY).send().await.unwrap();
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    assert!(status.is_success(), "{path}: {body}");
    body
}

/// The number of products and of prices.
pub async fn count(url: &str) -> (usize, usize) {
    let mut counts = Vec::new();
    for path in ["products?limit=100", "prices?limit=100"] {
        counts.push(call(url, path, &[]).await["data"].as_array().unwrap().len());
    }
    (counts[0], counts[1])
}
