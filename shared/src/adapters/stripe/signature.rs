//! Verifies the `Stripe-Signature` header, a signature of the raw bytes of the body.

use jiff::Timestamp;
use ring::hmac;

use crate::config::Secret;

/// The maximum difference between a signature's time and this clock.
const TOLERANCE_SECONDS: i64 = 300;

/// The maximum number of signatures read. A rotation of secrets adds only a few.
const MAX_SIGNATURES: usize = 16;

/// Why a signature is rejected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignatureError {
    /// The header is absent, or has no time or no `v1` signature.
    Malformed,
    TooOld,
    /// None of the signatures was made with a configured secret.
    Forged,
}

/// The parsed header `t=1732100000,v1=5257a8...,v1=...`. Schemes other than `v1` are ignored.
struct Header<'a> {
    time: i64,
    time_as_sent: &'a str,
    signatures: Vec<[u8; 32]>,
}

/// Accepts a body that was recently signed with one of the secrets. The comparison takes constant
/// time.
pub fn verify(
    header: &str,
    body: &[u8],
    secrets: &[Secret],
    now: Timestamp,
) -> Result<(), SignatureError> {
    let header = parse(header).ok_or(SignatureError::Malformed)?;
    let signed = [header.time_as_sent.as_bytes(), b".", body].concat();
    let is_signed = secrets.iter().any(|secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        header.signatures.iter().any(|given| hmac::verify(&key, &signed, given).is_ok())
    });
    if !is_signed {
        return Err(SignatureError::Forged);
    }
    if now.as_second().abs_diff(header.time) > TOLERANCE_SECONDS.unsigned_abs() {
        return Err(SignatureError::TooOld);
    }
    Ok(())
}

fn parse(header: &str) -> Option<Header<'_>> {
    let mut time = None;
    let mut signatures = Vec::new();
    for (scheme, value) in header.split(',').filter_map(|part| part.split_once('=')) {
        match scheme.trim() {
            "t" => time = Some(value),
            "v1" if signatures.len() < MAX_SIGNATURES => signatures.extend(unhex(value)),
            _ => {}
        }
    }
    let time_as_sent = time.filter(|time| time.bytes().all(|byte| byte.is_ascii_digit()))?;
    let time = time_as_sent.parse().ok()?;
    (!signatures.is_empty()).then_some(Header { time, time_as_sent, signatures })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let text = text.as_bytes();
    if text.len() != 64 || !text.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let digits = std::str::from_utf8(digits).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(bytes)
}
