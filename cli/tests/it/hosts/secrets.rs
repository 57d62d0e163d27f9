//! Settings in AWS Secrets Manager.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use platforms::{Platform, Request, Settings};

use super::binary::{self, api_response, on_lambda};
use super::request;
use crate::support::{Setup, listen};

/// On Lambda, settings may be in Secrets Manager. A setting in the environment takes precedence.
#[tokio::test]
async fn a_lambda_function_reads_its_settings_out_of_a_secret() {
    let app = Setup::default().at_machine_time().start().await;
    let mut secret = app.settings.clone();
    secret.insert("CRON_SECRET".to_owned(), "another".to_owned());
    let secret = serde_json::to_string(&secret).unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let answer = move |headers: HeaderMap, body: String| {
        seen.lock().unwrap().push((headers, body));
        let secret = json!({ "Name": "farebox", "SecretString": secret });
        async move { Json(secret) }
    };
    let manager = listen(Router::new().route("/", post(answer))).await;
    let settings = [
        ("FAREBOX_SECRET", "arn:aws:secretsmanager:eu-central-1:1:secret:farebox"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &format!("http://{}/", manager.address)),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-tests"),
        ("AWS_SESSION_TOKEN", "a-session"),
        ("CRON_SECRET", "of the environment"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let lambda = on_lambda("cron-daily", &settings).await;
    let run = |secret: &str| {
        request("GET", "/api/cron/daily").header("authorization", &format!("Bearer {secret}"))
    };
    let send = async |call: Request| api_response(lambda.send(&call).await.unwrap());
    send(run("of the environment")).await.expect_status(200);
    send(run("another")).await.expect_problem(401, "invalid_token");

    let asked = asked.lock().unwrap();
    let [(headers, body)] = &asked[..] else { panic!("asked once, not {}", asked.len()) };
    let header = |name: &str| headers.get(name).unwrap().to_str().unwrap();
    assert_eq!(header("x-amz-target"), "secretsmanager.GetSecretValue");
    assert_eq!(header("x-amz-security-token"), "a-session");
    let signed = header("authorization");
    assert!(signed.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{signed}");
    assert!(signed.contains("/eu-central-1/secretsmanager/aws4_request"), "{signed}");
    assert!(body.contains("arn:aws:secretsmanager:eu-central-1:1:secret:farebox"), "{body}");
}

/// The settings of a function that reads its secret again with each request.
fn read_with_each_request(manager: SocketAddr) -> Settings {
    let settings = [
        ("FAREBOX_SECRET", "farebox"),
        ("FAREBOX_SECRET_SECONDS", "0"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &format!("http://{manager}/")),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-tests"),
    ];
    settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// A secret that is rotated reaches a running function. While it cannot be read, or says nothing that
/// the app could use, the old settings stay.
#[tokio::test]
async fn a_rotated_secret_reaches_a_running_function() {
    let app = Setup::default().at_machine_time().start().await;
    let with_cron_secret = |secret: &str| {
        let mut settings = app.settings.clone();
        settings.insert("CRON_SECRET".to_owned(), secret.to_owned());
        settings.insert("LOG_LEVEL".to_owned(), "info".to_owned());
        json!({ "SecretString": serde_json::to_string(&settings).unwrap() })
    };
    let current = Arc::new(Mutex::new(Some(with_cron_secret("the-first-secret"))));
    let served = Arc::clone(&current);
    let answer = move || {
        let secret = served.lock().unwrap().clone();
        async move { secret.map(Json).ok_or(StatusCode::INTERNAL_SERVER_ERROR) }
    };
    let manager = listen(Router::new().route("/", post(answer))).await;
    let settings = read_with_each_request(manager.address);
    let lambda = on_lambda("cron-minute", &settings).await;
    let run = async |secret: &str| {
        let call = request("GET", "/api/cron/minute").bearer(secret);
        api_response(lambda.send(&call).await.unwrap()).status
    };
    assert_eq!(run("the-first-secret").await, 200);

    // Each request reads the secret while it is answered, so the next one uses it.
    *current.lock().unwrap() = Some(with_cron_secret("the-second-secret"));
    run("any").await;
    assert_eq!(run("the-second-secret").await, 200);
    assert_eq!(run("the-first-secret").await, 401);

    let unusable = json!({ "SecretString": "{}" });
    for broken in [None, Some(unusable)] {
        *current.lock().unwrap() = broken;
        run("any").await;
        assert_eq!(run("the-second-secret").await, 200);
    }
    let log = lambda.process.log();
    assert!(log.contains("the settings in the secret have changed"), "{log}");
    assert!(log.contains("the old settings stay in use"), "{log}");
    assert!(!log.contains("the-second-secret"), "{log}");
}

/// A Secrets Manager that answers the first request only.
#[tokio::test]
async fn a_slow_read_of_the_secret_delays_no_user() {
    let app = Setup::default().at_machine_time().start().await;
    let first = Arc::new(Mutex::new(Some(serde_json::to_string(&app.settings).unwrap())));
    let answer = move || {
        let secret = first.lock().unwrap().take();
        async move {
            match secret {
                Some(secret) => Json(json!({ "SecretString": secret })),
                None => std::future::pending().await,
            }
        }
    };
    let manager = listen(Router::new().route("/", post(answer))).await;
    let settings = read_with_each_request(manager.address);
    let lambda = on_lambda("health", &settings).await;
    let began = Instant::now();
    for _ in 0..3 {
        let answer = lambda.send(&request("GET", "/api/health")).await.unwrap();
        api_response(answer).expect_status(200);
    }
    // The read alone would give up after three seconds.
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

const ARN: &str = "arn:aws:secretsmanager:eu-central-1:1:secret:farebox";

/// The single log line of a function that cannot read its settings from a secret.
async fn log_without_secret(settings: &[(&str, &str)]) -> Value {
    let settings = [("FAREBOX_SECRET", ARN)].iter().chain(settings);
    let settings = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let output = binary::run(Platform::Lambda, "mood", settings.collect::<Vec<_>>()).await;
    assert!(!output.status.success(), "{output:?}");
    let log = String::from_utf8(output.stderr).unwrap();
    let [line] = log.lines().collect::<Vec<_>>()[..] else { panic!("one line, not {log:?}") };
    serde_json::from_str(line).expect(line)
}

/// A function that cannot start logs which secret it tried to read, where, and the cause.
#[tokio::test]
async fn a_function_that_cannot_read_its_secret_reports_the_cause() {
    let denied = json!({
        "__type": "com.amazon.coral#AccessDeniedException",
        "Message": "role farebox is not authorized to perform: secretsmanager:GetSecretValue",
    });
    let denied = move || async move { (StatusCode::BAD_REQUEST, Json(denied)) };
    let no_settings = || async { Json(json!({ "SecretString": "a-password" })) };
    let router = Router::new().route("/denied", post(denied)).route("/odd", post(no_settings));
    let manager = listen(router).await.address;
    let (denied, odd) = (format!("http://{manager}/denied"), format!("http://{manager}/odd"));
    let credentials = [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "of-tests")];
    for (region, manager, credentials, why) in [
        (true, &*denied, &credentials[..], "AccessDeniedException: role farebox is not authorized"),
        (true, &*odd, &credentials[..], "the secret must be a JSON object of settings"),
        (true, "http://127.0.0.1:1/", &credentials[..], "onnect"),
        (true, &*denied, &[], "environment variable not set"),
        (false, &*denied, &credentials[..], "AWS_REGION is not set"),
    ] {
        let mut settings = vec![("AWS_ENDPOINT_URL_SECRETS_MANAGER", manager)];
        settings.extend(region.then_some(("AWS_REGION", "eu-central-1")));
        settings.extend(credentials);
        let line = log_without_secret(&settings).await;
        let cause = line["cause"].as_str().unwrap();
        let place = if region { "eu-central-1" } else { "no region" };
        assert_eq!(line["level"], "ERROR", "{line}");
        assert!(cause.contains(&format!("the secret {ARN} in {place}: ")), "{line}");
        assert!(cause.contains(why), "{line}");
        assert!(!line.to_string().contains("a-password"), "{line}");
    }
}
