//! JSON Web Keys, as an identity provider publishes them (RFC 7517).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

/// The algorithms that a token may be signed with.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum Algorithm {
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "EdDSA", alias = "Ed25519")]
    EdDsa,
    #[serde(rename = "HS256")]
    Hs256,
}

/// One public key that signatures are checked with.
#[derive(Clone, Debug)]
pub struct PublicKey {
    pub id: Option<String>,
    pub material: KeyMaterial,
}

#[derive(Clone, Debug)]
pub enum KeyMaterial {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256 { point: Vec<u8> },
    Ed25519 { x: Vec<u8> },
}

impl PublicKey {
    /// The key decides how it may be used; a token's header only has to agree.
    pub fn algorithm(&self) -> Algorithm {
        match self.material {
            KeyMaterial::Rsa { .. } => Algorithm::Rs256,
            KeyMaterial::P256 { .. } => Algorithm::Es256,
            KeyMaterial::Ed25519 { .. } => Algorithm::EdDsa,
        }
    }
}

/// A key as the provider publishes it (RFC 7517). Unknown kinds are skipped.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// Returns the usable keys of a key set, or `None` if there are none.
pub fn parse_key_set(json: &[u8]) -> Option<Arc<[PublicKey]>> {
    #[derive(Deserialize)]
    struct KeySet {
        keys: Vec<Value>,
    }
    let jwks: KeySet = serde_json::from_slice(json).ok()?;
    let jwks = jwks.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
    let keys: Arc<[PublicKey]> = jwks.filter_map(usable).collect();
    (!keys.is_empty()).then_some(keys)
}

fn usable(jwk: Jwk) -> Option<PublicKey> {
    let decode = |part: &Option<String>| URL_SAFE_NO_PAD.decode(part.as_deref()?).ok();
    if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return None;
    }
    let (material, algorithm) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => {
            // Some providers pad the modulus with a zero byte, which ring refuses.
            let n = decode(&jwk.n)?.into_iter().skip_while(|byte| *byte == 0).collect();
            (KeyMaterial::Rsa { n, e: decode(&jwk.e)? }, Algorithm::Rs256)
        }
        ("EC", Some("P-256")) => {
            let point = [vec![4], decode(&jwk.x)?, decode(&jwk.y)?].concat();
            (KeyMaterial::P256 { point }, Algorithm::Es256)
        }
        ("OKP", Some("Ed25519")) => (KeyMaterial::Ed25519 { x: decode(&jwk.x)? }, Algorithm::EdDsa),
        _ => return None,
    };
    // A key for RS512, for example, must not be used with RS256.
    let meant_for: Option<Algorithm> = match jwk.alg {
        Some(name) => Some(serde_json::from_value(Value::String(name)).ok()?),
        None => None,
    };
    (meant_for.is_none_or(|meant| meant == algorithm))
        .then_some(PublicKey { id: jwk.kid, material })
}
