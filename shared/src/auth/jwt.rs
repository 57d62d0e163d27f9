//! JSON Web Tokens of an identity provider's users (RFC 7515, 7519, 8725).
//!
//! This module uses ring directly, because the JWT crates bring a second cryptography library into
//! every function. It accepts three algorithms with the public keys of the key set, and one with a
//! shared secret. The kind of key decides the algorithm, never the token. A token that contains or
//! points to its own key is refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::{hmac, signature};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Caller, Membership};
use crate::config::{self, AdminClaim};
use crate::domain::error::{Error, ErrorCode, Result};
use crate::domain::jwk::{Algorithm, KeyMaterial, PublicKey};
use crate::domain::{Permission, UniqueFields, UserId};

/// Real tokens are one or two kilobytes long.
const MAX_BYTES: usize = 8 * 1024;

#[derive(Deserialize)]
struct Header {
    alg: Algorithm,
    kid: Option<String>,
}

/// Header fields that are refused. `crit` lists extensions that the reader must support, and this
/// module supports none. The others contain, or point to, a key to verify the token with.
const REFUSED_FIELDS: [&str; 4] = ["crit", "jku", "x5u", "jwk"];

/// The parts of a token, not verified yet.
pub(super) struct Token<'a> {
    header: Header,
    signed: &'a [u8],
    signature: Vec<u8>,
    payload: &'a str,
}

pub(super) fn refused(why: &str) -> Error {
    Error::new(ErrorCode::InvalidToken, format!("The bearer token was refused. {why}"))
}

impl<'a> Token<'a> {
    pub(super) fn parse(token: &'a str) -> Result<Self> {
        const FORM: &str = "It is neither a JWT nor a service key.";
        if token.len() > MAX_BYTES {
            return Err(refused("It is too long."));
        }
        let (signed, signature) = token.rsplit_once('.').ok_or_else(|| refused(FORM))?;
        let (header, payload) = signed.split_once('.').ok_or_else(|| refused(FORM))?;
        let header = decode(header).ok_or_else(|| refused(FORM))?;
        let UniqueFields(header) = serde_json::from_slice(&header)
            .map_err(|_| refused("Its header is not a JSON object without repeated fields."))?;
        if REFUSED_FIELDS.iter().any(|field| header.contains_key(*field)) {
            return Err(refused("Its header must not have crit, jku, x5u or jwk."));
        }
        let header: Header = serde_json::from_value(Value::Object(header))
            .map_err(|_| refused("Its algorithm must be RS256, ES256, EdDSA or HS256."))?;
        let signature = decode(signature).ok_or_else(|| refused(FORM))?;
        Ok(Self { header, signed: signed.as_bytes(), signature, payload })
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.header.alg
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    pub(super) fn is_signed_with_secret(&self, secret: &[u8]) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        hmac::verify(&key, self.signed, &self.signature).is_ok()
    }

    pub(super) fn is_signed_with(&self, key: &PublicKey) -> bool {
        let checked = match &key.material {
            KeyMaterial::Rsa { n, e } => signature::RsaPublicKeyComponents { n, e }.verify(
                &signature::RSA_PKCS1_2048_8192_SHA256,
                self.signed,
                &self.signature,
            ),
            KeyMaterial::P256 { point } => {
                signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
                    .verify(self.signed, &self.signature)
            }
            KeyMaterial::Ed25519 { x } => signature::UnparsedPublicKey::new(&signature::ED25519, x)
                .verify(self.signed, &self.signature),
        };
        checked.is_ok()
    }

