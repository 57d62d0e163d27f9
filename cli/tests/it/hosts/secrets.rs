//! Settings out of AWS Secrets Manager.

use std::sync::{Arc, Mutex};

use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;

use super::lambda::Lambda;
use super::request::Request;
use crate::support::{Setup, listen};

/// Settings may lie in Secrets Manager, on Lambda. What the environment says as well, wins.
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
        ("FAREBOX_SECRET_ARN", "arn:aws:secretsmanager:eu-central-1:1:secret:farebox"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &format!("http://{}/", manager.address)),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-tests"),
        ("AWS_SESSION_TOKEN", "a-session"),
        ("CRON_SECRET", "of the environment"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let lambda = Lambda::start("lambda-cron-daily", &settings).await;
    let run = |secret: &str| {
        let request = Request::new("GET", "/api/cron/daily");
        request.header("authorization", &format!("Bearer {secret}"))
    };
    lambda.send(&run("of the environment")).await.expect_status(200);
    lambda.send(&run("another")).await.expect_problem(401, "invalid_token");

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
