//! Commands on sorted sets. A sorted set without members does not exist.
//!
//! Deliberately absent: the options of ZADD, and ranges by score.

use std::ops::Range;

use super::Call;
use super::keys::count;
use crate::upstash::engine::failure::{Failure, Outcome};
use crate::upstash::engine::number;
use crate::upstash::engine::sorted_set::SortedSet;
use crate::upstash::engine::store::Store;
use crate::upstash::resp::Reply;

pub fn zadd(store: &mut Store, call: &Call<'_>) -> Outcome {
    let (pairs, rest) = call.arguments[1..].as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Failure::syntax());
    }
    let score = |text: &[u8]| number::parse_integer(text).ok_or_else(Failure::not_an_integer);
    let scores = pairs.iter().map(|[text, _]| score(text)).collect::<Result<Vec<_>, _>>()?;
    let set = store.sorted_set_or_new(&call.arguments[0], call.now_ms())?;
    let new = scores
        .into_iter()
        .zip(pairs)
        .filter(|(score, [_, member])| set.insert(member.clone(), *score));
    count(new.count())
}

pub fn zcard(store: &mut Store, call: &Call<'_>) -> Outcome {
    count(store.sorted_set(&call.arguments[0], call.now_ms())?.map_or(0, |set| set.len()))
}

/// A range by rank.
pub fn zrange(store: &mut Store, call: &Call<'_>) -> Outcome {
    let has_scores = match call.arguments.len() {
        3 => false,
        4 if call.upper(3) == "WITHSCORES" => true,
        _ => return Err(Failure::syntax()),
    };
    let Some((set, ranks)) = ranks(store, call)? else { return Ok(Reply::Array(Vec::new())) };
    let mut replies = Vec::new();
    for (score, member) in set.iter().skip(ranks.start).take(ranks.len()) {
        replies.push(Reply::string(member.clone()));
        if has_scores {
            replies.push(Reply::string(score.to_string()));
        }
    }
    Ok(Reply::Array(replies))
}

pub fn zrem(store: &mut Store, call: &Call<'_>) -> Outcome {
    remove(store, call, call.arguments[1..].to_vec())
}

pub fn zremrangebyrank(store: &mut Store, call: &Call<'_>) -> Outcome {
    let Some((set, ranks)) = ranks(store, call)? else { return count(0) };
    let members = set.iter().skip(ranks.start).take(ranks.len());
    let members = members.map(|(_, member)| member.clone()).collect();
    remove(store, call, members)
}

/// Returns the set and the ranks that the second and third arguments name; none without a set.
fn ranks<'a>(
    store: &'a mut Store,
    call: &Call<'_>,
) -> Result<Option<(&'a SortedSet, Range<usize>)>, Failure> {
    let (first, last) = (call.integer(1)?, call.integer(2)?);
    let set = store.sorted_set(&call.arguments[0], call.now_ms())?;
    Ok(set.map(|set| (&*set, set.ranks(first, last))))
}

fn remove(store: &mut Store, call: &Call<'_>, members: Vec<Vec<u8>>) -> Outcome {
    let (key, now_ms) = (&call.arguments[0], call.now_ms());
    let Some(set) = store.sorted_set(key, now_ms)? else { return count(0) };
    let removed = members.iter().filter(|member| set.remove(member)).count();
    if set.is_empty() {
        store.remove(key, now_ms);
    }
    count(removed)
}
