//! A local stack must resist pages of foreign sites and a leaked login.

use std::path::Path;

use reqwest::header::HOST;
use url::Url;

use super::{Dev, Redis, directory, setting, stdout_of};
use crate::support::settings;

impl Dev {
    /// The status of a call with this Host header, as a browser sends it for a site of that name.
    async fn status_for(&self, method: &str, path: &str, host: &str) -> u16 {
        let url = format!("{}{path}", self.base);
        let request = reqwest::Client::new().request(method.parse().unwrap(), url);
        let request = request.header(HOST, host).header("content-type", "application/json");
        request.body("{}").send().await.unwrap().status().as_u16()
    }
}

/// A site may point its own name at 127.0.0.1. A browser then treats the local stack as part of
/// that site.
#[tokio::test]
async fn a_site_that_points_its_name_at_the_stack_reads_nothing() {
    let dir = directory("foreign-sites");
    let dev = Dev::start(&dir, Redis::Engine).await;
    let port = dev.base.rsplit(':').next().unwrap().to_owned();
    let own = [
        ("GET", "/"),
        ("GET", "/mail"),
        ("GET", "/mail/api/messages"),
        ("GET", "/api-docs"),
        ("GET", "/simulator"),
        ("GET", "/simulator/api/state"),
        ("POST", "/simulator/api/trigger"),
        ("POST", "/simulator/api/clock"),
        ("GET", "/v1/customers"),
        ("POST", "/upstash"),
        ("POST", "/upstash/pipeline"),
    ];
    for (method, path) in own {
        for host in ["evil.example", &format!("evil.example:{port}"), "127.0.0.1.evil.example"] {
            assert_eq!(dev.status_for(method, path, host).await, 403, "{method} {path} of {host}");
        }
        for name in ["127.0.0.1", "localhost", "[::1]"] {
            let status = dev.status_for(method, path, &format!("{name}:{port}")).await;
            assert_ne!(status, 403, "{method} {path} of {name}");
        }
    }
    // A tunnel's name: Farebox's own routes need a token, and accept any Host.
    assert_eq!(dev.status_for("GET", "/api/health", "tunnel.example").await, 200);
    assert_eq!(dev.status_for("GET", "/api/dashboard", "tunnel.example").await, 401);
    dev.stop(&dir).await;
}

/// The roles of the running stack have different passwords, and the owner may not manage roles.
async fn assert_roles_are_apart(dir: &Path) {
    let found = stdout_of(dir, &["env"]).await;
    let url = |name| Url::parse(setting(&found, name)).unwrap();
    let (app, owner) = (url("DATABASE_URL"), url("DIRECT_URL"));
    assert_ne!(app.password(), owner.password());

    let client = shared::adapters::postgres::connect(&settings(owner.as_str())).await.unwrap();
    let powers = "select rolsuper or rolcreaterole or rolcreatedb or rolbypassrls or rolreplication
                  from pg_roles
                  where rolname = current_user";
    let has_powers: bool = client.query_typed_one(powers, &[]).await.unwrap().get(0);
    assert!(!has_powers, "the owner has more rights than to own tables");
    let refused = client.query_typed("create role intruder superuser", &[]).await;
    assert!(refused.is_err(), "the owner may create roles");

    let mut crossed = owner.clone();
    crossed.set_password(app.password()).unwrap();
    let crossed = shared::adapters::postgres::connect(&settings(crossed.as_str())).await;
    assert!(crossed.is_err(), "the functions' password logs in as the owner");
}

#[tokio::test]
async fn the_functions_have_their_own_password_and_the_owner_creates_no_roles() {
    let dir = directory("roles");
    // The second start finds existing roles, and a secrets file from before the owner had a
    // password.
    for start in 0..2 {
        let dev = Dev::start(&dir, Redis::Engine).await;
        assert_roles_are_apart(&dir).await;
        dev.stop(&dir).await;
        let file = dir.join(".farebox/secrets.json");
        let text = std::fs::read_to_string(&file).unwrap();
        let mut secrets: serde_json::Value = serde_json::from_str(&text).unwrap();
        let own = secrets.as_object_mut().unwrap().remove("database_owner_password");
        assert!(own.is_some(), "after start {start}");
        std::fs::write(&file, secrets.to_string()).unwrap();
    }
}
