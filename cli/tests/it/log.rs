//! The log: one line per request, without personal data.

use serde_json::{Value, json};

use crate::support::{Process, Setup};

#[tokio::test]
async fn each_request_logs_one_line_without_personal_data() {
    let app = Setup::default().set("LOG_LEVEL", "info").start().await;
    let server = Process::serve(&app).await;
    let (secret_user, secret_text) = ("ann@private.example", "what only ann may read");
    let token = app.token(secret_user);
    let client = reqwest::Client::new();
    let calls = [
        ("POST", "/api/session", json!({}), 200),
        ("POST", "/api/chat/save", json!({ "summary": secret_text, "content": secret_text }), 200),
        ("PATCH", "/api/mood?userId=ann@private.example", json!({ "score": secret_text }), 400),
        ("GET", "/api/dashboard?userId=bob@private.example", json!({}), 403),
        ("GET", "/api/nothing?userId=bob@private.example", json!({}), 404),
    ];
    for (method, path, body, status) in &calls {
        let url = format!("{}{path}", server.base);
        let request = client.request(method.parse().unwrap(), url).bearer_auth(&token);
        assert_eq!(request.json(body).send().await.unwrap().status(), *status, "{path}");
    }
    let log = server.end().await;
    for private in ["ann", "bob", "private", &token, secret_text, "127.0.0.1"] {
        assert!(!log.contains(private), "{private} is in {log}");
    }
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let logged: Vec<_> = lines
        .iter()
        .map(|line| {
            assert!(line["ms"].as_f64().is_some() && line["request_id"].is_string(), "{line}");
            (&line["route"], &line["status"], &line["caller"], &line["cache"], &line["code"])
        })
        .map(|(route, status, caller, cache, code)| json!([route, status, caller, cache, code]))
        .collect();
    let expected = [
        json!(["session", 200, "user", "used", ""]),
        json!(["chat-save", 200, "user", "used", ""]),
        json!(["mood", 400, "user", "used", "invalid_input"]),
        json!(["dashboard", 403, "user", "none", "other_user"]),
        json!(["unknown", 404, "anyone", "none", "not_found"]),
    ];
    assert_eq!(logged, expected);
}

/// Requests to Stripe are logged with Stripe's request ids, without the key or the buyer.
#[tokio::test]
async fn requests_to_stripe_are_logged_by_their_ids() {
    let app = Setup::default().set("LOG_LEVEL", "info").sells("aira").start().await;
    let server = Process::serve(&app).await;
    let order = |email: &str| {
        let url = format!("{}/api/stripe/create-checkout-session", server.base);
        let order = json!({
            "tier": "plus", "interval": "monthly", "email": email,
            "successUrl": "https://app.example/", "cancelUrl": "https://app.example/",
        });
        reqwest::Client::new().post(url).bearer_auth(app.token("ann")).json(&order).send()
    };
    assert_eq!(order("ann@private.example").await.unwrap().status(), 200);
    let log = server.end().await;
    let key = &app.settings["STRIPE_SECRET_KEY"];
    for private in [key, "ann", "private", "Bearer"] {
        assert!(!log.contains(private), "{private} is in {log}");
    }
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let asked: Vec<_> = lines.iter().filter(|line| line["message"] == "called Stripe").collect();
    let paths: Vec<_> = asked.iter().map(|line| line["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/customers", "/checkout/sessions"]);
    assert!(asked.iter().all(|line| line["stripe_request"].as_str().unwrap().starts_with("req_")));
}

/// A developer finds out why a browser refuses the response. Anyone can send any origin, so the log
/// has each once, and not all of them.
#[tokio::test]
async fn a_refused_origin_is_logged_once() {
    let app = Setup::default().set("LOG_LEVEL", "info").start().await;
    let server = Process::serve(&app).await;
    let call = async |method: &str, origin: String| {
        let client = reqwest::Client::new();
        let url = format!("{}/api/plans", server.base);
        let request = client.request(method.parse().unwrap(), url).header("origin", origin);
        request.header("access-control-request-method", "GET").send().await.unwrap();
    };
    for method in ["OPTIONS", "GET", "GET"] {
        call(method, "http://localhost:5173".to_owned()).await;
    }
    call("GET", "https://app.example".to_owned()).await;
    call("GET", server.base.clone()).await;
    for number in 0..30 {
        call("GET", format!("https://{number}.example")).await;
    }
    let log = server.end().await;
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let warned: Vec<&Value> = lines.iter().filter(|line| line["level"] == "WARN").collect();
    assert_eq!(warned.len(), 10, "{warned:#?}");
    assert_eq!(warned[0]["origin"], "http://localhost:5173");
    assert_eq!(warned[0]["route"], "plans");
    assert!(warned[0]["message"].as_str().unwrap().contains("ALLOWED_ORIGINS"));
    assert_eq!(warned[1]["origin"], "https://0.example");
}

/// The cause of an error is in the log only.
#[tokio::test]
async fn an_outage_is_logged_with_its_cause() {
    let app = Setup::default()
        .set("LOG_LEVEL", "info")
        .set("UPSTASH_REDIS_REST_URL", "http://127.0.0.1:9")
        .start()
        .await;
    let server = Process::serve(&app).await;
    let request = reqwest::Client::new().get(format!("{}/api/dashboard", server.base));
    let answer = request.bearer_auth(app.token("ann")).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    let log = server.end().await;
    let line = log.lines().find(|line| line.contains("\"level\":\"ERROR\"")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!((&line["code"], &line["cache"]), (&json!("redis_unavailable"), &json!("down")));
    assert!(line["cause"].as_str().unwrap().contains("refused"), "{line}");
}
