//! Farebox verifies the signatures of Stripe's official JavaScript client.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use shared::adapters::stripe::signature::{SignatureError, verify};
use shared::config::Secret;
use tokio::sync::OnceCell;

use crate::support::node;

const PACKAGE: &str = include_str!("fixtures/official-stripe/package.json");
const LOCK: &str = include_str!("fixtures/official-stripe/package-lock.json");
const SIGNATURES: &str = include_str!("fixtures/official-stripe/signatures.mjs");
const SIGNED_AT: i64 = 1_700_000_000;

#[tokio::test]
async fn signatures_of_the_official_client_verify() {
    let mut script = node::node(client().await);
    script.env("SECRET", "whsec_ours").env("OTHER", "whsec_other");
    script.env("TIME", SIGNED_AT.to_string());
    let output = node::output_of(script, SIGNATURES).await;
    let signed: Vec<[String; 3]> = serde_json::from_str(&output).unwrap();
    assert_eq!(signed.len(), 5);
    for [body, header, foreign] in &signed {
        expect_to_be_believed(body, header, foreign);
        expect_to_be_refused(body, header, foreign);
    }
}

fn verify_at(
    second: i64,
    header: &str,
    body: &str,
    secrets: &[&str],
) -> Result<(), SignatureError> {
    let secrets: Vec<_> = secrets.iter().copied().map(Secret::new).collect();
    verify(header, body.as_bytes(), &secrets, Timestamp::from_second(second).unwrap())
}

/// At the signed time, up to five minutes away from it, and during a rotation of the secret.
fn expect_to_be_believed(body: &str, header: &str, foreign: &str) {
    for second in [SIGNED_AT, SIGNED_AT + 300, SIGNED_AT - 300] {
        assert_eq!(verify_at(second, header, body, &["whsec_ours"]), Ok(()));
    }
    assert_eq!(verify_at(SIGNED_AT, header, body, &["whsec_other", "whsec_ours"]), Ok(()));
    let (_, signature) = foreign.split_once(',').unwrap();
    for secret in ["whsec_ours", "whsec_other"] {
        let by_both = format!("{header},{signature}");
        assert_eq!(verify_at(SIGNED_AT, &by_both, body, &[secret]), Ok(()));
    }
}

/// Too late or too early, signed with another secret, or with a part changed or missing.
fn expect_to_be_refused(body: &str, header: &str, foreign: &str) {
    let refused = |second, header: &str, body: &str| {
        verify_at(second, header, body, &["whsec_ours"]).unwrap_err()
    };
    for second in [SIGNED_AT + 301, SIGNED_AT - 301] {
        assert_eq!(refused(second, header, body), SignatureError::TooOld);
    }
    let (time, signature) = header.split_once(',').unwrap();
    let later = format!("t={},{signature}", SIGNED_AT + 1);
    let zeros = format!("{time},v1={}", "0".repeat(64));
    let other_scheme = header.replace("v1=", "v0=");
    let cut = &header[..header.len() - 1];
    for forged in [foreign, &later, &zeros] {
        assert_eq!(refused(SIGNED_AT, forged, body), SignatureError::Forged, "{forged}");
    }
    for malformed in ["", time, signature, cut, &other_scheme] {
        assert_eq!(refused(SIGNED_AT, malformed, body), SignatureError::Malformed, "{malformed}");
    }
    let mut shorter = body.to_owned();
    shorter.pop();
    for changed in [format!("{body} "), format!(" {body}"), shorter, String::new()] {
        assert_eq!(refused(SIGNED_AT, header, &changed), SignatureError::Forged);
    }
}

/// The directory in which the client is installed.
async fn client() -> &'static Path {
    static INSTALLED: OnceCell<PathBuf> = OnceCell::const_new();
    INSTALLED.get_or_init(|| node::install("official-stripe", PACKAGE, LOCK)).await
}
