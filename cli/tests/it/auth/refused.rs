//! Tokens that cannot be verified, repeat a claim or live too long; ids with invisible characters.

use std::sync::atomic::Ordering;

use jiff::SignedDuration;
use ring::hmac;
use serde_json::{Value, json};

use super::provider::{Provider, Signer, encode};
use super::status;
use crate::support::{SECRET, Setup, TestApp, claims};

/// A token with exactly this header and these claims, signed with the app's secret.
fn signed(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", encode(header), encode(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    format!("{signed}.{}", encode(hmac::sign(&key, signed.as_bytes())))
}

const HEADER: &str = r#"{"alg":"HS256"}"#;

/// Valid claims, with one more claim in front.
fn with_claim(app: &TestApp, claim: &str) -> String {
    let rest = claims(app.now(), json!({ "sub": "ann" })).to_string();
    format!("{{{claim},{}", rest.trim_start_matches('{'))
}

/// Until keys have been fetched once, no token can be verified. The answer is 503: a 401 would sign
/// users out.
#[tokio::test]
async fn tokens_are_answered_503_until_the_providers_keys_are_known() {
    let (signer, stranger) = (Signer::p256(), Signer::p256());
    let provider = Provider::default();
    provider.publish(&[signer.jwk("one")]);
    provider.down.store(true, Ordering::SeqCst);
    let app = Setup::default().set("AUTH_JWKS_URL", provider.start().await).start().await;
    let get_with = async |token: String| app.get("/api/dashboard").bearer(&token).send().await;
    for signer in [&signer, &stranger] {
        let answer = get_with(signer.good_token(&app, "one")).await;
        let answer = answer.expect_problem(503, "auth_keys_unavailable");
        assert_eq!(answer.header("retry-after"), "5");
    }
    assert_eq!(status(&app, "not a token").await, 401, "malformed whatever the keys");
    assert_eq!(status(&app, &app.token("ann")).await, 200, "a shared secret needs no provider");

    provider.down.store(false, Ordering::SeqCst);
    app.clock.advance(SignedDuration::from_secs(5));
    assert_eq!(status(&app, &signer.good_token(&app, "one")).await, 200);
    provider.down.store(true, Ordering::SeqCst);
    app.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(status(&app, &stranger.good_token(&app, "two")).await, 401, "keys are known by now");
}

#[tokio::test]
async fn a_token_with_a_repeated_claim_is_refused() {
    let app = TestApp::new().await;
    let good = claims(app.now(), json!({ "sub": "ann" })).to_string();
    assert_eq!(status(&app, &signed(HEADER, &good)).await, 200);
    for twice in [r#""sub":"bob""#, r#""exp":9999999999"#, r#""a":{"b":1,"b":2}"#] {
        assert_eq!(status(&app, &signed(HEADER, &with_claim(&app, twice))).await, 401, "{twice}");
    }
    for header in [
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":"HS256","typ":"JWT","typ":"JWT"}"#,
        r#"["HS256"]"#,
    ] {
        assert_eq!(status(&app, &signed(header, &good)).await, 401, "{header}");
    }
}

/// Each of these fields is refused even when its value is null.
#[tokio::test]
async fn a_header_with_crit_or_key_fields_is_refused() {
    let app = TestApp::new().await;
    let good = claims(app.now(), json!({ "sub": "ann" })).to_string();
    for field in ["crit", "jku", "x5u", "jwk"] {
        for value in ["null", "[]", r#"["exp"]"#, "{}", "\"\""] {
            let header = format!(r#"{{"alg":"HS256","{field}":{value}}}"#);
            assert_eq!(status(&app, &signed(&header, &good)).await, 401, "{header}");
        }
    }
}

/// An erased user's id is remembered for the maximum lifetime of a token, so no token may live
/// longer.
#[tokio::test]
async fn a_token_lives_no_longer_than_the_settings_say() {
    let app = Setup::default().set("AUTH_TOKEN_LIFETIME_HOURS", "2").start().await;
    let now = app.now().as_second();
    for (changes, expected) in [
        (json!({ "exp": now + 7_200 }), 200),
        (json!({ "exp": now + 7_240, "iat": null }), 401),
        (json!({ "exp": now + 10 * 365 * 86_400 }), 401),
        (json!({ "exp": 1e300 }), 401),
        (json!({ "exp": now + 60, "iat": now - 7_000 }), 200),
        (json!({ "exp": now + 60, "iat": now - 86_400 }), 401),
        (json!({ "exp": now + 7_300, "iat": now + 3_600 }), 401),
        (json!({ "iat": now.to_string() }), 401),
    ] {
        let token = app.token_with(changes.clone());
        assert_eq!(status(&app, &token).await, expected, "{changes}");
    }
    let week = app.token_with(json!({ "sub": "ann", "exp": now + 7 * 86_400 }));
    app.post("/api/session").bearer(&app.token("ann")).send().await.expect_status(200);
    app.delete("/api/account").bearer(&app.token("ann")).send().await.expect_status(204);
    for hours in [0, 3, 7 * 24 - 4] {
        app.clock.advance(SignedDuration::from_hours(hours));
        let back = app.post("/api/session").bearer(&week).send().await;
        back.expect_problem(401, "invalid_token");
    }
}

/// An invisible character would make an id that looks like another user's.
#[tokio::test]
async fn ids_with_invisible_characters_are_refused() {
    let app = TestApp::new().await;
    let odd = "\u{200b}\u{200d}\u{feff}\u{2060}\u{ad}\u{202e}\u{2066}\u{200f}\u{61c}\u{3164}\u{fe0f}\u{e0041}";
    let control = "\0\u{7f}\u{9f}\u{2028} ";
    for odd in odd.chars().chain(control.chars()).map(|odd| format!("a{odd}nn")) {
        let by_query = app.get("/api/dashboard").query("userId", &odd).bearer(&app.service_key);
        by_query.send().await.expect_invalid("userId");
        let body = json!({ "userId": odd, "score": 5 });
        let by_body = app.patch("/api/mood").bearer(&app.service_key).json(body);
        by_body.send().await.expect_invalid("userId");
        let token = app.token_with(json!({ "sub": odd }));
        assert_eq!(status(&app, &token).await, 401, "{odd:?}");
    }
    for plain in ["añn", "安", "ann-1|x", "آن"] {
        let call = app.get("/api/dashboard").query("userId", plain).bearer(&app.service_key);
        assert_eq!(call.send().await.expect_status(200).body["conversations"], Value::from(0));
    }
}
