//! The API log on its way to Postgres.
//!
//! A finished call waits in this process and is added to the next request to Redis, whatever that
//! is for. So the log costs no round trip, and no function needs Postgres for it. If calls wait too
//! long, they are sent in the background. In Redis they are members of a sorted set, which the
//! minute job stores in Postgres (billing/api_log.rs).
//!
//! A call can be lost: if a process ends without a signal, if Redis is unavailable for long, or if
//! no job drains the set. A call is never logged twice, because it has an id.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::batch::Batch;
use super::scripts::FORGET_CALLS;
use super::{Command, Redis, RedisError, Reply, keys, typed};
use crate::domain::error::error_chain;
use crate::domain::{ApiCall, SampleRate, UserId};

/// The calls that wait in this process. Further calls displace the oldest.
const MAX_WAITING: usize = 2_000;
/// The calls that one request to Redis carries: up to 50 KB.
const MAX_SENT: usize = 200;
/// How long calls wait for a request to Redis before they are sent in the background.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// How long calls wait after a failure before they are sent in the background again. They still
/// ride along with other requests.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The calls in Redis: about 30 MB. Each process deletes older ones with its first request, and
/// again after this many calls.
const MAX_STORED: usize = 100_000;
const TRIM_AFTER: usize = 100;
/// The lifetime of the calls in Redis after the last trim, if no job drains them.
const STORED_SECONDS: u32 = 7 * 86_400;

/// The calls that wait in this process.
#[derive(Debug)]
pub(super) struct ApiLog {
    rate: Option<SampleRate>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    calls: VecDeque<ApiCall>,
    /// When the oldest call began to wait.
    since: Instant,
    /// Before this time, calls are not sent in the background.
    not_before: Instant,
    sent_since_trim: usize,
    displaced: usize,
}

/// Calls taken from the waiting ones, as commands to send.
#[derive(Debug)]
pub(super) struct Shipment {
    calls: Vec<ApiCall>,
    pub(super) commands: Vec<Command>,
}

impl ApiLog {
    pub(super) fn new(rate: Option<SampleRate>) -> Self {
        let now = Instant::now();
        let calls = VecDeque::new();
        let sent_since_trim = TRIM_AFTER;
        let waiting = Waiting { calls, since: now, not_before: now, sent_since_trim, displaced: 0 };
        Self { rate, waiting: Mutex::new(waiting) }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // No code panics while it holds the lock, so the calls are still valid.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the calls that the next request carries.
    pub(super) fn take(&self) -> Shipment {
        if self.rate.is_none() {
            return Shipment { calls: Vec::new(), commands: Vec::new() };
        }
        let mut waiting = self.waiting();
        let count = waiting.calls.len().min(MAX_SENT);
        let calls: Vec<ApiCall> = waiting.calls.drain(..count).collect();
        waiting.since = Instant::now();
        waiting.sent_since_trim += count;
        let is_trim_due = count > 0 && waiting.sent_since_trim > TRIM_AFTER;
        if is_trim_due {
            waiting.sent_since_trim = 0;
        }
        drop(waiting);
        let commands = commands(&calls, is_trim_due);
        Shipment { calls, commands }
    }

    /// Ends a shipment. Takes its replies, which are the last ones of the request, and returns the
    /// others. After a failed request its calls wait again: even if they arrived, they count once.
    pub(super) fn finish(
        &self,
        shipment: Shipment,
        replies: Result<Vec<Reply>, RedisError>,
    ) -> Result<Vec<Reply>, RedisError> {
        if shipment.calls.is_empty() {
            return replies;
        }
        let mut replies = match replies {
            Ok(replies) if replies.len() >= shipment.commands.len() => replies,
            failed => {
                self.put_back(shipment.calls);
                return failed;
            }
        };
        let own = replies.split_off(replies.len() - shipment.commands.len());
        let refused = own.into_iter().find_map(|reply| typed::<serde_json::Value>(reply).err());
        if let Some(error) = refused {
            let calls = shipment.calls.len();
            tracing::warn!(calls, problem = error_chain(&error), "Redis refused the API log");
        }
        let displaced = mem::take(&mut self.waiting().displaced);
        if displaced > 0 {
            tracing::warn!(calls = displaced, "the API log lost calls while Redis was unavailable");
        }
        Ok(replies)
    }

    fn put_back(&self, calls: Vec<ApiCall>) {
        let mut waiting = self.waiting();
        let now = Instant::now();
        if waiting.not_before <= now {
            waiting.not_before = now + RETRY_AFTER;
        }
        let room = MAX_WAITING.saturating_sub(waiting.calls.len());
        let lost = calls.len().saturating_sub(room);
        waiting.displaced += lost;
        for call in calls.into_iter().skip(lost).rev() {
            waiting.calls.push_front(call);
        }
    }
}

impl Waiting {
    fn are_due(&self, now: Instant) -> bool {
        let is_long = now.duration_since(self.since) >= MAX_WAIT;
        (self.calls.len() >= MAX_SENT || is_long) && now >= self.not_before
    }
}

/// The commands that store calls.
fn commands(calls: &[ApiCall], is_trim_due: bool) -> Vec<Command> {
    if calls.is_empty() {
        return Vec::new();
    }
    let add = calls.iter().fold(Command::new("ZADD").arg(keys::API_LOG), |add, call| {
        // A call has no map and no number that JSON lacks, so it always has a JSON form.
        let json = serde_json::to_string(call).unwrap_or_default();
        add.arg(call.called_at.as_microsecond().to_string()).arg(json)
    });
    let mut commands = vec![add];
    if is_trim_due {
        let last = format!("-{}", MAX_STORED + 1);
        let trim = Command::new("ZREMRANGEBYRANK").arg(keys::API_LOG).arg("0").arg(last);
        let expire = Command::new("EXPIRE").arg(keys::API_LOG).arg(STORED_SECONDS.to_string());
        commands.extend([trim, expire]);
    }
    commands
}

impl Redis {
    /// The share of calls to log. None if the log is off.
    pub fn api_log_rate(&self) -> Option<SampleRate> {
        self.0.api_log.rate
    }

