//! Stripe's signature of a webhook.

use std::fmt::Write as _;

use ring::hmac;

/// Returns the value of the `Stripe-Signature` header: HMAC-SHA256 of the time and the body.
pub fn header(secret: &str, payload: &str, now: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = hmac::sign(&key, format!("{now}.{payload}").as_bytes());
    format!("t={now},v1={}", hex(signature.as_ref()))
}

/// Formats bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_header_has_stripes_format() {
        let expected = "t=1700000000,v1=\
            35495024f4ef3f94e5a93e22221544c4b75e9a42300cd965ab81cb85cd994e91";
        let header = header("whsec_test", "{}", 1_700_000_000);
        assert_eq!(header, expected);
    }
}
