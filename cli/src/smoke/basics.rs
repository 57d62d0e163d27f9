//! The steps around the purchase: the process, its stores, the companion app's stats, the minute job
//! and the clean-up.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::client::{Answer, Call};
use super::diagnosis::REPORT;
use super::story::{StepResult, Story, Unpassed, failed, skipped};

/// The calls of the readiness route. The first of an instance includes the time to connect.
const READY_CALLS: usize = 3;
/// A store in the functions' own region answers sooner.
const FAR_AWAY: Duration = Duration::from_millis(30);

impl Story<'_> {
    pub(super) async fn check_health(&self) -> StepResult {
        let answer = self.client.call(Method::GET, "/api/health", Call::default()).await?;
        match answer.expect(200)? {
            body if body["status"] == "ok" => Ok("Farebox answers".to_owned()),
            _ => Err(failed("another program answers, not Farebox", "Check the URL.")),
        }
    }

    pub(super) async fn check_ready(&self) -> StepResult {
        let mut best: [Option<Duration>; 2] = [None; 2];
        for _ in 0..READY_CALLS {
            let answer =
                self.client.call(Method::GET, "/api/health/ready", Call::default()).await?;
            refuse_degraded(&answer)?;
            let times = ["postgres", "redis"].map(|store| duration(&answer, store));
            answer.expect(200)?;
            for (best, time) in best.iter_mut().zip(times) {
                *best = [*best, time].into_iter().flatten().min();
            }
        }
        let [Some(postgres), Some(redis)] = best else {
            return Ok("Postgres and Redis answer".to_owned());
        };
        let far = [("Postgres", postgres), ("Redis", redis)];
        let far = far.iter().find(|(_, time)| *time > FAR_AWAY);
        let advice = far.map(|(store, _)| {
            format!(". {store} is far from the functions: move both into one region")
        });
        let advice = advice.unwrap_or_default();
        Ok(format!("Postgres answers in {postgres:.1?}, Redis in {redis:.1?}{advice}"))
    }

    pub(super) async fn sign_in(&mut self) -> StepResult {
        let answer = self.call_for_user(Method::POST, "/api/session", None, None).await?;
        self.has_key = ![401, 403].contains(&answer.status);
        let stats = answer.expect(200)?;
        Ok(format!("the day is counted: {} active", stats["days_active"]))
    }

    pub(super) async fn read_dashboard(&self) -> StepResult {
        let answer = self.call_for_user(Method::GET, "/api/dashboard", None, None).await?;
        let stats = answer.expect(200)?;
        Ok(format!("plan {}", stats["plan"].as_str().unwrap_or_default()))
    }

    pub(super) async fn set_mood(&self) -> StepResult {
        let score = json!({ "score": 8.5 });
        let answer = self.call_for_user(Method::PATCH, "/api/mood", Some(&score), None).await?;
        match answer.expect(200)?["mood_score"].as_f64() {
            Some(8.5) => Ok("8.5 is stored".to_owned()),
            other => Err(failed(format!("8.5 was sent, but {other:?} is stored"), REPORT)),
        }
    }

    pub(super) async fn run_minute_job(&self) -> StepResult {
        let Some(secret) = &self.options.cron_secret else {
            let why = "no cron secret is given. On Vercel, the jobs run only if CRON_SECRET is set";
            return Err(skipped(why));
        };
        let call = Call { token: Some(secret), ..Call::default() };
        let report = self.client.call(Method::GET, "/api/cron/minute", call).await?.expect(200)?;
        Ok(format!("{} messages delivered", report["messages"]["delivered"]))
    }

    /// Cancels what this story bought, and erases its user.
    pub(super) async fn clean_up(&self) -> StepResult {
        let canceled = self.cancel_at_stripe().await;
        let answer = self.call_for_user(Method::DELETE, "/api/account", None, None).await?;
        if answer.status == 202 {
            canceled?;
            return Ok("the user is erased; the minute job finishes the rest".to_owned());
        }
        answer.expect(204).map_err(|unpassed| match unpassed {
            Unpassed::Failed { found, fix } => {
                let user = &self.user;
                let again = "Then send DELETE /api/account again, with the header x-user-id:";
                failed(found, format!("{fix} {again} {user}"))
            }
            skipped => skipped,
        })?;
        canceled?;
        Ok("the user is erased".to_owned())
    }
}

/// Fails if the deployment reports that a store is down.
fn refuse_degraded(answer: &Answer) -> Result<(), Unpassed> {
    let is_down = |store: &str| answer.body[store] == "down";
    let (found, settings) = match (is_down("postgres"), is_down("redis")) {
        (false, false) => return Ok(()),
        (true, false) => ("Postgres does not answer", "DATABASE_URL"),
        (false, true) => ("Redis does not answer", "UPSTASH_REDIS_REST_URL and its token"),
        (true, true) => {
            ("Postgres and Redis do not answer", "DATABASE_URL and UPSTASH_REDIS_REST_URL")
        }
    };
    let fix = format!(
        "Check {settings} of the deployment: `farebox doctor` with its settings says more. A \
         database that is suspended while it is idle answers after a moment: run this again."
    );
    Err(failed(format!("{found} within 700 ms"), fix))
}

/// Reads a store's time from the header `Server-Timing`: `postgres;dur=1.2, redis;dur=0.4`.
fn duration(answer: &Answer, store: &str) -> Option<Duration> {
    let entries = answer.header("server-timing").split(',').map(str::trim);
    let mut times = entries.filter_map(|entry| entry.strip_prefix(store)?.strip_prefix(";dur="));
    let milliseconds: f64 = times.next()?.parse().ok()?;
    Duration::try_from_secs_f64(milliseconds / 1_000.0).ok()
}

/// Returns a text of a response, for a sentence.
pub(super) fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or("nothing")
}