    /// Adds a call to those that wait. Returns true if they should now be sent in the background.
    pub fn log_call(&self, call: ApiCall) -> bool {
        let now = Instant::now();
        let mut waiting = self.0.api_log.waiting();
        if waiting.calls.is_empty() {
            waiting.since = now;
        }
        if waiting.calls.len() >= MAX_WAITING {
            waiting.calls.pop_front();
            waiting.displaced += 1;
        }
        waiting.calls.push_back(call);
        waiting.are_due(now)
    }

    /// Sends the calls that wait: in the background, or before the process ends. After a failure
    /// they wait again.
    pub async fn send_logged_calls(&self) {
        let mut requests = MAX_WAITING.div_ceil(MAX_SENT);
        while requests > 0 && !self.0.api_log.waiting().calls.is_empty() {
            let permit = self.permit().await;
            if self.send_batch(Batch::default(), permit).await.is_err() {
                return;
            }
            requests -= 1;
        }
    }

    /// Returns the oldest calls in Redis, as JSON.
    pub async fn logged_calls(&self, limit: usize) -> Result<Vec<String>, RedisError> {
        let last = limit.saturating_sub(1).to_string();
        self.run(&Command::new("ZRANGE").arg(keys::API_LOG).arg("0").arg(last)).await
    }

    /// Deletes calls that were stored in Postgres.
    pub async fn delete_logged_calls(&self, calls: Vec<String>) -> Result<u64, RedisError> {
        let delete = Command::new("ZREM").arg(keys::API_LOG);
        self.run(&calls.into_iter().fold(delete, Command::arg)).await
    }

    /// Removes a user's id from the calls that wait in this process and in Redis. Another process
    /// may still send calls about the user; store_api_log() removes the id from those.
    pub async fn forget_logged_user(&self, user: &UserId) -> Result<(), RedisError> {
        for call in &mut self.0.api_log.waiting().calls {
            call.user_id.take_if(|id| id == user);
        }
        let named = ApiCall::json_of_user(user).map_err(RedisError::not_sent)?;
        let _: u64 = self.eval(&FORGET_CALLS, &[keys::API_LOG], &[&named]).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{ApiLog, MAX_SENT, MAX_WAIT, MAX_WAITING, TRIM_AFTER};
    use crate::adapters::redis::RedisError;
    use crate::domain::{ApiCall, SampleRate};

    fn call(number: usize) -> ApiCall {
        let call = serde_json::json!({
            "id": number.to_string(), "called_at": "2026-06-10T10:20:30Z", "route": "mood",
            "method": "PATCH", "status": 200, "duration_us": 1, "caller": "user", "weight": 1,
        });
        serde_json::from_value(call).unwrap()
    }

    fn with_calls(calls: usize) -> ApiLog {
        let log = ApiLog::new(Some(SampleRate::FULL));
        log.waiting().calls.extend((0..calls).map(call));
        log
    }

    fn waiting(log: &ApiLog) -> Vec<usize> {
        log.waiting().calls.iter().map(|call| call.id.parse().unwrap()).collect()
    }

    #[test]
    fn calls_are_due_when_they_are_many_or_old() {
        let log = with_calls(MAX_SENT - 1);
        let now = log.waiting().since;
        assert!(!log.waiting().are_due(now));
        assert!(log.waiting().are_due(now + MAX_WAIT));
        log.waiting().calls.push_back(call(0));
        assert!(log.waiting().are_due(now));
        log.waiting().not_before = now + Duration::from_secs(1);
        assert!(!log.waiting().are_due(now), "after a failure");
    }

    /// A failed request does not change the order of the calls, and never more than the bound wait.
    #[test]
    fn calls_of_a_failed_request_wait_again_within_the_bound() {
        let fail = || Err(RedisError::not_sent("down"));
        let log = with_calls(MAX_SENT + 1);
        let shipment = log.take();
        assert_eq!((shipment.calls.len(), waiting(&log)), (MAX_SENT, vec![MAX_SENT]));
        assert!(log.finish(shipment, fail()).is_err());
        assert_eq!(waiting(&log), (0..=MAX_SENT).collect::<Vec<_>>());
        assert!(!log.waiting().are_due(Instant::now()));

        let log = with_calls(MAX_WAITING);
        let shipment = log.take();
        log.waiting().calls.extend((MAX_WAITING..MAX_WAITING + 50).map(call));
        assert!(log.finish(shipment, fail()).is_err());
        assert_eq!(waiting(&log), (50..MAX_WAITING + 50).collect::<Vec<_>>());
        assert_eq!(log.waiting().displaced, 50);
    }

    /// The set in Redis cannot grow without bound, and most requests carry one command more.
    #[test]
    fn the_first_request_and_every_hundredth_call_trim_the_set() {
        let log = with_calls(1);
        let mut trims = Vec::new();
        for number in 0..=2 * TRIM_AFTER {
            if log.take().commands.len() == 3 {
                trims.push(number);
            }
            log.waiting().calls.push_back(call(0));
        }
        assert_eq!(trims, [0, 101]);
        log.waiting().calls.clear();
        assert!(log.take().commands.is_empty());
    }
}
