//! Verifies any bytes as the signature header of a webhook. It must pass only with a recent
//! signature made with our secret.
//!
//! The first line of the input is the header, and the rest is the body.

#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use ring::hmac;
use shared::config::Secret;
use shared::domain::hash::hex;
use shared::adapters::stripe::signature;

const SECRET: &str = "whsec_of_the_fuzzer";
const NOW: i64 = 1_700_000_000;
const TOLERANCE_SECONDS: u64 = 300;

fuzz_target!(|input: &[u8]| {
    let (header, body) = match input.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (input, &[][..]),
    };
    let Ok(header) = std::str::from_utf8(header) else { return };
    let now = Timestamp::from_second(NOW).expect("a time");
    let verdict = signature::verify(header, body, &[Secret::new(SECRET)], now);
    assert!(verdict.is_err() || is_signed(header, body), "accepted without a signature: {header}");
});

/// Returns true if any part of the header is a recent time and another part is its signature. This
/// check accepts more forms of the header than Farebox does.
fn is_signed(header: &str, body: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let values = || header.split(',').filter_map(|part| Some(part.split_once('=')?.1));
    values().any(|time| {
        let is_recent = time.parse().is_ok_and(|it: i64| it.abs_diff(NOW) <= TOLERANCE_SECONDS);
        let signature = hmac::sign(&key, &[time.as_bytes(), b".", body].concat());
        let signature = hex(signature.as_ref());
        is_recent && values().any(|value| value.eq_ignore_ascii_case(&signature))
    })
}
