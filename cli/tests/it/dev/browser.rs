//! A front end in a browser calls the local stack from any port of this machine. No other site may.

use reqwest::header::HOST;
use serde_json::{Value, json};

use super::{Dev, Redis, directory};
use crate::support::ApiResponse;

impl Dev {
    async fn get_token(&self, query: &str, headers: &[(&str, &str)]) -> ApiResponse {
        let request = reqwest::Client::new().get(format!("{}/dev/token{query}", self.base));
        let request = headers.iter().fold(request, |it, (name, value)| it.header(*name, *value));
        ApiResponse::of(request.send().await.unwrap()).await
    }
}

#[tokio::test]
async fn a_front_end_on_any_local_port_gets_a_token_calls_and_buys() {
    let dir = directory("front-end");
    let dev = Dev::start(&dir, Redis::Engine).await;
    for origin in ["http://localhost:5173", "http://127.0.0.1:8080"] {
        let query = "?user=ada&email=ada@example.com";
        let issued = dev.get_token(query, &[("origin", origin)]).await.expect_status(200);
        assert_eq!(issued.header("access-control-allow-origin"), origin);
        assert_eq!(issued.header("cache-control"), "no-store");
        assert!(issued.header("vary").contains("origin"));
        let expiry: jiff::Timestamp = issued.body["expiresAt"].as_str().unwrap().parse().unwrap();
        assert!(expiry > crate::support::clock().now());
        let token = issued.body["token"].as_str().unwrap();

        let client = reqwest::Client::new();
        let url = format!("{}/api/stripe/create-checkout-session", dev.base);
        let order = json!({
            "tier": "pro", "interval": "monthly",
            "successUrl": format!("{origin}/done?session={{CHECKOUT_SESSION_ID}}"),
            "cancelUrl": format!("{origin}/"),
        });
        let call = client.post(url).bearer_auth(token).header("origin", origin).json(&order);
        let bought = ApiResponse::of(call.send().await.unwrap()).await.expect_status(200);
        assert_eq!(bought.header("access-control-allow-origin"), origin);
    }
    let plain = dev.get_token("?user=ada", &[]).await.expect_status(200);
    assert_eq!(plain.header("access-control-allow-origin"), "");
    dev.stop(&dir).await;
}

#[tokio::test]
async fn no_other_site_or_machine_gets_a_token() {
    let dir = directory("browser-foreign");
    let dev = Dev::start(&dir, Redis::Engine).await;
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "http://evil.example:3000")],
        &[("origin", "http://localhost.evil.example")],
        &[("origin", "https://localhost:3000")],
        &[("origin", "null")],
        &[(HOST.as_str(), "evil.example")],
        &[("x-forwarded-for", "203.0.113.9")],
        &[("x-forwarded-for", "127.0.0.1, 203.0.113.9")],
        &[("forwarded", "for=203.0.113.9")],
    ] {
        let refused = dev.get_token("?user=ada", headers).await;
        let refused = refused.expect_problem(403, "foreign_host");
        assert_eq!(refused.header("access-control-allow-origin"), "", "{headers:?}");
        assert_eq!(refused.body["token"], Value::Null, "{headers:?}");
    }
    dev.get_token("?user=ada", &[("x-forwarded-for", "::1")]).await.expect_status(200);
    for (query, field) in
        [("", "user"), ("?user=", "user"), ("?user=a%20b", "user"), ("?user=ada&email=x", "email")]
    {
        let refused = dev.get_token(query, &[("origin", "http://localhost:5173")]).await;
        let refused = refused.expect_invalid(field);
        assert_eq!(refused.header("access-control-allow-origin"), "http://localhost:5173");
    }
    // Farebox's own routes let no other site read their responses either.
    let client = reqwest::Client::new();
    let call = client.get(format!("{}/api/plans", dev.base));
    let theirs = call.header("origin", "https://evil.example").send().await.unwrap();
    assert!(theirs.headers().get("access-control-allow-origin").is_none());
    dev.stop(&dir).await;
}
