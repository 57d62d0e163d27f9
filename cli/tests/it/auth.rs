//! Authentication and authorization. A problem with a token is always answered 401 or 403.

pub mod provider;
mod refused;

use std::sync::atomic::Ordering;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{Mode, Proxy, Setup, TestApp, claims, until};
use provider::{Provider, Signer, encode};

async fn status(app: &TestApp, token: &str) -> u16 {
    let answer = app.get("/api/dashboard").bearer(token).send().await;
    if answer.status == 401 {
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        let codes = ["missing_token", "invalid_token", "expired_token"];
        assert!(codes.contains(&answer.body["code"].as_str().unwrap()), "{answer:?}");
    }
    answer.status
}

#[tokio::test]
async fn tokens_of_every_algorithm_are_accepted_with_keys_fetched_or_inline() {
    let signers = [Signer::rsa(), Signer::p256(), Signer::ed25519()];
    let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk(signer.algorithm())).collect();
    let provider = Provider::default();
    provider.publish(&keys);
    let url = provider.start().await;
    let inline = json!({ "keys": keys }).to_string();
    for (name, value) in [("AUTH_JWKS_URL", url), ("AUTH_JWKS", inline)] {
        let app = Setup::default().set(name, value).start().await;
        for signer in &signers {
            let token = signer.good_token(&app, signer.algorithm());
            assert_eq!(status(&app, &token).await, 200, "{name} {}", signer.algorithm());
            let without_kid = json!({ "alg": signer.algorithm() });
            let token = signer.token(without_kid, &claims(app.now(), json!({ "sub": "ann" })));
            assert_eq!(status(&app, &token).await, 200, "without a key id");
        }
    }
    assert_eq!(provider.asked(), 1, "the first fetch returned all keys");
}

#[tokio::test]
async fn an_unknown_key_is_fetched_at_most_once_a_minute() {
    let (old, new) = (Signer::p256(), Signer::p256());
    let provider = Provider::default();
    provider.publish(&[old.jwk("old")]);
    let app = Setup::default().set("AUTH_JWKS_URL", provider.start().await).start().await;
    assert_eq!(status(&app, &old.good_token(&app, "old")).await, 200);
    assert_eq!(provider.asked(), 1);

    let flood = (0..50).map(|_| async { status(&app, &new.good_token(&app, "new")).await });
    let answers = futures_util::future::join_all(flood).await;
    assert!(answers.iter().all(|status| *status == 401));
    assert_eq!(provider.asked(), 1, "the last fetch was less than a minute ago");

    provider.publish(&[old.jwk("old"), new.jwk("new")]);
    app.clock.advance(SignedDuration::from_secs(61));
    assert_eq!(status(&app, &new.good_token(&app, "new")).await, 200, "a rotated key is fetched");
    assert_eq!(provider.asked(), 2);
}

/// A caller who disconnects while keys are fetched does not block other callers.
#[tokio::test]
async fn a_key_fetch_completes_after_its_caller_disconnects() {
    let signer = Signer::p256();
    let provider = Provider::default();
    provider.publish(&[signer.jwk("one")]);
    let held = Proxy::start(provider.listen().await, |_| true).await;
    held.set(Mode::HoldUntil(2)).await;
    let url = format!("http://{}/keys", held.address());
    let app = Setup::default().set("AUTH_JWKS_URL", url).start().await;
    let stranger = Signer::p256().good_token(&app, "stranger");
    let asked = until(async || held.waiting() > 0);
    tokio::select! {
        answer = status(&app, &stranger) => panic!("the provider has not answered yet: {answer}"),
        () = asked => {}
    }
    held.set(Mode::Pass).await;
    until(async || status(&app, &signer.good_token(&app, "one")).await == 200).await;
    assert_eq!(provider.asked(), 1);
}

