use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::patch;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::listen;

pub const KEY: &str = "sk_test_of_the_identity_provider";

/// As much of Clerk as is told of plans. A change counts once per idempotency key.
#[derive(Clone)]
pub struct Clerk {
    pub url: String,
    told: Arc<Mutex<Told>>,
}

#[derive(Default)]
struct Told {
    refuses: Option<StatusCode>,
    loses_answers: bool,
    keys: HashSet<String>,
    /// What each user was told, in order.
    changes: BTreeMap<String, Vec<Value>>,
}

impl Clerk {
    pub async fn start() -> Self {
        let told = Arc::<Mutex<Told>>::default();
        let router = Router::new().route("/v1/users/{user}/metadata", patch(change));
        let served = listen(router.with_state(Arc::clone(&told))).await;
        Self { url: format!("http://{}", served.address), told }
    }

    /// From now on every call is answered so, and does nothing.
    pub fn refuse(&self, status: u16) {
        self.told().refuses = Some(status.try_into().unwrap());
    }

    /// From now on calls are carried out, and answered with an error.
    pub fn lose_answers(&self) {
        self.told().loses_answers = true;
    }

    pub fn answer(&self) {
        let mut told = self.told();
        (told.refuses, told.loses_answers) = (None, false);
    }

    /// What a user was told, in order.
    pub fn changes(&self, user: &str) -> Vec<Value> {
        self.told().changes.get(user).cloned().unwrap_or_default()
    }

    /// How many changes each user was told of.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let told = self.told();
        told.changes.iter().map(|(user, changes)| (user.clone(), changes.len())).collect()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }
}

async fn change(
    State(told): State<Arc<Mutex<Told>>>,
    Path(user): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    if header("authorization") != Some(format!("Bearer {KEY}")) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut told = told.lock().unwrap();
    if let Some(status) = told.refuses {
        let mut answer = status.into_response();
        answer.headers_mut().insert("retry-after", HeaderValue::from_static("600"));
        return answer;
    }
    if user == "nobody" {
        return StatusCode::NOT_FOUND.into_response();
    }
    if told.keys.insert(header("idempotency-key").unwrap()) {
        told.changes.entry(user).or_default().push(body["public_metadata"].clone());
    }
    match told.loses_answers {
        true => StatusCode::BAD_GATEWAY.into_response(),
        false => Json(json!({})).into_response(),
    }
}
