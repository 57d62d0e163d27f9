//! Users' tokens for the local stack, signed with its HS256 secret.

use anyhow::{Context as _, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::domain::UserId;

use super::Settings;

/// The membership that a token states.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    pub organisation: &'a str,
    pub role: &'a str,
}

/// Signs a user's token, for no organisation.
pub fn for_user(settings: &Settings, user: &str, email: Option<&str>) -> anyhow::Result<String> {
    for_member(settings, user, email, None)
}

/// Signs a user's token for a stack with these settings. It is valid for a day, or for the lifetime
/// that the settings allow if that is shorter. A stack checks tokens by this machine's clock, so
/// that they work after its own clock is advanced.
pub fn for_member(
    settings: &Settings,
    user: &str,
    email: Option<&str>,
    member: Option<Member<'_>>,
) -> anyhow::Result<String> {
    let id = UserId::try_from(user.to_owned()).map_err(|what| anyhow!("--user {what}"))?;
    if id.is_of_organisation() && settings.contains_key("AUTH_ORG_CLAIM") {
        bail!("--user must not begin with org_ or org:, as ids of organisations do; see --org");
    }
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
    if let Some(Member { organisation, role }) = member {
        UserId::of_organisation(organisation).map_err(|what| anyhow!("--org {what}"))?;
        set(&mut claims, setting("AUTH_ORG_CLAIM")?, organisation);
        set(&mut claims, setting("AUTH_ORG_ROLE_CLAIM")?, role);
    }
    if let Some(email) = email {
        claims["email"] = email.into();
    }
    Ok(sign(secret, &claims))
}

/// Sets the claim at a path. A path that is a URL is one name.
fn set(claims: &mut Value, path: &str, value: &str) {
    let steps: Vec<&str> = match path.contains("://") {
        true => vec![path],
        false => path.split('.').collect(),
    };
    *steps.into_iter().fold(claims, |claims, step| &mut claims[step]) = value.into();
}

/// Signs the claims as a JWT.
pub fn sign(secret: &str, claims: &Value) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    format!("{signed}.{signature}")
}
