//! Rate limits shared by all instances, in Redis.
//!
//! Each process remembers recent refusals, so that a blocked caller costs no Redis call. While
//! Redis is unavailable, a bucket in the process allows a tenth of the rate: requests still
//! succeed, and the limit still holds.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::scripts::TAKE;
use super::{Redis, RedisError};
use crate::clock::Clock;
use crate::domain::IdempotencyKey;
use crate::domain::Rate;
use crate::domain::error::{Error, Result, error_chain};
use crate::domain::hash::sha256_hex;
use crate::domain::rate_bucket::{self, Taken};

/// The longest time that a refusal is reused without another call of Redis.
const BLOCK_US: i64 = 10_000_000;

/// How long after the end of a block [`Limiter::was_refused_recently`] still returns true.
const LATELY_US: i64 = 10_000_000;

/// The maximum number of buckets, and of refusals, in this process's memory.
const MAX_REMEMBERED: usize = 10_000;

#[derive(Debug)]
pub struct Limiter {
    redis: Redis,
    clock: Clock,
    /// Refusals, each with the instant until which it is reused. They are stored for [`LATELY_US`]
    /// longer.
    blocked: Mutex<HashMap<String, (i64, Taken)>>,
    /// When each bucket is full again, while Redis is unavailable.
    local: Mutex<HashMap<String, i64>>,
}

/// The source of a verdict.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DecidedBy {
    Redis,
    /// A refusal in this process's memory.
    Blocked,
    /// A bucket in this process, because Redis is unavailable.
    Local,
}

/// The limiter's decision on one call.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    pub allowed: bool,
    pub remaining: u32,
    pub source: DecidedBy,
    rate: Rate,
    taken: Taken,
    now_us: i64,
}

impl Limiter {
    pub fn new(redis: Redis, clock: Clock) -> Self {
        Self { redis, clock, blocked: Mutex::default(), local: Mutex::default() }
    }

    /// Takes `cost` units from the bucket that `policy` keeps for `identifier`.
    pub async fn take(
        &self,
        policy: &str,
        identifier: &str,
        rate: Rate,
        cost: u32,
        idempotency_key: Option<&IdempotencyKey>,
    ) -> Result<Verdict> {
        let key = key(policy, identifier);
        let now_us = self.clock.now().as_microsecond();
        if idempotency_key.is_none()
            && let Some(refused) = self.blocked(&key, now_us)
        {
            return Ok(Verdict::new(rate, refused, DecidedBy::Blocked, now_us));
        }
        let (taken, source) =
            match self.take_in_redis(&key, rate, cost, now_us, idempotency_key).await {
                Ok(Some(taken)) => (taken, DecidedBy::Redis),
                Ok(None) => return Err(Error::idempotency_key_reused()),
                Err(error) => {
                    tracing::warn!(
                        cause = error_chain(&error),
                        "Redis is unavailable: limiting in this process"
                    );
                    (self.take_locally(&key, rate.tenth(), cost, now_us), DecidedBy::Local)
                }
            };
        if !taken.allowed && taken.remaining == 0 {
            self.block(key, rate, taken, source, now_us);
        }
        Ok(Verdict::new(rate, taken, source, now_us))
    }

