use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde_json::Value;

use super::{Setup, listen};

/// A signing secret of the receiver: 24 bytes in base64.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// How the receiver answers.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    Accept,
    Status(u16),
    /// 500 to the webhooks about this user; it accepts all others.
    RefuseUser(&'static str),
    /// 503 with this `Retry-After`.
    RetryAfter(&'static str),
    /// It takes the webhook, and answers with an endless body.
    AcceptEndlessly,
    /// 307 to another path of the receiver.
    Redirect,
    Never,
}

/// The app's own server, which gets webhooks.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    state: Arc<Mutex<Received>>,
}

struct Received {
    reply: Reply,
    webhooks: Vec<Webhook>,
}

/// A request that the receiver got.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Webhook {
    pub path: String,
    pub id: String,
    pub timestamp: String,
    pub signature: String,
    /// As it was sent.
    pub text: String,
    pub body: Value,
}

impl Receiver {
    pub async fn start() -> Self {
        let received = Received { reply: Reply::Accept, webhooks: Vec::new() };
        let state = Arc::new(Mutex::new(received));
        let router = Router::new().fallback(receive).with_state(Arc::clone(&state));
        let served = listen(router).await;
        Self { url: format!("http://{}/hooks", served.address), state }
    }

    /// The settings that send webhooks here.
    pub fn setup(&self) -> Setup {
        Setup::default().set("APP_WEBHOOK_URL", &self.url).set("APP_WEBHOOK_SECRET", SECRET)
    }

    /// Answers like this from here on.
    pub fn reply(&self, reply: Reply) {
        self.state().reply = reply;
    }

    /// Every request, in order.
    pub fn webhooks(&self) -> Vec<Webhook> {
        self.state().webhooks.clone()
    }

    /// The types of the requests about a user, in order.
    pub fn types(&self, user: &str) -> Vec<String> {
        let webhooks = self.webhooks().into_iter();
        let about = webhooks.filter(|webhook| webhook.body["data"]["userId"] == user);
        about.map(|webhook| webhook.body["type"].as_str().unwrap().to_owned()).collect()
    }

    /// Forgets every request.
    pub fn clear(&self) {
        self.state().webhooks.clear();
    }

    fn state(&self) -> MutexGuard<'_, Received> {
        self.state.lock().unwrap()
    }
}

async fn receive(
    State(state): State<Arc<Mutex<Received>>>,
    uri: Uri,
    headers: HeaderMap,
    text: String,
) -> Response {
    let header = |name: &str| headers.get(name).map_or("", |it| it.to_str().unwrap()).to_owned();
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let user = body["data"]["userId"].as_str().unwrap_or_default().to_owned();
    let reply = {
        let mut state = state.lock().unwrap();
        state.webhooks.push(Webhook {
            path: uri.path().to_owned(),
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signature: header("webhook-signature"),
            body,
            text,
        });
        state.reply
    };
    let answer = |status: u16| Response::builder().status(status);
    match reply {
        Reply::Accept => answer(204).body(Body::empty()),
        Reply::RefuseUser(refused) if refused != user => answer(204).body(Body::empty()),
        Reply::RefuseUser(_) => answer(500).body(Body::empty()),
        Reply::Status(status) => answer(status).body(Body::from("no")),
        Reply::RetryAfter(time) => answer(503).header("retry-after", time).body(Body::empty()),
        Reply::AcceptEndlessly => {
            let chunks =
                futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>("x".repeat(1_024)));
            answer(200).body(Body::from_stream(chunks))
        }
        Reply::Redirect => answer(307).header("location", "/elsewhere").body(Body::empty()),
        Reply::Never => std::future::pending().await,
    }
    .unwrap()
}
