//! Commands on hashes. A hash without fields does not exist.

use super::Call;
use super::keys::count;
use crate::upstash::engine::failure::{Failure, Outcome};
use crate::upstash::engine::number;
use crate::upstash::engine::store::{Hash, Store};
use crate::upstash::resp::Reply;

fn field(hash: Option<&Hash>, name: &[u8]) -> Reply {
    let value = hash.and_then(|hash| hash.get(name));
    value.map_or(Reply::Nil, |value| Reply::string(value.clone()))
}

pub fn hget(store: &mut Store, call: &Call<'_>) -> Outcome {
    let hash = store.hash(&call.arguments[0], call.now_ms())?;
    Ok(field(hash.as_deref(), &call.arguments[1]))
}

pub fn hmget(store: &mut Store, call: &Call<'_>) -> Outcome {
    let hash = store.hash(&call.arguments[0], call.now_ms())?;
    let names = call.arguments[1..].iter();
    Ok(Reply::Array(names.map(|name| field(hash.as_deref(), name)).collect()))
}

pub fn hgetall(store: &mut Store, call: &Call<'_>) -> Outcome {
    let hash = store.hash(&call.arguments[0], call.now_ms())?;
    let pairs = hash.into_iter().flatten();
    let both = |(name, value): (&Vec<u8>, &mut Vec<u8>)| {
        [Reply::string(name.clone()), Reply::string(value.clone())]
    };
    Ok(Reply::Array(pairs.flat_map(both).collect()))
}

pub fn hexists(store: &mut Store, call: &Call<'_>) -> Outcome {
    let hash = store.hash(&call.arguments[0], call.now_ms())?;
    Ok(Reply::Integer(hash.is_some_and(|hash| hash.contains_key(&call.arguments[1])).into()))
}

pub fn hlen(store: &mut Store, call: &Call<'_>) -> Outcome {
    count(store.hash(&call.arguments[0], call.now_ms())?.map_or(0, |hash| hash.len()))
}

pub fn hset(store: &mut Store, call: &Call<'_>) -> Outcome {
    let (pairs, rest) = call.arguments[1..].as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Failure::arity(call.name));
    }
    let hash = store.hash_or_new(&call.arguments[0], call.now_ms())?;
    let before = hash.len();
    for [name, value] in pairs {
        hash.insert(name.clone(), value.clone());
    }
    count(hash.len() - before)
}

pub fn hsetnx(store: &mut Store, call: &Call<'_>) -> Outcome {
    let [key, name, value] = call.arguments else {
        return Err(Failure::arity(call.name));
    };
    let hash = store.hash_or_new(key, call.now_ms())?;
    if hash.contains_key(name) {
        return Ok(Reply::Integer(0));
    }
    hash.insert(name.clone(), value.clone());
    Ok(Reply::Integer(1))
}

pub fn hincrby(store: &mut Store, call: &Call<'_>) -> Outcome {
    let amount = call.integer(2)?;
    let hash = store.hash_or_new(&call.arguments[0], call.now_ms())?;
    let before = match hash.get(&call.arguments[1]) {
        Some(text) => number::parse_integer(text)
            .ok_or_else(|| Failure("ERR hash value is not an integer".to_owned()))?,
        None => 0,
    };
    let after = before.checked_add(amount).ok_or_else(Failure::overflow)?;
    hash.insert(call.arguments[1].clone(), after.to_string().into_bytes());
    Ok(Reply::Integer(after))
}

pub fn hdel(store: &mut Store, call: &Call<'_>) -> Outcome {
    let (key, now_ms) = (&call.arguments[0], call.now_ms());
    let Some(hash) = store.hash(key, now_ms)? else {
        return Ok(Reply::Integer(0));
    };
    let removed = call.arguments[1..].iter().filter(|name| hash.remove(*name).is_some()).count();
    if hash.is_empty() {
        store.remove(key, now_ms);
    }
    count(removed)
}
