//! Idempotency keys.

use super::hash::sha256_hex;

/// An `Idempotency-Key`, scoped to its endpoint, owner and kind of caller, with a fingerprint of its
/// request.
///
/// The same key with another request is refused. The key does not depend on the caller's
/// credential, so a retry after the rotation of a service key repeats nothing.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    key: String,
    fingerprint: String,
}

impl IdempotencyKey {
    pub const MAX_BYTES: usize = 255;
    /// The form of a key as an OpenAPI pattern: printable ASCII without spaces.
    pub const PATTERN: &str = "^[!-~]+$";

    pub fn new(endpoint: &str, caller: &str, owner: &str, given: &str, request: [&str; 2]) -> Self {
        let key = sha256_hex([endpoint, caller, owner, given]);
        Self { key: format!("once:{key}"), fingerprint: sha256_hex(request) }
    }

    /// The Redis key that holds the first response. It contains no personal data.
    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}
