//! Commands on strings, which are also Redis's counters.

use super::Call;
use super::keys::invalid_expire_time;
use crate::upstash::engine::failure::{Failure, Outcome};
use crate::upstash::engine::number;
use crate::upstash::engine::store::{Store, Value};
use crate::upstash::resp::Reply;

pub fn get(store: &mut Store, call: &Call<'_>) -> Outcome {
    Ok(shown(store.string(&call.arguments[0], call.now_ms())?))
}

fn shown(value: Option<&mut Vec<u8>>) -> Reply {
    value.map_or(Reply::Nil, |bytes| Reply::string(bytes.clone()))
}

/// The options of SET.
#[derive(Default)]
struct SetOptions {
    if_absent: bool,
    if_present: bool,
    get: bool,
    keep_ttl: bool,
    expires_at_ms: Option<i64>,
}

impl SetOptions {
    fn parse(call: &Call<'_>) -> Result<SetOptions, Failure> {
        let mut options = SetOptions::default();
        let mut expiry = None;
        let mut index = 2;
        while index < call.arguments.len() {
            let name = call.upper(index);
            let has_next = index + 1 < call.arguments.len();
            match name.as_str() {
                "NX" if !options.if_present => options.if_absent = true,
                "XX" if !options.if_absent => options.if_present = true,
                "GET" => options.get = true,
                "KEEPTTL" if expiry.is_none() => options.keep_ttl = true,
                "EX" | "PX" | "EXAT" | "PXAT"
                    if has_next && expiry.is_none() && !options.keep_ttl =>
                {
                    index += 1;
                    expiry = Some((name, index));
                }
                _ => return Err(Failure::syntax()),
            }
            index += 1;
        }
        if let Some((unit, index)) = expiry {
            options.expires_at_ms = Some(expires_at_ms(call, &unit, index)?);
        }
        Ok(options)
    }
}

/// Computes the time when a key expires, from an argument in the unit of EX, PX, EXAT or PXAT.
fn expires_at_ms(call: &Call<'_>, unit: &str, index: usize) -> Result<i64, Failure> {
    let invalid = || invalid_expire_time(call);
    let amount = call.integer(index)?;
    if amount <= 0 {
        return Err(invalid());
    }
    let amount_ms = if unit.starts_with("EX") { amount.checked_mul(1000) } else { Some(amount) };
    let amount_ms = amount_ms.ok_or_else(invalid)?;
    if unit.ends_with("AT") {
        return Ok(amount_ms);
    }
    amount_ms.checked_add(call.now_ms()).ok_or_else(invalid)
}

pub fn set(store: &mut Store, call: &Call<'_>) -> Outcome {
    let options = SetOptions::parse(call)?;
    let (key, now_ms) = (&call.arguments[0], call.now_ms());
    let before = if options.get { shown(store.string(key, now_ms)?) } else { Reply::Nil };
    let entry = store.get(key, now_ms);
    if options.if_absent && entry.is_some() || options.if_present && entry.is_none() {
        return Ok(before);
    }
    let kept = entry.filter(|_| options.keep_ttl).and_then(|entry| entry.expires_at_ms);
    let value = Value::String(call.arguments[1].clone());
    store.put(key, value, options.expires_at_ms.or(kept));
    Ok(if options.get { before } else { Reply::ok() })
}

pub fn setex(store: &mut Store, call: &Call<'_>) -> Outcome {
    let expires_at_ms = expires_at_ms(call, "EX", 1)?;
    let value = Value::String(call.arguments[2].clone());
    store.put(&call.arguments[0], value, Some(expires_at_ms));
    Ok(Reply::ok())
}

pub fn incr(store: &mut Store, call: &Call<'_>) -> Outcome {
    add(store, call, 1)
}

pub fn decr(store: &mut Store, call: &Call<'_>) -> Outcome {
    add(store, call, -1)
}

pub fn incrby(store: &mut Store, call: &Call<'_>) -> Outcome {
    let amount = call.integer(1)?;
    add(store, call, amount)
}

/// Adds to a counter, which keeps its expiry.
fn add(store: &mut Store, call: &Call<'_>, amount: i64) -> Outcome {
    let key = &call.arguments[0];
    let Some(text) = store.string(key, call.now_ms())? else {
        store.put(key, Value::String(amount.to_string().into_bytes()), None);
        return Ok(Reply::Integer(amount));
    };
    let before = number::parse_integer(text).ok_or_else(Failure::not_an_integer)?;
    let after = before.checked_add(amount).ok_or_else(Failure::overflow)?;
    *text = after.to_string().into_bytes();
    Ok(Reply::Integer(after))
}
