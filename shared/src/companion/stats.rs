//! The live stats of the companion app: a hash and a string per user, stored only in Redis.
//!
//! Every change is one script, so that concurrent calls do not lose each other's changes, and every
//! read is one pipeline. All of them check the marker of an erased user, so that no call recreates
//! a deleted account. Apps read the hash, so its field names are a contract.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::adapters::redis::keys::{UserKeys, today_and_yesterday};
use crate::adapters::redis::scripts::{SAVE_CHAT, SET_MOOD, SIGN_IN};
use crate::adapters::redis::{Command, Redis, RedisError, Script};
use crate::domain::error::{Error, Result};
use crate::domain::{IdempotencyKey, MoodScore, UserId};

/// A user's live stats in the companion app, under the field names of the Redis hash.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct UserStats {
    /// The number of conversations saved.
    pub conversations: u64,
    /// The mood that was last set, from 0 to 10.
    pub mood_score: f64,
    /// The number of days on which the user signed in.
    pub days_active: u64,
    /// The number of consecutive days up to the last sign-in.
    pub login_streak: u64,
    /// The summaries of the last three conversations, newest first. Farebox writes strings; another
    /// program that shares the hash may write other values.
    pub recent_conversations: Vec<Value>,
    /// The name of the user's plan.
    pub plan: String,
    /// The UTC date of the last sign-in; null before the first.
    #[schemars(extend("format" = "date"))]
    pub last_login: Option<String>,
}

/// The maximum size of a stored answer: three summaries of the maximum length, escaped twice, and
/// the numbers.
pub const REMEMBERED_BYTES: usize = 3 * 4_000 + 1_000;

/// The lifetime of an index. A stored answer lives a day, so the indexes of today and yesterday
/// list every stored answer.
const INDEX_SECONDS: u32 = 2 * 86_400;

/// Returns a user's stats. A user who never signed in has zeros.
pub async fn read(redis: &Redis, user: &UserId, now: Timestamp) -> Result<UserStats> {
    Ok(read_stored(redis, user, now).await?.unwrap_or_default())
}

/// Returns a user's stats; none if Redis has none.
pub async fn read_stored(
    redis: &Redis,
    user: &UserId,
    now: Timestamp,
) -> Result<Option<UserStats>> {
    let keys = UserKeys::of(user, now);
    let commands = [
        Command::exists(&keys.erased),
        Command::get(&keys.last_login),
        Command::hgetall(&keys.stats),
    ];
    let answers = redis.pipeline(&commands).await?;
    let [erased, last_login, Value::Array(fields)] = &answers[..] else {
        return Err(unexpected(&answers).into());
    };
    if erased.as_i64() != Some(0) {
        return Err(Error::account_erased());
    }
    let fields: Option<Vec<&str>> = fields.iter().map(Value::as_str).collect();
    let fields = fields.ok_or_else(|| unexpected(&answers))?;
    if fields.is_empty() && last_login.is_null() {
        return Ok(None);
    }
    Ok(Some(parse(last_login.as_str().unwrap_or_default(), &fields)?))
}

/// Counts the day of `now` once, and creates the stats of a new user.
pub async fn sign_in(
    redis: &Redis,
    user: &UserId,
    now: Timestamp,
    idempotency_key: Option<&IdempotencyKey>,
) -> Result<UserStats> {
    let (today, yesterday) = today_and_yesterday(now);
    let args = [today.to_string(), yesterday.to_string()];
    update(redis, &SIGN_IN, user, now, idempotency_key, &args).await
}

pub async fn save_chat(
    redis: &Redis,
    user: &UserId,
    now: Timestamp,
    idempotency_key: Option<&IdempotencyKey>,
    summary: &str,
) -> Result<UserStats> {
    update(redis, &SAVE_CHAT, user, now, idempotency_key, &[summary.to_owned()]).await
}

pub async fn set_mood(
    redis: &Redis,
    user: &UserId,
    now: Timestamp,
    score: MoodScore,
) -> Result<UserStats> {
    update(redis, &SET_MOOD, user, now, None, &[score.to_string()]).await
}

/// Refuses an idempotency key that was used with another request. For callers that first write to
/// another store.
pub async fn check_key_not_reused(redis: &Redis, idempotency_key: &IdempotencyKey) -> Result<()> {
    let first = Command::new("HGET").arg(idempotency_key.key()).arg("fingerprint");
    match redis.run::<Option<String>>(&first).await? {
        Some(fingerprint) if fingerprint != idempotency_key.fingerprint() => {
            Err(Error::idempotency_key_reused())
        }
        _ => Ok(()),
    }
}

impl Default for UserStats {
    fn default() -> Self {
        Self {
            conversations: 0,
            mood_score: 0.0,
            days_active: 0,
            login_streak: 0,
            recent_conversations: Vec::new(),
            plan: "Free".to_owned(),
            last_login: None,
        }
    }
}

async fn update(
    redis: &Redis,
    script: &Script,
    user: &UserId,
    now: Timestamp,
    idempotency_key: Option<&IdempotencyKey>,
    args: &[String],
) -> Result<UserStats> {
    let own = UserKeys::of(user, now);
    let mut keys = vec![own.stats.as_str(), &own.last_login, &own.erased];
    keys.extend(
        idempotency_key
            .map(|idempotency_key| [idempotency_key.key(), &own.index])
            .into_iter()
            .flatten(),
    );
    let index_seconds = INDEX_SECONDS.to_string();
    let shared = [idempotency_key.map_or("", IdempotencyKey::fingerprint), &index_seconds];
    let args: Vec<&str> = shared.into_iter().chain(args.iter().map(String::as_str)).collect();
    let answer: Vec<String> = redis.eval(script, &keys, &args).await?;
    match answer.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["ok", last_login, ref fields @ ..] => Ok(parse(last_login, fields)?),
        ["erased"] => Err(Error::account_erased()),
        ["key_reused"] => Err(Error::idempotency_key_reused()),
        _ => Err(unexpected(&answer).into()),
    }
}

/// Reads `field, value, field, value ...`. A value that another program corrupted is an error, not
/// a zero.
fn parse(last_login: &str, fields: &[&str]) -> Result<UserStats, RedisError> {
    let value =
        |name: &str| fields.chunks_exact(2).find(|pair| pair[0] == name).map(|pair| pair[1]);
    let corrupt =
        |name: &str| RedisError::Unexpected(format!("the stats field {name} is not readable"));
    let count = |name: &str| value(name).unwrap_or("0").parse::<u64>().map_err(|_| corrupt(name));
    let mood = value("mood_score").unwrap_or("0").parse::<f64>();
    let recent = serde_json::from_str(value("recent_conversations").unwrap_or("[]"));
    Ok(UserStats {
        conversations: count("conversations")?,
        mood_score: mood
            .ok()
            .filter(|mood| mood.is_finite())
            .ok_or_else(|| corrupt("mood_score"))?,
        days_active: count("days_active")?,
        login_streak: count("login_streak")?,
        recent_conversations: recent.map_err(|_| corrupt("recent_conversations"))?,
        plan: value("plan").unwrap_or("Free").to_owned(),
        last_login: (!last_login.is_empty()).then(|| last_login.to_owned()),
    })
}

/// Describes an answer by its length only, since its values are personal data.
fn unexpected<T>(answer: &[T]) -> RedisError {
    RedisError::Unexpected(format!("the stats answer has {} values", answer.len()))
}
