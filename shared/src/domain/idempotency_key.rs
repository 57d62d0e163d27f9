//! Idempotency keys.

use super::hash::sha256_hex;

/// An `Idempotency-Key`, made unique to the kind of its caller, endpoint and user, with a fingerprint of the
/// request it came with: the same key with another request is refused. It does not depend on the caller's
/// credential, so that a retry after a service key was rotated repeats nothing.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    key: String,
    fingerprint: String,
}

impl IdempotencyKey {
    pub const MAX_BYTES: usize = 255;

    pub fn new(endpoint: &str, caller: &str, user: &str, given: &str, body: &str) -> Self {
        let key = sha256_hex([endpoint, caller, user, given]);
        Self { key: format!("once:{key}"), fingerprint: sha256_hex([body]) }
    }

    /// The Redis key under which the first answer is remembered. It holds no personal data.
    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}
