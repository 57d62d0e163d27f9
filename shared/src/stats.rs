//! The live stats of the companion app: a hash and a string per user in Redis, and nowhere else.
//!
//! Every change is one script, so that racing calls cannot lose one another's work, and every read
//! one pipeline. All of them look at the mark that an erased user leaves behind: nothing brings a
//! deleted account back. The hash's field names are a contract with the apps that read it.

use jiff::Timestamp;
use jiff::ToSpan;
use jiff::tz::TimeZone;
use ring::digest::{SHA256, digest};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::domain::{MoodScore, UserId};
use crate::error::{ApiError, ApiResult};
use crate::hash::hex;
use crate::http::Once;
use crate::redis::{Command, Redis, RedisError, Script};

/// The scripts share a head: what to do once per idempotency key, and how the stats are kept.
macro_rules! stats_script {
    ($file:literal) => {
        Script::new(concat!(
            "#!lua flags=allow-key-locking\n",
            include_str!("scripts/once.lua"),
            include_str!("scripts/stats.lua"),
            include_str!($file)
        ))
    };
}

static SIGN_IN: Script = stats_script!("scripts/sign_in.lua");
static SAVE_CHAT: Script = stats_script!("scripts/save_chat.lua");
static SET_MOOD: Script = stats_script!("scripts/set_mood.lua");

/// A user's stats, in the hash's own field names.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Stats {
    /// Conversations saved so far.
    pub conversations: u64,
    /// From 0 to 10.
    pub mood_score: f64,
    /// Days on which the user signed in.
    pub days_active: u64,
    /// Days in a row, up to the last sign-in.
    pub login_streak: u64,
    /// Summaries of the last three conversations, newest first.
    pub recent_conversations: Vec<Value>,
    pub plan: String,
    /// The UTC date of the last sign-in; null before the first.
    pub last_login: Option<String>,
}

/// A user's keys. An id never contains what would make two users' keys meet: all around it is fixed.
struct Keys {
    stats: String,
    last_login: String,
    erased: String,
}

impl Keys {
    fn of(user: &UserId) -> Self {
        let hash = digest(&SHA256, user.as_str().as_bytes());
        Self {
            stats: format!("user:{user}:stats"),
            last_login: format!("user:{user}:last_login"),
            erased: format!("erased:{}", hex(hash.as_ref())),
        }
    }
}

/// The stats as they are. Someone who never signed in has none, which reads as zeros.
pub async fn read(redis: &Redis, user: &UserId) -> ApiResult<Stats> {
    let keys = Keys::of(user);
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
        return Err(ApiError::account_erased());
    }
    let fields: Option<Vec<&str>> = fields.iter().map(Value::as_str).collect();
    let fields = fields.ok_or_else(|| unexpected(&answers))?;
    Ok(parse(last_login.as_str().unwrap_or_default(), &fields)?)
}

/// Counts the day of `now`, once, and gives a new user their stats.
pub async fn sign_in(
    redis: &Redis,
    user: &UserId,
    now: Timestamp,
    once: Option<&Once>,
) -> ApiResult<Stats> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let yesterday = today.saturating_sub(1.day());
    update(redis, &SIGN_IN, user, once, &[&today.to_string(), &yesterday.to_string()]).await
}

pub async fn save_chat(
    redis: &Redis,
    user: &UserId,
    summary: &str,
    once: Option<&Once>,
) -> ApiResult<Stats> {
    update(redis, &SAVE_CHAT, user, once, &[summary]).await
}

pub async fn set_mood(redis: &Redis, user: &UserId, score: MoodScore) -> ApiResult<Stats> {
    update(redis, &SET_MOOD, user, None, &[&score.to_string()]).await
}

/// Removes everything, and remembers for a while that this user is gone.
pub async fn erase(redis: &Redis, user: &UserId, remember_seconds: u32) -> ApiResult<()> {
    let keys = Keys::of(user);
    let commands = [
        Command::set(&keys.erased, "1", remember_seconds),
        Command::del(&keys.stats),
        Command::del(&keys.last_login),
    ];
    redis.transaction(&commands).await?;
    Ok(())
}

async fn update(
    redis: &Redis,
    script: &Script,
    user: &UserId,
    once: Option<&Once>,
    args: &[&str],
) -> ApiResult<Stats> {
    let own = Keys::of(user);
    let own = [own.stats.as_str(), &own.last_login, &own.erased].map(Some);
    let keys: Vec<&str> = own.into_iter().chain([once.map(Once::key)]).flatten().collect();
    let fingerprint = once.map_or("", Once::fingerprint);
    let args: Vec<&str> = [fingerprint].into_iter().chain(args.iter().copied()).collect();
    let answer: Vec<String> = redis.eval(script, &keys, &args).await?;
    match answer.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["ok", last_login, ref fields @ ..] => Ok(parse(last_login, fields)?),
        ["erased"] => Err(ApiError::account_erased()),
        ["key_reused"] => Err(ApiError::idempotency_key_reused()),
        _ => Err(unexpected(&answer).into()),
    }
}

/// Reads `field, value, field, value ...`. Whoever else writes to the hash may have left something
/// odd; that is an error to see, not a zero to show.
fn parse(last_login: &str, fields: &[&str]) -> Result<Stats, RedisError> {
    let value =
        |name: &str| fields.chunks_exact(2).find(|pair| pair[0] == name).map(|pair| pair[1]);
    let odd =
        |name: &str| RedisError::Unexpected(format!("the stats field {name} is not readable"));
    let count = |name: &str| value(name).unwrap_or("0").parse::<u64>().map_err(|_| odd(name));
    let mood = value("mood_score").unwrap_or("0").parse::<f64>();
    let recent = serde_json::from_str(value("recent_conversations").unwrap_or("[]"));
    Ok(Stats {
        conversations: count("conversations")?,
        mood_score: mood.map_err(|_| odd("mood_score"))?,
        days_active: count("days_active")?,
        login_streak: count("login_streak")?,
        recent_conversations: recent.map_err(|_| odd("recent_conversations"))?,
        plan: value("plan").unwrap_or("Free").to_owned(),
        last_login: (!last_login.is_empty()).then(|| last_login.to_owned()),
    })
}

fn unexpected<T: std::fmt::Debug>(answer: &[T]) -> RedisError {
    RedisError::Unexpected(format!("{answer:?} from the stats"))
}
