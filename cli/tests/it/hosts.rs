//! The same routes on Vercel and on Lambda: the deployable binaries, started as the platforms start
//! them, answer as `farebox serve` does.
//!
//! Deliberately absent: the platforms themselves, which `vercel build` and `sam build` cover, and
//! the background refresh of an identity provider's keys. The refresh is due only after ten minutes
//! of a clock that a test cannot move from outside.

mod background;
mod binary;
mod concurrent;
mod schedule;
mod secrets;
mod stop;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use farebox::render;
use jiff::SignedDuration;
use platforms::lambda::{Encoding, Front};
use platforms::{Function, Platform, Request};
use serde_json::{Value, json};
use shared::config::Config;
use shared::endpoints::{ALL, CHAT_SAVE, HEALTH, HEALTH_READY, MOOD};
use shared::http::{Access, Endpoint};

use crate::support::{ApiResponse, Mode, Setup, TestApp, signature, until};
use binary::{api_response, on_lambda, on_vercel, start};

/// The functions with several routes, by the name of the group. Lambda does not limit the number of
/// functions, so it needs none.
async fn start_groups(platform: Platform, app: &TestApp) -> BTreeMap<&'static str, Function> {
    let mut groups = BTreeMap::new();
    for name in group_names(platform) {
        groups.insert(name, start(platform, name, &app.settings).await);
    }
    groups
}

fn group_names(platform: Platform) -> BTreeSet<&'static str> {
    let rows = ALL.iter().filter(|_| platform == Platform::Vercel);
    rows.map(|row| render::group(row).name).collect()
}

async fn send(function: &Function, request: &Request) -> ApiResponse {
    api_response(function.send(request).await.unwrap())
}

async fn serve(app: &TestApp, request: &Request) -> ApiResponse {
    api_response(request.over_http(&reqwest::Client::new(), &app.base).await.unwrap())
}

/// A request with a fixed request id, so that two answers can be compared byte by byte.
fn request(method: &str, path: impl Into<String>) -> Request {
    Request::new(method, path).header("x-request-id", "the-same")
}

/// A valid call of the route, without a token.
fn bare_call(row: &Endpoint, method: &str, query: &str) -> Request {
    let call = request(method, format!("{}{query}", row.path));
    match row.name {
        "mood" => call.json(&json!({ "score": 7.5 })),
        "chat-save" => call.json(&json!({ "summary": "naïve — 🎉", "content": "a \"talk\"" })),
        // With its key, a repeated call gets the same answer from every host.
        "rate-limit" => {
            let question = json!({ "action": "review-code", "identifier": "ann" });
            call.json(&question).header("idempotency-key", "the-same")
        }
        "plan" => call.json(&json!({ "plan": "Pro" })),
        // A successful answer would differ per host, so this call compares the refusals.
        "stripe-create-checkout-session" => {
            call.json(&json!({ "tier": "basic", "successUrl": "/", "cancelUrl": "/" }))
        }
        "stripe-create-portal-session" => call.json(&json!({ "returnUrl": "https://app.example" })),
        "admin-webhooks" if method == "POST" => {
            call.json(&json!({ "id": "evt_nobodys", "action": "replay" }))
        }
        "check" => call.json(&json!({ "checks": [{ "feature": "pain_entry", "quantity": 2 }] })),
        // The usage counts once, whichever host is called.
        "usage" if method == "POST" => {
            call.json(&json!({ "feature": "pain_entry" })).header("idempotency-key", "one-use")
        }
        // A new entry's id differs per host, so this call compares the refusals.
        "history" if method == "POST" => {
            call.json(&json!({ "kind": "code_review", "title": "naïve\n🎉" }))
        }
        "feedback" => call.json(&json!({
            "entryId": "00000000-0000-4000-8000-000000000000", "rating": 5,
        })),
        "credits" if method == "POST" => {
            call.json(&json!({ "action": "spend", "unit": "credit", "amount": 1 }))
        }
        "subscription-preview" => call.json(&json!({ "tier": "premium" })),
        "subscription" if method == "PATCH" => call.json(&json!({ "action": "resume" })),
        "stripe-webhook" | "webhooks-stripe" => {
            let event = json!({
                "id": "evt_1", "type": "ping", "created": 0, "livemode": false,
                "data": { "object": {} },
            });
            let signature = signature(&event.to_string(), jiff::Timestamp::now());
            call.json(&event).header("stripe-signature", &signature)
        }
        _ => call,
    }
}