    /// Checks the claims and returns the user they name. Verify the signature first.
    pub(super) fn claims(&self, config: &config::Auth, now: Timestamp) -> Result<Caller> {
        let payload =
            decode(self.payload).ok_or_else(|| refused("Its claims are not base64url."))?;
        let UniqueFields(claims) = serde_json::from_slice(&payload)
            .map_err(|_| refused("Its claims are not a JSON object without repeated fields."))?;
        check_times(&claims, now, config)?;

        if claims.get("iss").and_then(Value::as_str) != Some(&config.issuer) {
            return Err(refused("It comes from another issuer."));
        }
        if !config.audiences.is_empty() && !names_one_of(claims.get("aud"), &config.audiences) {
            return Err(refused("It is meant for another audience."));
        }
        if !config.authorized_parties.is_empty()
            && !names_one_of(claims.get("azp"), &config.authorized_parties)
        {
            return Err(refused("It was issued to another party."));
        }
        // A project's public API key can be a valid token too. Only a user's token has a subject.
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        let id = UserId::try_from(subject.to_owned())
            .map_err(|_| refused("Its sub is not a valid user id."))?;
        let organisation = match &config.organisations {
            Some(_) if id.is_of_organisation() => {
                return Err(refused(
                    "Its sub begins like an organisation's id, with org_ or org:.",
                ));
            }
            Some(organisations) => membership(&claims, organisations)?,
            None => None,
        };
        let admin = config.admin_claim.as_ref().is_some_and(|claim| is_admin(&claims, claim));
        Ok(Caller::User { id, organisation, admin })
    }
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

/// Checks `exp`, `iat` and `nbf`. `exp` is required, and may exceed the present by no more than the
/// longest lifetime of a token: an erased user's id is remembered only for that long. `iat` and
/// `nbf` are optional, but must be numbers.
fn check_times(claims: &Map<String, Value>, now: Timestamp, config: &config::Auth) -> Result<()> {
    let skew = f64::from(config.clock_skew_seconds);
    let longest = f64::from(config.token_lifetime_hours) * 3_600.0;
    let now = now.as_millisecond() as f64 / 1_000.0;
    let expiry = claims.get("exp").and_then(Value::as_f64);
    let expiry = expiry.ok_or_else(|| refused("Its exp is missing or not a number."))?;
    if now >= expiry + skew {
        let message = "The bearer token has expired. Sign in again.";
        return Err(Error::new(ErrorCode::ExpiredToken, message));
    }
    // A token that was issued with too long a lifetime is refused even shortly before it expires.
    let issued = match claims.get("iat").map(Value::as_f64) {
        Some(None) => return Err(refused("Its iat is not a number.")),
        Some(Some(issued)) => issued.min(now),
        None => now,
    };
    if expiry > issued + longest + skew {
        return Err(refused("Its exp is further away than AUTH_TOKEN_LIFETIME_HOURS."));
    }
    match claims.get("nbf").map(Value::as_f64) {
        Some(None) => Err(refused("Its nbf is not a number.")),
        Some(Some(start)) if now < start - skew => Err(refused("It is not valid yet.")),
        _ => Ok(()),
    }
}

/// Returns whether a claim, a string or a list of strings, contains an accepted value.
fn names_one_of(claim: Option<&Value>, accepted: &[String]) -> bool {
    let is_accepted =
        |value: &Value| value.as_str().is_some_and(|v| accepted.iter().any(|a| a == v));
    match claim {
        Some(Value::Array(values)) => values.iter().any(is_accepted),
        Some(value) => is_accepted(value),
        None => false,
    }
}

/// Returns the claim at a path, unless it is missing or null. The whole path is tried as one name
/// first, because a claim's name may be a URL with dots. Fails if a step leads through a value that
/// is not an object.
fn find<'a>(claims: &'a Map<String, Value>, path: &str) -> Result<Option<&'a Value>, NotAnObject> {
    if let Some(whole) = claims.get(path) {
        return Ok(Some(whole).filter(|value| !value.is_null()));
    }
    let (parents, name) = path.rsplit_once('.').unwrap_or(("", path));
    let mut fields = claims;
    for step in parents.split('.').filter(|_| !parents.is_empty()) {
        fields = match fields.get(step) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Object(fields)) => fields,
            Some(_) => return Err(NotAnObject),
        };
    }
    Ok(fields.get(name).filter(|value| !value.is_null()))
}

/// A claim has a value where the path expects an object.
struct NotAnObject;

/// Returns the organisation for which the token's user acts; none if the token names none.
///
/// A malformed claim refuses the token. Without that, a member's call would silently become a call
/// for themselves.
fn membership(
    claims: &Map<String, Value>,
    config: &config::Organisations,
) -> Result<Option<Membership>> {
    let malformed = |path: &str, what: &str| refused(&format!("Its claim {path} {what}."));
    let claim = |path: &str| {
        find(claims, path).map_err(|NotAnObject| malformed(path, "is not within an object"))
    };
    let Some(id) = claim(&config.claim)? else { return Ok(None) };
    let id = id.as_str().ok_or_else(|| malformed(&config.claim, "is not a string"))?;
    let organisation =
        UserId::of_organisation(id).map_err(|what| malformed(&config.claim, what))?;
    let role = claim(&config.role_claim)?;
    let roles = match role {
        None => &[],
        Some(Value::Array(roles)) => roles.as_slice(),
        Some(role) => std::slice::from_ref(role),
    };
    let mut permission = Permission::Read;
    for role in roles {
        let role = role.as_str().ok_or_else(|| {
            malformed(&config.role_claim, "is neither a string nor a list of strings")
        })?;
        permission = permission.max(config.roles.get(role).copied().unwrap_or(Permission::Read));
    }
    Ok(Some(Membership { organisation, permission }))
}

/// Returns whether the admin claim has its value.
fn is_admin(claims: &Map<String, Value>, claim: &AdminClaim) -> bool {
    let found = find(claims, &claim.path).ok().flatten();
    let wanted = claim.value.as_str();
    let matches = |value: &Value| match value {
        Value::String(text) => text == wanted,
        Value::Bool(flag) => flag.to_string() == wanted,
        _ => false,
    };
    match found {
        Some(Value::Array(values)) => values.iter().any(matches),
        Some(value) => matches(value),
        None => false,
    }
}