/// A key that is missing from the inline keys is fetched from the provider.
#[tokio::test]
async fn a_rotated_key_is_fetched_in_addition_to_inline_keys() {
    let (inline, rotated) = (Signer::p256(), Signer::ed25519());
    let provider = Provider::default();
    provider.publish(&[rotated.jwk("rotated")]);
    let app = Setup::default()
        .set("AUTH_JWKS", json!({ "keys": [inline.jwk("inline")] }).to_string())
        .set("AUTH_JWKS_URL", provider.start().await)
        .start()
        .await;
    assert_eq!(status(&app, &inline.good_token(&app, "inline")).await, 200);
    assert_eq!(provider.asked(), 0);
    assert_eq!(status(&app, &rotated.good_token(&app, "rotated")).await, 200);
}

/// An admin acting for a user and the user have separate idempotency keys.
#[tokio::test]
async fn an_admin_and_a_user_have_separate_idempotency_keys() {
    let app = TestApp::new().await;
    let admin = app.token_with(json!({ "sub": "root", "role": "admin" }));
    for (conversations, token) in [(1, admin), (2, app.token("ann"))] {
        let call = app.post("/api/chat/save?userId=ann").bearer(&token);
        let call = call.json(json!({ "summary": "a" })).header("idempotency-key", "same");
        assert_eq!(call.send().await.expect_status(200).body["conversations"], conversations);
    }
}

#[tokio::test]
async fn known_keys_outlive_a_provider_that_is_down() {
    let signer = Signer::ed25519();
    let provider = Provider::default();
    provider.publish(&[signer.jwk("one")]);
    let app = Setup::default().set("AUTH_JWKS_URL", provider.start().await).start().await;
    assert_eq!(status(&app, &signer.good_token(&app, "one")).await, 200);

    provider.down.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        app.clock.advance(SignedDuration::from_mins(30));
        assert_eq!(status(&app, &signer.good_token(&app, "one")).await, 200);
    }
    let stranger = Signer::ed25519();
    assert_eq!(status(&app, &stranger.good_token(&app, "two")).await, 401, "never a 500");
}

/// Keys are refreshed in the background, and a key that the provider removed stops working.
#[tokio::test]
async fn a_removed_signing_key_stops_working() {
    let (lost, kept) = (Signer::p256(), Signer::p256());
    let provider = Provider::default();
    provider.publish(&[lost.jwk("lost"), kept.jwk("kept")]);
    let app = Setup::default().set("AUTH_JWKS_URL", provider.start().await).start().await;
    assert_eq!(status(&app, &lost.good_token(&app, "lost")).await, 200);

    provider.publish(&[kept.jwk("kept")]);
    app.clock.advance(SignedDuration::from_mins(11));
    assert_eq!(
        status(&app, &kept.good_token(&app, "kept")).await,
        200,
        "answered before the refresh"
    );
    until(async || provider.asked() >= 2).await;
    until(async || status(&app, &lost.good_token(&app, "lost")).await == 401).await;
}