/// Valid and invalid calls of one method of a row, in order, for this user.
fn calls(app: &TestApp, row: &Endpoint, method: &str, user: &str) -> Vec<Request> {
    let token = match row.access {
        Access::User => app.token(user),
        Access::Cron => app.settings["CRON_SECRET"].clone(),
        Access::Service | Access::Admin => app.admin_key.clone(),
        Access::Public | Access::Stripe => String::new(),
    };
    // An idempotency key is per user, so all hosts name the same user here.
    let named = if row.access == Access::Service { "auth0|ann" } else { user };
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let named = format!("?{}", query.append_pair("userId", named).finish());
    let mut calls = vec![
        bare_call(row, method, "").bearer(&token).header("origin", "https://app.example"),
        bare_call(row, method, &named).bearer(&app.service_key),
        bare_call(row, method, "?userId=some%20body%26else").bearer(&token),
        bare_call(row, method, ""),
        request(method, row.path).bearer(&token).raw("{\"score\": "),
        request(method, row.path).bearer(&token).json(&json!({ "unheardOf": [1] })),
        request("PUT", row.path).bearer(&token),
        request("OPTIONS", row.path)
            .header("origin", "https://app.example")
            .header("access-control-request-method", method),
    ];
    if method == "GET" {
        calls.push(request("HEAD", row.path).bearer(&token));
    }
    calls
}

/// The hosts. Each has its own users, with ids of equal length.
const HOSTS: [&str; 3] = ["server", "itself", "groups"];

/// An answer without the parts that differ between moments or connections.
fn lasting(answer: &ApiResponse) -> (u16, BTreeMap<String, Vec<String>>, String) {
    let mut headers = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in &answer.headers {
        let value = match name.as_str() {
            "date" | "connection" | "transfer-encoding" | "server-timing" => continue,
            // HTTP does not allow it in such an answer, Lambda's JSON does.
            "content-length" if answer.status == 204 => continue,
            // A time has up to six digits after its second.
            "content-length" if answer.body["createdAt"].is_string() => continue,
            // Keeps the name of the limit, without the remaining number.
            "ratelimit" => value.to_str().unwrap().split(';').next().unwrap(),
            _ => value.to_str().unwrap(),
        };
        headers.entry(name.to_string()).or_default().push(value.to_owned());
    }
    // Midnight may pass between two calls.
    let date = answer.body["last_login"].as_str().unwrap_or("no date");
    let mut text = answer.text.replace(date, "today");
    // Each host adds an entry of its own to the history.
    for own in ["id", "createdAt"] {
        if let Some(value) = answer.body[own].as_str() {
            text = text.replace(value, own);
        }
    }
    for host in HOSTS {
        text = text.replace(&format!("auth0|{host}-"), "auth0|");
    }
    (answer.status, headers, text)
}

fn assert_same(expected: &ApiResponse, found: &ApiResponse, what: &str) {
    let (expected, found) = (lasting(expected), lasting(found));
    assert!(expected == found, "{what}:\n{expected:?} on a server,\n{found:?} here");
}

