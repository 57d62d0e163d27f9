//! Hashes as text.

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

/// SHA-256 over the parts, each ended by a zero byte, which none of them may hold.
pub fn sha256_hex<const N: usize>(parts: [&str; N]) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part.as_bytes());
        context.update(&[0]);
    }
    hex(context.finish().as_ref())
}
