//! The REST API as a client sees it, over the in-process engine.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Backend, Tokens, router};

const SCRIPT: &str = "#!lua flags=allow-key-locking\nreturn {KEYS[1], ARGV[1]}";

fn front() -> Router {
    let tokens = Tokens { full: "full".to_owned(), read_only: "reader".to_owned() };
    router(Backend::in_process(None).unwrap(), tokens)
}

async fn send(front: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let response = front.clone().oneshot(request).await.unwrap();
    assert!(response.headers().contains_key("upstash-sync-token"));
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

fn request(token: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    let builder = Request::post(path).header("authorization", format!("Bearer {token}"));
    builder.body(body.into()).unwrap()
}

/// The answer to a request with the full token that must succeed.
async fn post_command(front: &Router, path: &str, body: Value) -> Value {
    let (status, answer) = send(front, request("full", path, body.to_string())).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer
}

/// The message of a request that must fail.
async fn refused(front: &Router, status: StatusCode, request: Request<Body>) -> String {
    let (answered, answer) = send(front, request).await;
    assert_eq!(answered, status, "{answer}");
    answer["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_command_may_be_sent_in_the_body_or_in_the_path() {
    let front = front();
    assert_eq!(post_command(&front, "/", json!(["SET", "k", 1])).await, json!({ "result": "OK" }));
    assert_eq!(post_command(&front, "/", json!(["INCR", "k"])).await, json!({ "result": 2 }));
    let set = request("full", "/set/a%20key?EX=100", "value");
    assert_eq!(send(&front, set).await.1, json!({ "result": "OK" }));
    let get = Request::get("/get/a%20key?_token=reader").body(Body::empty()).unwrap();
    assert_eq!(send(&front, get).await.1, json!({ "result": "value" }));
    assert_eq!(post_command(&front, "/", json!(["TTL", "a key"])).await, json!({ "result": 100 }));
}

#[tokio::test]
async fn the_front_may_be_nested_under_a_prefix() {
    let nested = Router::new().nest("/upstash", front());
    assert_eq!(
        post_command(&nested, "/upstash", json!(["PING"])).await,
        json!({ "result": "PONG" })
    );
    let pipeline =
        post_command(&nested, "/upstash/pipeline", json!([["SET", "k", "v"], ["GET", "k"]])).await;
    assert_eq!(pipeline, json!([{ "result": "OK" }, { "result": "v" }]));
}

#[tokio::test]
async fn a_pipeline_continues_after_an_error_and_a_transaction_does_not_start() {
    let front = front();
    let commands = json!([["SET", "k", "x"], ["INCR", "k"], ["GET", "k"]]);
    let answers = json!([
        { "result": "OK" },
        { "error": "ERR value is not an integer or out of range" },
        { "result": "x" },
    ]);
    assert_eq!(post_command(&front, "/pipeline", commands.clone()).await, answers);
    assert_eq!(post_command(&front, "/multi-exec", commands).await, answers);

    let commands = json!([["SET", "k", "y"], ["GET"]]).to_string();
    let aborted = request("full", "/multi-exec", commands);
    let message = refused(&front, StatusCode::BAD_REQUEST, aborted).await;
    assert_eq!(message, "EXECABORT Transaction discarded because of previous errors.");
    assert_eq!(post_command(&front, "/", json!(["GET", "k"])).await, json!({ "result": "x" }));
}

#[tokio::test]
async fn a_token_gives_access_to_everything_or_to_reading() {
    let front = front();
    let get = || json!(["GET", "k"]).to_string();
    let wrong = "WRONGPASS invalid or missing auth token";
    for token in ["", "wrong"] {
        let message = refused(&front, StatusCode::UNAUTHORIZED, request(token, "/", get())).await;
        assert_eq!(message, wrong);
    }
    let bare = Request::post("/").body(Body::from(get())).unwrap();
    assert_eq!(refused(&front, StatusCode::UNAUTHORIZED, bare).await, wrong);

    let (status, _) = send(&front, request("reader", "/", get())).await;
    assert_eq!(status, StatusCode::OK);
    let set = request("reader", "/", json!(["SET", "k", "v"]).to_string());
    let message = refused(&front, StatusCode::BAD_REQUEST, set).await;
    assert!(message.starts_with("NOPERM this user has no permissions to run the 'set' command"));
    let both = request("reader", "/pipeline", json!([["SET", "k", "v"], ["GET", "k"]]).to_string());
    let (_, answers) = send(&front, both).await;
    assert!(answers[0]["error"].as_str().unwrap().starts_with("NOPERM"));
    assert_eq!(answers[1], json!({ "result": null }));
    let both = request("reader", "/multi-exec", json!([["SET", "k", "v"]]).to_string());
    refused(&front, StatusCode::BAD_REQUEST, both).await;
}

#[tokio::test]
async fn scripts_keep_the_hash_of_their_whole_text() {
    let front = front();
    let sha = post_command(&front, "/", json!(["SCRIPT", "LOAD", SCRIPT])).await;
    assert_eq!(sha["result"], super::scripts::sha1_hex(SCRIPT.as_bytes()));
    let call = json!(["EVALSHA", sha["result"], 1, "k", "v"]);
    assert_eq!(post_command(&front, "/", call).await, json!({ "result": ["k", "v"] }));
}

#[tokio::test]
async fn strings_are_base64_on_request() {
    let front = front();
    send(&front, request("full", "/set/k", vec![0xff, 0])).await;
    let mut get = request("full", "/get/k", "");
    get.headers_mut().insert("upstash-encoding", "base64".parse().unwrap());
    assert_eq!(send(&front, get).await.1, json!({ "result": "/wA=" }));
}

#[tokio::test]
async fn anything_but_a_command_is_refused() {
    let front = front();
    let nonsense = request("full", "/", "nonsense");
    let message = refused(&front, StatusCode::BAD_REQUEST, nonsense).await;
    assert_eq!(message, "ERR failed to parse command");
    let delete = Request::delete("/get/k").body(Body::empty()).unwrap();
    refused(&front, StatusCode::METHOD_NOT_ALLOWED, delete).await;
    let large = request("full", "/set/k", vec![b'x'; 10 * 1024 * 1024 + 1]);
    let message = refused(&front, StatusCode::PAYLOAD_TOO_LARGE, large).await;
    assert!(message.starts_with("ERR max request size exceeded"));
    let missing = request("full", "/geoadd/g/1/1/a", "");
    let message = refused(&front, StatusCode::BAD_REQUEST, missing).await;
    assert!(message.contains("does not have the command 'geoadd'"), "{message}");
}