/// Calls every row through its own function, and through the function of its group if there is one.
/// Each host has its own user, so that none sees another's changes.
async fn every_route_answers_as_on_a_server(platform: Platform) {
    let app = Setup::default().sells("paintracker").at_machine_time().start().await;
    let groups = start_groups(platform, &app).await;
    // The first daily job creates the partitions for the months ahead.
    app.get("/api/cron/daily").bearer(&app.settings["CRON_SECRET"]).send().await.expect_status(200);
    for row in ALL {
        let own = start(platform, row.name, &app.settings).await;
        // All webhooks and outbox messages are delivered first, so that no host's job has work
        // left.
        app.simulator.delivered().await;
        app.deliver_outbox().await;
        for method in row.methods.iter().map(|method| method.as_str()) {
            let calls = |host: &str| calls(&app, row, method, &format!("auth0|{host}-{method}"));
            let mut expected = Vec::new();
            for call in calls(HOSTS[0]) {
                expected.push(serve(&app, &call).await);
            }
            let needs_something = row.name.starts_with("stripe-create")
                || (row.name, method) == ("history", "DELETE")
                || [
                    "admin-webhooks",
                    "credits",
                    "feedback",
                    "history",
                    "stripe-checkout-session",
                    "subscription",
                    "subscription-preview",
                ]
                .contains(&row.name);
            let is_good = |answer: &ApiResponse| match answer.status {
                400 | 404 | 409 => needs_something,
                status => status < 300,
            };
            assert!(expected[..2].iter().any(is_good), "{:?}", expected[0]);
            let group = groups.get(render::group(row).name);
            let hosts = [Some((&own, HOSTS[1])), group.map(|group| (group, HOSTS[2]))];
            for (function, host) in hosts.into_iter().flatten() {
                for (call, expected) in calls(host).iter().zip(&expected) {
                    let found = send(function, call).await;
                    assert_same(expected, &found, &format!("{host}: {call:?}"));
                }
            }
        }
    }
}

#[tokio::test]
async fn every_route_answers_on_vercel_as_on_a_server() {
    every_route_answers_as_on_a_server(Platform::Vercel).await;
}

#[tokio::test]
async fn every_route_answers_on_lambda_as_on_a_server() {
    every_route_answers_as_on_a_server(Platform::Lambda).await;
}

#[tokio::test]
async fn a_function_answers_for_its_own_path_alone() {
    let app = Setup::default().at_machine_time().start().await;
    for platform in Platform::ALL {
        let own = start(platform, "mood", &app.settings).await;
        let groups = start_groups(platform, &app).await;
        for path in ["/", "/api", "/api/unknown", "/api/mood/", "/api/moods"] {
            let call = request("GET", path);
            let expected = serve(&app, &call).await.expect_problem(404, "not_found");
            assert_same(&expected, &send(&own, &call).await, path);
            for group in groups.values() {
                assert_same(&expected, &send(group, &call).await, path);
            }
        }
        send(&own, &request("GET", HEALTH.path)).await.expect_problem(404, "not_found");
    }
}

/// A body is refused by its length, announced or not, before it is parsed.
#[tokio::test]
async fn a_body_above_the_limit_is_refused() {
    let app = Setup::default().at_machine_time().start().await;
    let token = app.token("ann");
    let call = request("PATCH", MOOD.path).bearer(&token).raw(&"x".repeat(MOOD.body_limit + 1));
    let expected = serve(&app, &call).await.expect_problem(413, "body_too_large");
    for platform in Platform::ALL {
        let function = start(platform, "mood", &app.settings).await;
        for call in [call.clone(), call.clone().without_length()] {
            assert_same(&expected, &send(&function, &call).await, &format!("{platform:?}"));
        }
        let good = request("PATCH", MOOD.path).bearer(&token).json(&json!({ "score": 1 }));
        send(&function, &good).await.expect_status(200);
    }
}

