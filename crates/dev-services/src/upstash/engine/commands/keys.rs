//! Commands on keys of any type, and on the database as a whole.

use super::Call;
use super::glob;
use crate::upstash::engine::failure::{Failure, Outcome};
use crate::upstash::engine::store::{Entry, Store, Value};
use crate::upstash::resp::Reply;

pub fn ping(_: &mut Store, call: &Call<'_>) -> Outcome {
    match call.arguments {
        [] => Ok(Reply::Status("PONG".to_owned())),
        [message] => Ok(Reply::string(message.clone())),
        _ => Err(Failure::arity(call.name)),
    }
}

pub fn echo(_: &mut Store, call: &Call<'_>) -> Outcome {
    Ok(Reply::string(call.arguments[0].clone()))
}

pub fn time(_: &mut Store, call: &Call<'_>) -> Outcome {
    let seconds = call.now_us / 1_000_000;
    let microseconds = call.now_us % 1_000_000;
    Ok(Reply::Array(vec![
        Reply::string(seconds.to_string()),
        Reply::string(microseconds.to_string()),
    ]))
}

pub fn dbsize(store: &mut Store, call: &Call<'_>) -> Outcome {
    store.drop_expired(call.now_ms());
    count(store.len())
}

pub fn keys(store: &mut Store, call: &Call<'_>) -> Outcome {
    store.drop_expired(call.now_ms());
    let names = store.iter().map(|(name, _)| name);
    let found = names.filter(|name| glob::matches(&call.arguments[0], name));
    Ok(Reply::Array(found.cloned().map(Reply::string).collect()))
}

pub fn flushdb(store: &mut Store, call: &Call<'_>) -> Outcome {
    let is_mode = |index| ["ASYNC", "SYNC"].contains(&call.upper(index).as_str());
    if call.arguments.len() > 1 || (call.arguments.len() == 1 && !is_mode(0)) {
        return Err(Failure::syntax());
    }
    store.clear();
    Ok(Reply::ok())
}

pub fn exists(store: &mut Store, call: &Call<'_>) -> Outcome {
    let now_ms = call.now_ms();
    count(call.arguments.iter().filter(|key| store.get(key, now_ms).is_some()).count())
}

pub fn del(store: &mut Store, call: &Call<'_>) -> Outcome {
    let now_ms = call.now_ms();
    count(call.arguments.iter().filter(|key| store.remove(key, now_ms)).count())
}

pub fn kind(store: &mut Store, call: &Call<'_>) -> Outcome {
    let kind = match store.get(&call.arguments[0], call.now_ms()).map(|entry| &entry.value) {
        None => "none",
        Some(Value::String(_)) => "string",
        Some(Value::Hash(_)) => "hash",
        Some(Value::SortedSet(_)) => "zset",
    };
    Ok(Reply::Status(kind.to_owned()))
}

pub fn expire(store: &mut Store, call: &Call<'_>) -> Outcome {
    expire_in(store, call, 1000)
}

pub fn pexpire(store: &mut Store, call: &Call<'_>) -> Outcome {
    expire_in(store, call, 1)
}

/// The optional conditions of EXPIRE.
#[derive(Default)]
struct Conditions {
    no_expiry: bool,
    has_expiry: bool,
    greater: bool,
    less: bool,
}

impl Conditions {
    fn parse(call: &Call<'_>) -> Result<Conditions, Failure> {
        let mut conditions = Conditions::default();
        for index in 2..call.arguments.len() {
            match call.upper(index).as_str() {
                "NX" => conditions.no_expiry = true,
                "XX" => conditions.has_expiry = true,
                "GT" => conditions.greater = true,
                "LT" => conditions.less = true,
                _ => {
                    let option = String::from_utf8_lossy(&call.arguments[index]);
                    return Err(Failure(format!("ERR Unsupported option {option}")));
                }
            }
        }
        let message = match conditions {
            Conditions { no_expiry: true, has_expiry, greater, less, .. }
                if has_expiry || greater || less =>
            {
                "ERR NX and XX, GT or LT options at the same time are not compatible"
            }
            Conditions { greater: true, less: true, .. } => {
                "ERR GT and LT options at the same time are not compatible"
            }
            _ => return Ok(conditions),
        };
        Err(Failure(message.to_owned()))
    }

    /// For GT and LT, a key without expiry counts as one that expires last.
    fn hold(&self, entry: &Entry, expires_at_ms: i64) -> bool {
        let current = entry.expires_at_ms;
        !(self.no_expiry && current.is_some()
            || self.has_expiry && current.is_none()
            || self.greater && current.is_none_or(|current| expires_at_ms <= current)
            || self.less && current.is_some_and(|current| expires_at_ms >= current))
    }
}

fn expire_in(store: &mut Store, call: &Call<'_>, unit_ms: i64) -> Outcome {
    let conditions = Conditions::parse(call)?;
    let (key, now_ms) = (&call.arguments[0], call.now_ms());
    let expires_at_ms = call
        .integer(1)?
        .checked_mul(unit_ms)
        .and_then(|duration_ms| duration_ms.checked_add(now_ms))
        .ok_or_else(|| invalid_expire_time(call))?;
    let Some(entry) = store.get(key, now_ms) else {
        return Ok(Reply::Integer(0));
    };
    if !conditions.hold(entry, expires_at_ms) {
        return Ok(Reply::Integer(0));
    }
    // A time in the past deletes the key at its next use, before a client can see it.
    entry.expires_at_ms = Some(expires_at_ms);
    Ok(Reply::Integer(1))
}

pub fn invalid_expire_time(call: &Call<'_>) -> Failure {
    let name = call.name.to_ascii_lowercase();
    Failure(format!("ERR invalid expire time in '{name}' command"))
}

pub fn ttl(store: &mut Store, call: &Call<'_>) -> Outcome {
    remaining(store, call, |remaining_ms| (remaining_ms + 500) / 1000)
}

pub fn pttl(store: &mut Store, call: &Call<'_>) -> Outcome {
    remaining(store, call, |remaining_ms| remaining_ms)
}

fn remaining(store: &mut Store, call: &Call<'_>, convert: fn(i64) -> i64) -> Outcome {
    let now_ms = call.now_ms();
    Ok(Reply::Integer(match store.get(&call.arguments[0], now_ms) {
        None => -2,
        Some(Entry { expires_at_ms: None, .. }) => -1,
        Some(Entry { expires_at_ms: Some(at_ms), .. }) => convert(*at_ms - now_ms),
    }))
}

pub fn persist(store: &mut Store, call: &Call<'_>) -> Outcome {
    let entry = store.get(&call.arguments[0], call.now_ms());
    let had_expiry = entry.is_some_and(|entry| entry.expires_at_ms.take().is_some());
    Ok(Reply::Integer(had_expiry.into()))
}

pub fn count(number: usize) -> Outcome {
    Ok(Reply::Integer(i64::try_from(number).unwrap_or(i64::MAX)))
}
