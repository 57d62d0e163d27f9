//! An identity provider for tests: its signing keys, and the URL that publishes them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use serde_json::{Value, json};

use crate::support::{TestApp, claims, listen};

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A signing key of an identity provider.
pub enum Signer {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    pub fn rsa() -> Self {
        let key = include_bytes!("../fixtures/rsa-2048.pkcs8.der");
        Self::Rsa(RsaKeyPair::from_pkcs8(key).unwrap())
    }

    pub fn p256() -> Self {
        let (rng, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &rng).unwrap();
        Self::P256(EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &rng).unwrap())
    }

    pub fn ed25519() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
    }

    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    pub fn jwk(&self, kid: &str) -> Value {
        let mut jwk = match self {
            Self::Rsa(key) => {
                let PublicKeyComponents { n, e }: PublicKeyComponents<Vec<u8>> =
                    key.public().into();
                json!({ "kty": "RSA", "n": encode(n), "e": encode(e) })
            }
            Self::P256(key) => {
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = (encode(&point[..32]), encode(&point[32..]));
                json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y })
            }
            Self::Ed25519(key) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(key.public_key()) })
            }
        };
        jwk["kid"] = kid.into();
        jwk["use"] = "sig".into();
        jwk["alg"] = self.algorithm().into();
        jwk
    }

    pub fn token(&self, header: Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let rng = SystemRandom::new();
        let signature = match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &rng, signed.as_bytes(), &mut signature).unwrap();
                encode(signature)
            }
            Self::P256(key) => encode(key.sign(&rng, signed.as_bytes()).unwrap()),
            Self::Ed25519(key) => encode(key.sign(signed.as_bytes())),
        };
        format!("{signed}.{signature}")
    }

    pub fn good_token(&self, app: &TestApp, kid: &str) -> String {
        let header = json!({ "alg": self.algorithm(), "kid": kid, "typ": "JWT" });
        self.token(header, &claims(app.now(), json!({ "sub": "ann" })))
    }
}

/// An identity provider that publishes keys, counts requests and can be down.
#[derive(Clone, Default)]
pub struct Provider {
    keys: Arc<Mutex<Vec<Value>>>,
    asked: Arc<AtomicUsize>,
    pub down: Arc<AtomicBool>,
}

impl Provider {
    pub async fn start(&self) -> String {
        format!("http://{}/keys", self.listen().await)
    }

    pub async fn listen(&self) -> std::net::SocketAddr {
        let provider = self.clone();
        let answer = move || {
            provider.asked.fetch_add(1, Ordering::SeqCst);
            let keys = json!({ "keys": *provider.keys.lock().unwrap() }).to_string();
            let down = provider.down.load(Ordering::SeqCst);
            async move { if down { Err(StatusCode::BAD_GATEWAY) } else { Ok(keys) } }
        };
        listen(Router::new().route("/keys", get(answer))).await.address
    }

    pub fn publish(&self, keys: &[Value]) {
        *self.keys.lock().unwrap() = keys.to_vec();
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}