/// Forgeries by an attacker who knows the public key.
#[tokio::test]
async fn forged_tokens_are_refused() {
    let (signer, attacker) = (Signer::rsa(), Signer::p256());
    let jwk = signer.jwk("one");
    let inline = json!({ "keys": [jwk] }).to_string();
    let app = Setup::default().set("AUTH_JWKS", inline).set("AUTH_HS256_SECRET", "").start().await;
    let claims = claims(app.now(), json!({ "sub": "ann" }));
    assert_eq!(status(&app, &signer.good_token(&app, "one")).await, 200);

    let part = |value: &Value| encode(value.to_string());
    for algorithm in ["none", "None", "NONE", ""] {
        let token = format!("{}.{}.", part(&json!({ "alg": algorithm })), part(&claims));
        assert_eq!(status(&app, &token).await, 401, "alg {algorithm}");
    }
    // The public key, in each published form, as an HS256 secret.
    for secret in [jwk["n"].as_str().unwrap(), &jwk.to_string()] {
        let token = farebox::dev::token::sign(secret, &claims);
        assert_eq!(status(&app, &token).await, 401);
    }
    // A key that the token itself contains or links to.
    for (name, value) in [
        ("jwk", attacker.jwk("one")),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/cert")),
        ("crit", json!(["b64"])),
    ] {
        for signer in [&attacker, &signer] {
            let mut header = json!({ "alg": signer.algorithm(), "kid": "one" });
            header[name] = value.clone();
            assert_eq!(status(&app, &signer.token(header, &claims)).await, 401, "{name}");
        }
    }
    // Another key under a known id, or an algorithm that does not fit the key.
    assert_eq!(status(&app, &attacker.good_token(&app, "one")).await, 401);
    for algorithm in ["RS512", "PS256", "ES256", "HS256"] {
        let header = json!({ "alg": algorithm, "kid": "one" });
        assert_eq!(status(&app, &signer.token(header, &claims)).await, 401, "{algorithm}");
    }
    // A valid token, modified.
    let good = signer.good_token(&app, "one");
    let parts: Vec<&str> = good.split('.').collect();
    let other = part(&json!({ "sub": "bob", "iss": claims["iss"], "exp": claims["exp"] }));
    for token in [
        format!("{}.{other}.{}", parts[0], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{good}."),
        format!("{good}=="),
        "x".repeat(9_000),
        "..".to_owned(),
        "é.é.é".to_owned(),
    ] {
        assert_eq!(status(&app, &token).await, 401, "{token}");
    }
}

#[tokio::test]
async fn claims_are_checked_one_by_one() {
    let app = TestApp::new().await;
    let now = app.now().as_second();
    for (changes, expected) in [
        (json!({}), 200),
        (json!({ "exp": now + 3_600, "nbf": now, "iat": now, "extra": { "a": [1] } }), 200),
        (json!({ "exp": (now + 3_600) as f64 + 0.5 }), 200),
        (json!({ "exp": now - 20 }), 200),
        (json!({ "exp": now - 31 }), 401),
        (json!({ "exp": null }), 401),
        (json!({ "exp": (now + 3_600).to_string() }), 401),
        (json!({ "exp": true }), 401),
        (json!({ "nbf": now + 20 }), 200),
        (json!({ "nbf": now + 60 }), 401),
        (json!({ "nbf": "0" }), 401),
        (json!({ "iss": "https://evil.example" }), 401),
        (json!({ "iss": null }), 401),
        (json!({ "iss": ["https://id.example"] }), 401),
        (json!({ "sub": null }), 401),
        (json!({ "sub": "" }), 401),
        (json!({ "sub": 7 }), 401),
        (json!({ "sub": "two words" }), 401),
        (json!({ "sub": "x".repeat(256) }), 401),
        (json!({ "aud": "anyone" }), 200),
    ] {
        let token = app.token_with(changes.clone());
        assert_eq!(status(&app, &token).await, expected, "{changes}");
    }
    let expired = app.get("/api/dashboard").bearer(&app.token_with(json!({ "exp": now - 60 })));
    expired.send().await.expect_problem(401, "expired_token");
}

/// Supabase's anon key is a valid HS256 token of the project, but has no subject.
#[tokio::test]
async fn supabases_anon_key_is_not_a_user_token() {
    let app = TestApp::new().await;
    let far = app.now().as_second() + 10 * 365 * 86_400;
    for issuer in ["supabase", crate::support::ISSUER] {
        let token = app.token_with(json!({
            "sub": null, "iss": issuer, "role": "anon", "ref": "abcdefgh", "exp": far,
        }));
        assert_eq!(status(&app, &token).await, 401);
    }
}

/// Clerk's default tokens have no `aud`; their authorized party is in `azp`.
#[tokio::test]
async fn audience_and_party_are_checked_where_configured() {
    let app = Setup::default()
        .set("AUTH_AUDIENCE", "api, other")
        .set("AUTH_AUTHORIZED_PARTIES", "https://app.example")
        .start()
        .await;
    let party = "https://app.example";
    for (changes, expected) in [
        (json!({ "aud": "api", "azp": party }), 200),
        (json!({ "aud": ["x", "other"], "azp": party }), 200),
        (json!({ "aud": "ap", "azp": party }), 401),
        (json!({ "aud": [], "azp": party }), 401),
        (json!({ "aud": null, "azp": party }), 401),
        (json!({ "aud": "api", "azp": "https://evil.example" }), 401),
        (json!({ "aud": "api" }), 401),
    ] {
        assert_eq!(status(&app, &app.token_with(changes.clone())).await, expected, "{changes}");
    }
}

#[tokio::test]
async fn service_keys_act_for_the_user_they_name() {
    let app = TestApp::new().await;
    let dashboard = || app.get("/api/dashboard").bearer(&app.service_key);
    dashboard().send().await.expect_invalid("userId");
    dashboard().query("userId", "ann").send().await.expect_status(200);
    dashboard().header("x-user-id", "ann").send().await.expect_status(200);
    let both = dashboard().query("userId", "ann").header("x-user-id", "ann");
    both.send().await.expect_status(200);
    let two = dashboard().query("userId", "ann").header("x-user-id", "bob");
    two.send().await.expect_invalid("userId");
    for bad in ["", "two words", &"x".repeat(256)] {
        dashboard().query("userId", bad).send().await.expect_invalid("userId");
    }
    for odd in [json!(null), json!(7), json!(true), json!({ "id": "ann" }), json!(["ann"])] {
        let body = json!({ "score": 5, "userId": odd });
        let call = app.patch("/api/mood").bearer(&app.service_key).json(body);
        call.send().await.expect_invalid("userId");
    }
    assert_eq!(app.redis_command(&["EXISTS", "user:null:stats", "user:7:stats"]).await, 0);
    let not_text = app.get("/api/dashboard?userId=b%f6b").bearer(&app.service_key);
    not_text.send().await.expect_invalid("userId");
    let body = json!({ "score": 5, "userId": "ann" });
    let call = app.patch("/api/mood").bearer(&app.service_key).json(body);
    assert_eq!(call.send().await.expect_status(200).body["mood_score"], 5.0);
    assert_eq!(app.stats("ann").await["mood_score"], 5.0);
}

#[tokio::test]
async fn unknown_and_mistyped_service_keys_are_refused() {
    let app = TestApp::new().await;
    let unknown = shared::auth::service_key::generate().unwrap();
    let (start, last) = app.service_key.split_at(app.service_key.len() - 1);
    let mistyped = format!("{start}{}", if last == "x" { "y" } else { "x" });
    for key in [unknown.as_str(), &mistyped, "fbx_", &app.service_key.to_uppercase()] {
        assert_eq!(status(&app, key).await, 401, "{key}");
    }
}

#[tokio::test]
async fn an_admin_is_identified_by_key_or_by_claim() {
    let app =
        Setup::default().set("AUTH_ADMIN_CLAIM", "https://app.example/roles=admin").start().await;
    let call_with = |token: String| {
        let body = json!({ "action": "review-code", "identifier": "x" });
        app.post("/api/rate-limit").bearer(&token).json(body).send()
    };
    let by_claim = app.token_with(json!({ "https://app.example/roles": ["editor", "admin"] }));
    let editor = app.token_with(json!({ "https://app.example/roles": ["editor"] }));
    call_with(app.admin_key.clone()).await.expect_status(200);
    call_with(app.service_key.clone()).await.expect_status(200);
    call_with(by_claim.clone()).await.expect_status(200);
    call_with(editor).await.expect_problem(403, "service_only");
    call_with(app.token("ann")).await.expect_problem(403, "service_only");
    let others = app.get("/api/dashboard?userId=bob").bearer(&by_claim);
    others.send().await.expect_status(200);
}

#[tokio::test]
async fn anything_but_one_bearer_token_is_refused() {
    let app = TestApp::new().await;
    let token = app.token("ann");
    app.get("/api/dashboard").send().await.expect_problem(401, "missing_token");
    for value in ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", &token] {
        let answer = app.get("/api/dashboard").header("authorization", value).send().await;
        answer.expect_problem(401, "missing_token");
    }
    let twice = app.get("/api/dashboard").bearer(&token).bearer(&app.token("bob")).send().await;
    twice.expect_problem(401, "missing_token");
    let lower = app.get("/api/dashboard").header("authorization", &format!("bearer {token}"));
    lower.send().await.expect_status(200);
}
