//! Users' tokens for the local stack, signed with its HS256 secret.

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};
use shared::clock::Clock;

use super::Settings;

/// Signs a user's token for a stack with these settings. It is valid for a day, or for the lifetime
/// that the settings allow if that is shorter. A stack checks tokens by this machine's clock, so
/// that they work after its own clock is advanced.
pub fn for_user(settings: &Settings, user: &str, email: Option<&str>) -> anyhow::Result<String> {
    shared::domain::UserId::try_from(user.to_owned()).map_err(|what| anyhow!("--user {what}"))?;
    let setting = |name: &str| settings.get(name).with_context(|| format!("{name} is not set"));
    let (secret, issuer) = (setting("AUTH_HS256_SECRET")?, setting("AUTH_ISSUER")?);
    let issued = Clock::wall().as_second();
    let lifetime = settings.get("AUTH_TOKEN_LIFETIME_HOURS").and_then(|hours| hours.parse().ok());
    let expires = issued + lifetime.unwrap_or(24).min(24) * 3_600;
    let mut claims = json!({ "iss": issuer, "sub": user, "iat": issued, "exp": expires });
    // If the settings require an audience or an authorized party, the token has the first one.
    for (claim, name) in [("aud", "AUTH_AUDIENCE"), ("azp", "AUTH_AUTHORIZED_PARTIES")] {
        if let Some(accepted) = settings.get(name).and_then(|list| list.split(',').next()) {
            claims[claim] = accepted.trim().into();
        }
    }
    if let Some(email) = email {
        claims["email"] = email.into();
    }
    Ok(sign(secret, &claims))
}

/// Signs the claims as a JWT.
pub fn sign(secret: &str, claims: &Value) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    format!("{signed}.{signature}")
}
