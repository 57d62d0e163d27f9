//! Lua scripts and their hashes.

use std::sync::OnceLock;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::domain::hash::hex;

/// A Lua script, which Redis identifies by the SHA-1 of its source.
#[derive(Debug)]
pub struct Script {
    source: &'static str,
    sha1: OnceLock<String>,
}

impl Script {
    pub const fn new(source: &'static str) -> Self {
        Self { source, sha1: OnceLock::new() }
    }

    pub fn source(&self) -> &'static str {
        self.source
    }

    pub fn sha1(&self) -> &str {
        self.sha1
            .get_or_init(|| hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, self.source.as_bytes()).as_ref()))
    }
}