    /// Returns none if the idempotency key was used with another request.
    async fn take_in_redis(
        &self,
        key: &str,
        rate: Rate,
        cost: u32,
        now_us: i64,
        idempotency_key: Option<&IdempotencyKey>,
    ) -> Result<Option<Taken>, RedisError> {
        let keys: Vec<&str> =
            [Some(key), idempotency_key.map(IdempotencyKey::key)].into_iter().flatten().collect();
        let limit = rate.limit.to_string();
        let window_us = (i64::from(rate.window_seconds) * 1_000_000).to_string();
        let (cost_text, now) = (cost.to_string(), now_us.to_string());
        let fingerprint = idempotency_key.map_or("", IdempotencyKey::fingerprint);
        let args = [fingerprint, &limit, &window_us, &cost_text, &now];
        let answer: Vec<String> = self.redis.eval(&TAKE, &keys, &args).await?;
        match answer.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["key_reused"] => Ok(None),
            [verdict @ ("ok" | "refused"), remaining, full_at] => {
                let number = |text: &str| text.parse::<i64>().map_err(|_| unexpected(&answer));
                let full_at_us = number(full_at)?;
                Ok(Some(Taken {
                    allowed: verdict == "ok",
                    remaining: u32::try_from(number(remaining)?)
                        .map_err(|_| unexpected(&answer))?,
                    full_at_us,
                    retry_at_us: rate_bucket::retry_at_us(rate, cost, full_at_us),
                }))
            }
            _ => Err(unexpected(&answer)),
        }
    }

    fn take_locally(&self, key: &str, rate: Rate, cost: u32, now_us: i64) -> Taken {
        let mut local = lock(&self.local);
        make_room(&mut local, |full_at_us| *full_at_us > now_us);
        let full_at_us = local.get(key).copied().unwrap_or(0);
        let taken = rate_bucket::take(rate, cost, full_at_us, now_us);
        if taken.allowed {
            local.insert(key.to_owned(), taken.full_at_us);
        }
        taken
    }

    fn blocked(&self, key: &str, now_us: i64) -> Option<Taken> {
        let blocked = lock(&self.blocked);
        blocked.get(key).filter(|(until_us, _)| *until_us > now_us).map(|(_, refused)| *refused)
    }

    /// Returns whether this caller is blocked, or was within the last ten seconds.
    pub fn was_refused_recently(&self, policy: &str, identifier: &str) -> bool {
        let now_us = self.clock.now().as_microsecond();
        let blocked = lock(&self.blocked);
        let last = blocked.get(&key(policy, identifier));
        last.is_some_and(|(until_us, _)| until_us + LATELY_US > now_us)
    }

    /// Stores a refusal until one unit is available again. A refusal by this process's own bucket
    /// is not reused, so that the next call asks Redis again.
    fn block(&self, key: String, rate: Rate, refused: Taken, source: DecidedBy, now_us: i64) {
        let retry_at_us = rate_bucket::retry_at_us(rate, 1, refused.full_at_us);
        let until_us = match source {
            DecidedBy::Redis => retry_at_us.min(now_us + BLOCK_US),
            DecidedBy::Blocked | DecidedBy::Local => now_us,
        };
        let mut blocked = lock(&self.blocked);
        make_room(&mut blocked, |(until_us, _)| until_us + LATELY_US > now_us);
        blocked.insert(key, (until_us, refused));
    }
}

impl Verdict {
    fn new(rate: Rate, taken: Taken, source: DecidedBy, now_us: i64) -> Self {
        let Taken { allowed, remaining, .. } = taken;
        Self { allowed, remaining, source, rate, taken, now_us }
    }

    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// The time at which the full limit is available again.
    pub fn resets_at(&self) -> Timestamp {
        let at_us = self.taken.full_at_us.max(self.now_us);
        Timestamp::from_microsecond(at_us).unwrap_or(Timestamp::MAX)
    }

    /// The seconds until the full limit is available again.
    pub fn reset_seconds(&self) -> u64 {
        seconds_up(self.taken.full_at_us - self.now_us)
    }

    pub fn retry_after_seconds(&self) -> u64 {
        seconds_up(self.taken.retry_at_us - self.now_us).max(1)
    }
}

/// The name of a bucket. The identifier is hashed, because it can be a user's id or address, and an
/// erased user's buckets stay until they are full.
pub fn key(policy: &str, identifier: &str) -> String {
    format!("limit:{policy}:{}", sha256_hex([identifier]))
}

fn seconds_up(us: i64) -> u64 {
    u64::try_from(us).unwrap_or(0).div_ceil(1_000_000)
}

fn unexpected(answer: &[String]) -> RedisError {
    RedisError::Unexpected(format!("the rate limit script returned {} strings", answer.len()))
}

/// Makes room in a full map: removes outdated entries, then all entries if it is still full.
fn make_room<V>(map: &mut HashMap<String, V>, is_current: impl Fn(&V) -> bool) {
    if map.len() >= MAX_REMEMBERED {
        map.retain(|_, value| is_current(value));
    }
    if map.len() >= MAX_REMEMBERED {
        map.clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds the lock, so a poisoned map is still valid.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