/// CR-1: an address that used up its limit on one host is limited on all. Only the platform
/// determines the address.
#[tokio::test]
async fn callers_are_distinguished_by_the_platforms_address() {
    let app = Setup::default().at_machine_time().start().await;
    let used_up = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let fresh = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 4));
    // An hour ahead of the functions' clock, so that the limit does not refill during the test.
    app.clock.advance(SignedDuration::from_hours(1));
    for _ in 0..HEALTH_READY.rate.unwrap().limit {
        app.get(HEALTH_READY.path).send().await;
    }
    for platform in Platform::ALL {
        let function = start(platform, "health-ready", &app.settings).await;
        for (from, claimed, limited) in [(used_up, fresh, true), (fresh, used_up, false)] {
            let plain = request("GET", HEALTH_READY.path).from(from);
            let claimed = claimed.to_string();
            let forged = plain
                .clone()
                .header("x-forwarded-for", &claimed)
                .header("x-real-ip", &claimed)
                .header("x-vercel-forwarded-for", &claimed)
                .header("forwarded", &format!("for={claimed}"));
            for call in [plain, forged] {
                let answer = send(&function, &call).await;
                assert_eq!(answer.status == 429, limited, "{platform:?} {call:?}: {answer:?}");
            }
        }
    }
}

/// The body arrives unchanged with every front and encoding.
#[tokio::test]
async fn a_body_arrives_on_lambda_as_text_and_as_base64() {
    let app = Setup::default().at_machine_time().start().await;
    let function = on_lambda("chat-save", &app.settings).await;
    let content = "\u{feff}Größe — 🎉 \"quoted\" \\ \r\n".repeat(2_000);
    let chat = json!({ "summary": "naïve — 🎉", "content": content });
    let save = |user: &str| request("POST", CHAT_SAVE.path).bearer(&app.token(user)).json(&chat);
    let expected = serve(&app, &save("ann")).await.expect_status(200);
    for front in [Front::HttpApi, Front::FunctionUrl] {
        for encoding in [Encoding::Text, Encoding::Base64] {
            let how = format!("{front:?} {encoding:?}");
            let save = save(&how.replace(' ', "-"));
            let found = function.send_as(&save, front, encoding).await.unwrap();
            let found = api_response(found);
            assert_same(&expected, &found, &how);
        }
    }
    assert_eq!(app.count("select count(*) from history").await, 5);
    assert_eq!(app.count("select count(distinct result) from history").await, 1);
}

/// Vercel stops a function with SIGTERM, even during a request.
#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_function_ends() {
    let app = Setup::default().at_machine_time().start().await;
    let function = on_vercel("chat-save", &app.settings).await;
    let body = json!({ "summary": "a", "content": "b" });
    let save = request("POST", CHAT_SAVE.path).bearer(&app.token("ann")).json(&body);
    let job = || app.get("/api/cron/daily").cron().send();
    let two_jobs = || async { tokio::join!(job(), job()) };
    // From here on Postgres accepts two connections at a time; the test's own two are already open.
    two_jobs().await;
    app.postgres.set(Mode::HoldUntil(2)).await;

    let meanwhile = async {
        until(async || app.postgres.waiting() > 0).await;
        function.process.terminate().unwrap();
        let soon = Duration::from_millis(300);
        let ended = tokio::time::timeout(soon, function.process.ended()).await;
        assert!(ended.is_err(), "the function ended before the request did");
        two_jobs().await;
    };
    let (answer, ()) = tokio::join!(function.send(&save), meanwhile);
    let answer = api_response(answer.unwrap());
    assert_eq!(answer.expect_status(200).body["conversations"], 1);
    assert!(function.process.ended().await.unwrap().success());
    assert_eq!(app.stats("ann").await["conversations"], 1);
}

#[tokio::test]
async fn a_function_without_its_settings_names_every_one_of_them_and_ends() {
    let expected = Config::from_vars(|_| None).unwrap_err();
    let expected: BTreeSet<&str> = expected.iter().collect();
    assert!(expected.len() > 3, "{expected:?}");
    for platform in Platform::ALL {
        for name in ALL.iter().map(|row| row.name).chain(group_names(platform)) {
            let output = binary::run(platform, name, []).await;
            assert!(!output.status.success(), "{platform:?} {name}");
            let log = String::from_utf8(output.stderr).unwrap();
            let lines: Vec<Value> =
                log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
            let problems: BTreeSet<&str> =
                lines.iter().filter_map(|line| line["problem"].as_str()).collect();
            assert_eq!(problems, expected, "{platform:?} {name}: {log}");
        }
    }
}
