//! Checks the identity provider: its keys, and that it is the issuer that Farebox expects.

use std::time::Duration;

use axum::http::Request;
use bytes::Bytes;
use farebox::terminal::checks::CheckReport;
use http_body_util::Full;
use serde_json::Value;
use shared::adapters::http_client::{Budget, HttpClient};
use shared::app::App;

const BUDGET: Budget = Budget {
    connect: Duration::from_secs(5),
    answer: Duration::from_secs(5),
    max_bytes: 256 * 1024,
};

pub(super) async fn check(app: &App, report: &mut CheckReport) {
    let jwks = &app.config.auth.jwks;
    if jwks.inline.is_none() && jwks.url.is_none() {
        return report.passed("identity", "tokens are signed with a shared secret");
    }
    match app.auth.check_keys().await {
        Ok(count) => report.passed("identity", format!("{count} usable public keys")),
        Err(error) => {
            let fix = "Check AUTH_JWKS_URL: it must return a JSON Web Key Set.";
            report.failed("identity", error, fix);
        }
    }
    if let Some(url) = &jwks.url {
        check_issuer(url.as_str(), &app.config.auth.issuer, report).await;
    }
}

/// Compares the setting with the issuer that the provider publishes next to its keys (OpenID Connect
/// Discovery). Tokens are compared to the last character, so a missing final `/` refuses them all.
async fn check_issuer(jwks_url: &str, issuer: &str, report: &mut CheckReport) {
    match published_issuer(jwks_url).await {
        Some(published) if published == issuer => {
            report.passed("issuer", "AUTH_ISSUER is that of the provider");
        }
        Some(published) => {
            let found =
                format!("AUTH_ISSUER is {issuer}, but the provider's tokens have {published}");
            report.failed("issuer", found, &format!("Set AUTH_ISSUER to {published}"));
        }
        None => report.skipped("issuer", "the provider publishes no issuer next to AUTH_JWKS_URL"),
    }
}

async fn published_issuer(jwks_url: &str) -> Option<String> {
    let (folder, _) = jwks_url.split_once("/.well-known/")?;
    let uri = format!("{folder}/.well-known/openid-configuration");
    let request = Request::get(uri).body(Full::new(Bytes::new())).ok()?;
    let answer = HttpClient::default().call(request, BUDGET).await.ok()?;
    let document: Value = serde_json::from_slice(&answer.body).ok()?;
    document["issuer"].as_str().map(str::to_owned)
}
