//! A simulator over HTTP, and an app that receives its webhooks.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use ring::hmac;
use serde_json::{Value, json};
use stripe_simulator::{Clock, Options, Simulator, Target};
use tokio::net::TcpListener;

use super::{Response, clock, serve};

pub const KEY: &str = "sk_test_of_the_simulators_tests";
const WEBHOOK_SECRET: &str = "whsec_of_the_simulators_tests";

/// A test's simulator, and the app that receives its webhooks.
pub struct Stripe {
    pub simulator: Simulator,
    pub base: String,
    pub clock: Clock,
    pub app: App,
    http: reqwest::Client,
}

/// A server that records the webhooks it receives.
#[derive(Clone)]
pub struct App {
    pub url: String,
    received: Arc<Mutex<Received>>,
}

#[derive(Default)]
struct Received {
    events: Vec<Value>,
    refuse: Option<StatusCode>,
}

impl Stripe {
    pub async fn new() -> Self {
        Self::start(clock(), None).await
    }

    /// Starts a simulator with a snapshot file. The snapshot moves the clock.
    pub async fn start(clock: Clock, snapshot: Option<&Path>) -> Self {
        let app = App::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let webhook = Target { url: app.url.clone(), secret: WEBHOOK_SECRET.to_owned() };
        let options = Options {
            base: base.clone(),
            secret_key: KEY.to_owned(),
            webhook: Some(webhook),
            clock: clock.clone(),
            snapshot: snapshot.map(Path::to_owned),
            before_moving: None,
        };
        let simulator = Simulator::start(options).await.unwrap();
        serve(listener, simulator.router());
        Self { simulator, base, clock, app, http: reqwest::Client::new() }
    }

    /// Builds an API request without sending it.
    pub fn request(&self, method: &str, path: &str, form: &Value) -> reqwest::RequestBuilder {
        let request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.base));
        let form = encoded(form);
        let request = request.bearer_auth(KEY);
        match method {
            "POST" => {
                let kind = "application/x-www-form-urlencoded";
                request.header("content-type", kind).body(form)
            }
            _ if form.is_empty() => request,
            _ => request.query(&url::form_urlencoded::parse(form.as_bytes()).collect::<Vec<_>>()),
        }
    }

    pub async fn call(&self, method: &str, path: &str, form: Value) -> Response {
        Response::of(self.request(method, path, &form).send().await.unwrap()).await
    }

    /// The body of a successful POST.
    pub async fn post(&self, path: &str, form: Value) -> Value {
        self.call("POST", path, form).await.expect_status(200).body
    }

    pub async fn get(&self, path: &str, form: Value) -> Value {
        self.call("GET", path, form).await.expect_status(200).body
    }

    pub async fn delete(&self, path: &str) -> Value {
        self.call("DELETE", path, Value::Null).await.expect_status(200).body
    }

    /// The status and error of a refused request.
    pub async fn refused(&self, method: &str, path: &str, form: Value) -> (u16, Value) {
        let answer = self.call(method, path, form).await;
        assert!(answer.status >= 400, "{answer:?}");
        (answer.status, answer.body["error"].clone())
    }

    /// The types of all events of the last thirty days, in order of creation. Webhooks may arrive
    /// in another order.
    pub async fn happened(&self) -> Vec<String> {
        let kind = |event: &Value| event["type"].as_str().unwrap().to_owned();
        let (mut types, mut page) = (Vec::new(), json!({ "limit": 100 }));
        loop {
            let events = self.get("/v1/events", page.clone()).await;
            let data = events["data"].as_array().unwrap();
            types.extend(data.iter().map(kind));
            if events["has_more"] == false {
                types.reverse();
                return types;
            }
            page["starting_after"] = data.last().unwrap()["id"].clone();
        }
    }

    /// Advances the clock: `14d`, `1mo`.
    pub async fn advance(&self, by: &str) {
        self.simulator.advance(by.parse().unwrap()).await.unwrap();
    }

    pub fn now(&self) -> i64 {
        self.clock.now().as_second()
    }

    /// Calls the control API.
    pub async fn control(&self, method: &str, path: &str, body: Value) -> Response {
        let url = format!("{}/simulator/api/{path}", self.base);
        let request = self.http.request(method.parse().unwrap(), url);
        let request = if method == "GET" { request } else { request.json(&body) };
        Response::of(request.send().await.unwrap()).await
    }
}

impl App {
    async fn start() -> Self {
        let received = Arc::<Mutex<Received>>::default();
        let router = Router::new().route("/hook", post(receive)).with_state(received.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        serve(listener, router);
        Self { url, received }
    }

    /// The types of the events received so far, in order of arrival.
    pub fn types(&self) -> Vec<String> {
        let received = self.received.lock().unwrap();
        received.events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    pub fn events(&self) -> Vec<Value> {
        self.received.lock().unwrap().events.clone()
    }

    /// Answers with this status from now on, and records nothing.
    pub fn refuse(&self, status: Option<u16>) {
        let status = status.map(|status| StatusCode::from_u16(status).unwrap());
        self.received.lock().unwrap().refuse = status;
    }
}

async fn receive(
    State(received): State<Arc<Mutex<Received>>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let mut received = received.lock().unwrap();
    if let Some(status) = received.refuse {
        return status;
    }
    let signature = headers["stripe-signature"].to_str().unwrap();
    let (time, signature) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, WEBHOOK_SECRET.as_bytes());
    let signed = [time.as_bytes(), b".", body.as_ref()].concat();
    assert_eq!(signature, hex(hmac::sign(&key, &signed).as_ref()));
    received.events.push(serde_json::from_slice(&body).unwrap());
    StatusCode::OK
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Encodes parameters as Stripe's clients do: `items[0][price]=price_1`.
fn encoded(form: &Value) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in form.as_object().into_iter().flatten() {
        append(&mut pairs, name, value);
    }
    pairs.finish()
}

fn append(pairs: &mut url::form_urlencoded::Serializer<'_, String>, name: &str, value: &Value) {
    match value {
        Value::Null => drop(pairs.append_pair(name, "")),
        Value::String(text) => drop(pairs.append_pair(name, text)),
        Value::Bool(_) | Value::Number(_) => drop(pairs.append_pair(name, &value.to_string())),
        Value::Array(list) => {
            for (place, value) in list.iter().enumerate() {
                append(pairs, &format!("{name}[{place}]"), value);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                append(pairs, &format!("{name}[{key}]"), value);
            }
        }
    }
}
