//! Hashes as text or as a number.

use std::fmt::Write;

use ring::digest::{Context, SHA256};

pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The first 64 bits of a text's SHA-256.
pub fn sha256_i64(text: &str) -> i64 {
    let digest = ring::digest::digest(&SHA256, text.as_bytes());
    let first = digest.as_ref().iter().take(8);
    first.fold(0, |number, byte| (number << 8) | i64::from(*byte))
}

/// The SHA-256 of the parts, each followed by a zero byte. No part may contain a zero byte.
pub fn sha256_hex<const N: usize>(parts: [&str; N]) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part.as_bytes());
        context.update(&[0]);
    }
    hex(context.finish().as_ref())
}
