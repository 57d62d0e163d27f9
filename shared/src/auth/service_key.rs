//! Service keys: `fbx_`, 32 random characters, and a checksum of six.
//!
//! Scanners find a leaked key by its prefix. The checksum refuses a mistyped key without a look-up.
//! A key has 190 random bits, so that it is safe to store its plain SHA-256.

use ring::digest::{SHA256, digest};
use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};

pub const PREFIX: &str = "fbx_";

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_CHARS: usize = 32;
const CHECKSUM_CHARS: usize = 6;

/// Generates a key. Display it once, and store only its [`sha256`].
pub fn generate() -> Result<String, Unspecified> {
    let rng = SystemRandom::new();
    let mut key = PREFIX.to_owned();
    while key.len() < PREFIX.len() + RANDOM_CHARS {
        let mut byte = [0];
        rng.fill(&mut byte)?;
        // 248 is a multiple of 62. With larger bytes, some characters would be more likely.
        if byte[0] < 248 {
            key.push(char::from(ALPHABET[usize::from(byte[0]) % 62]));
        }
    }
    let checksum = checksum(&key);
    Ok(key + &checksum)
}

pub fn sha256(key: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
    hash
}

/// Returns whether the text has the form and the checksum of a service key.
pub(super) fn is_well_formed(key: &str) -> bool {
    let length = PREFIX.len() + RANDOM_CHARS + CHECKSUM_CHARS;
    if key.len() != length || !key.is_ascii() {
        return false;
    }
    let (body, given) = key.split_at(length - CHECKSUM_CHARS);
    body.starts_with(PREFIX) && checksum(body) == given
}

fn checksum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes()) as usize;
    let mut digits = [0; CHECKSUM_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[rest % 62];
        rest /= 62;
    }
    digits.map(char::from).iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_well_formed_and_a_mistyped_one_is_not() {
        let key = generate().unwrap();
        assert!(is_well_formed(&key), "{key}");
        assert_ne!(key, generate().unwrap());
        for at in 0..key.len() {
            let mut typed = key.clone().into_bytes();
            typed[at] = if typed[at] == b'x' { b'y' } else { b'x' };
            assert!(!is_well_formed(str::from_utf8(&typed).unwrap()), "position {at}");
        }
        assert!(!is_well_formed(&key[..key.len() - 1]));
        assert!(!is_well_formed("fbx_"));
        assert!(!is_well_formed("fbx_ééééééééééééééééééé"));
    }
}
