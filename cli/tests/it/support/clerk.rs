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

/// The part of Clerk that Farebox calls. A change counts once per idempotency key.
#[derive(Clone)]
pub struct Clerk {
    pub url: String,
    state: Arc<Mutex<ClerkState>>,
}

#[derive(Default)]
struct ClerkState {
    refuses: Option<StatusCode>,
    loses_answers: bool,
    keys: HashSet<String>,
    /// The metadata set for each user, in order. An organisation's id follows `organizations/`.
    changes: BTreeMap<String, Vec<Value>>,
}

impl Clerk {
    pub async fn start() -> Self {
        let state = Arc::<Mutex<ClerkState>>::default();
        let router = Router::new()
            .route("/v1/users/{user}/metadata", patch(change))
            .route("/v1/organizations/{organisation}/metadata", patch(change_organisation));
        let served = listen(router.with_state(Arc::clone(&state))).await;
        Self { url: format!("http://{}", served.address), state }
    }

    /// Answers every call with this status from here on, and changes nothing.
    pub fn refuse(&self, status: u16) {
        self.state().refuses = Some(status.try_into().unwrap());
    }

    /// Carries out calls from here on, but answers with an error.
    pub fn lose_answers(&self) {
        self.state().loses_answers = true;
    }

    pub fn answer(&self) {
        let mut state = self.state();
        (state.refuses, state.loses_answers) = (None, false);
    }

    /// The metadata set for a user, or for `organizations/ID`, in order.
    pub fn changes(&self, user: &str) -> Vec<Value> {
        self.state().changes.get(user).cloned().unwrap_or_default()
    }

    /// The number of changes of each user.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let state = self.state();
        state.changes.iter().map(|(user, changes)| (user.clone(), changes.len())).collect()
    }

    fn state(&self) -> MutexGuard<'_, ClerkState> {
        self.state.lock().unwrap()
    }
}

async fn change_organisation(
    state: State<Arc<Mutex<ClerkState>>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Json<Value>,
) -> Response {
    change(state, Path(format!("organizations/{id}")), headers, body).await
}

async fn change(
    State(state): State<Arc<Mutex<ClerkState>>>,
    Path(user): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    if header("authorization") != Some(format!("Bearer {KEY}")) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut state = state.lock().unwrap();
    if let Some(status) = state.refuses {
        let mut answer = status.into_response();
        answer.headers_mut().insert("retry-after", HeaderValue::from_static("600"));
        return answer;
    }
    if user == "nobody" {
        return StatusCode::NOT_FOUND.into_response();
    }
    if state.keys.insert(header("idempotency-key").unwrap()) {
        state.changes.entry(user).or_default().push(body["public_metadata"].clone());
    }
    match state.loses_answers {
        true => StatusCode::BAD_GATEWAY.into_response(),
        false => Json(json!({})).into_response(),
    }
}
