//! Logs calls for analytics, as far as the setting `API_LOG` asks for it (CR-4).
//!
//! A finished call is handed to the Redis client (adapters/redis/api_log.rs). This module sends
//! nothing before the answer.

use std::num::NonZeroU32;
use std::time::Duration;

use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use ring::rand::{SecureRandom, SystemRandom};

use crate::app::App;
use crate::background::BackgroundTasks;
use crate::domain::error::ErrorCode;
use crate::domain::hash::hex;
use crate::domain::{ApiCall, EventType, UserId};

/// Facts about a call that only its handler knows. The handler adds them to its response.
#[derive(Clone, Debug, Default)]
pub struct CallDetails {
    /// The type of the Stripe event that the call delivered.
    pub event_type: Option<EventType>,
    /// A failure that the answer does not show.
    pub failure: Option<ErrorCode>,
    /// The call erased its user, so the log must not name them.
    pub is_user_erased: bool,
}

/// A call in progress that will be logged.
pub(super) struct LoggedCall {
    id: String,
    weight: NonZeroU32,
    method: &'static str,
    background: BackgroundTasks,
}

/// The guard's findings about a call.
pub(super) struct Observed {
    pub(super) route: &'static str,
    pub(super) caller: &'static str,
    pub(super) user: Option<UserId>,
    pub(super) error_code: Option<ErrorCode>,
    pub(super) elapsed: Duration,
}

impl LoggedCall {
    /// Decides whether to log a call. Returns none for the others.
    pub(super) fn begin(app: &App, request: &mut Request) -> Option<Self> {
        let rate = app.redis.api_log_rate()?;
        let method = method_name(request.method())?;
        let mut random = [0; 20];
        // Without random numbers the call is served, and not logged.
        SystemRandom::new().fill(&mut random).ok()?;
        let (id, sample) = random.split_first_chunk::<16>()?;
        let weight = rate.weight(u32::from_be_bytes(sample.try_into().ok()?))?;
        let background = request.extensions_mut().get_or_insert_default::<BackgroundTasks>();
        Some(Self { id: hex(id), weight, method, background: background.clone() })
    }

    /// Logs the call with its answer.
    pub(super) fn finish(self, app: &App, observed: Observed, response: &mut Response) {
        let Observed { route, caller, user, error_code, elapsed } = observed;
        let details: CallDetails = response.extensions_mut().remove().unwrap_or_default();
        let error_code = error_code.or(details.failure);
        let is_erased = details.is_user_erased || error_code == Some(ErrorCode::AccountErased);
        let call = ApiCall {
            id: self.id,
            called_at: app.clock.now(),
            route: route.into(),
            method: self.method.into(),
            status: response.status().as_u16(),
            error_code: error_code.map(|code| code.to_string()),
            event_type: details.event_type,
            duration_us: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            caller: caller.into(),
            weight: self.weight,
            user_id: user.filter(|_| !is_erased),
        };
        if app.redis.log_call(call) {
            let redis = app.redis.clone();
            self.background.run(async move { redis.send_logged_calls().await });
        }
    }
}

/// Returns the name of a method in the log. A browser's preflight is not a call, so it has none.
fn method_name(method: &Method) -> Option<&'static str> {
    match *method {
        Method::OPTIONS => None,
        Method::GET => Some("GET"),
        Method::HEAD => Some("HEAD"),
        Method::POST => Some("POST"),
        Method::PUT => Some("PUT"),
        Method::PATCH => Some("PATCH"),
        Method::DELETE => Some("DELETE"),
        // A client may send any word.
        _ => Some("OTHER"),
    }
}
