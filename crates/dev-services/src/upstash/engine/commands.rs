//! The table of commands: the number of arguments of each, and the positions of its keys.
//!
//! Deliberately absent: EVAL, EVALSHA and SCRIPT, which need the interpreter (`scripting.rs`), and
//! the commands that Farebox does not use.

mod glob;
mod hashes;
mod keys;
mod sorted_sets;
mod strings;

use super::failure::{Failure, Outcome};
use super::number;
use super::store::Store;
use crate::upstash::Command;

/// One command to run. Its arguments do not include its name.
#[derive(Debug)]
pub struct Call<'a> {
    pub name: &'static str,
    pub arguments: &'a [Vec<u8>],
    pub now_us: i64,
}

impl Call<'_> {
    pub fn now_ms(&self) -> i64 {
        self.now_us / 1000
    }

    pub fn integer(&self, index: usize) -> Result<i64, Failure> {
        number::parse_integer(&self.arguments[index]).ok_or_else(Failure::not_an_integer)
    }

    pub fn upper(&self, index: usize) -> String {
        String::from_utf8_lossy(&self.arguments[index]).to_ascii_uppercase()
    }
}

/// The arguments of a command that are keys.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Keys {
    None,
    First,
    All,
}

pub struct Spec {
    pub name: &'static str,
    /// The fewest and the most arguments, without the command's name.
    arguments: (usize, usize),
    pub keys: Keys,
    writes: bool,
    run: fn(&mut Store, &Call<'_>) -> Outcome,
}

const MANY: usize = usize::MAX;

const fn reads(
    name: &'static str,
    arguments: (usize, usize),
    keys: Keys,
    run: fn(&mut Store, &Call<'_>) -> Outcome,
) -> Spec {
    Spec { name, arguments, keys, writes: false, run }
}

const fn writes(
    name: &'static str,
    arguments: (usize, usize),
    keys: Keys,
    run: fn(&mut Store, &Call<'_>) -> Outcome,
) -> Spec {
    Spec { name, arguments, keys, writes: true, run }
}

static COMMANDS: &[Spec] = &[
    reads("PING", (0, MANY), Keys::None, keys::ping),
    reads("ECHO", (1, 1), Keys::None, keys::echo),
    reads("TIME", (0, 0), Keys::None, keys::time),
    reads("DBSIZE", (0, 0), Keys::None, keys::dbsize),
    reads("KEYS", (1, 1), Keys::None, keys::keys),
    writes("FLUSHDB", (0, MANY), Keys::None, keys::flushdb),
    reads("EXISTS", (1, MANY), Keys::All, keys::exists),
    writes("DEL", (1, MANY), Keys::All, keys::del),
    reads("TYPE", (1, 1), Keys::First, keys::kind),
    writes("EXPIRE", (2, MANY), Keys::First, keys::expire),
    writes("PEXPIRE", (2, MANY), Keys::First, keys::pexpire),
    reads("TTL", (1, 1), Keys::First, keys::ttl),
    reads("PTTL", (1, 1), Keys::First, keys::pttl),
    writes("PERSIST", (1, 1), Keys::First, keys::persist),
    reads("GET", (1, 1), Keys::First, strings::get),
    writes("SET", (2, MANY), Keys::First, strings::set),
    writes("SETEX", (3, 3), Keys::First, strings::setex),
    writes("INCR", (1, 1), Keys::First, strings::incr),
    writes("INCRBY", (2, 2), Keys::First, strings::incrby),
    writes("DECR", (1, 1), Keys::First, strings::decr),
    reads("HGET", (2, 2), Keys::First, hashes::hget),
    reads("HMGET", (2, MANY), Keys::First, hashes::hmget),
    reads("HGETALL", (1, 1), Keys::First, hashes::hgetall),
    reads("HEXISTS", (2, 2), Keys::First, hashes::hexists),
    reads("HLEN", (1, 1), Keys::First, hashes::hlen),
    writes("HSET", (3, MANY), Keys::First, hashes::hset),
    writes("HSETNX", (3, 3), Keys::First, hashes::hsetnx),
    writes("HINCRBY", (3, 3), Keys::First, hashes::hincrby),
    writes("HDEL", (2, MANY), Keys::First, hashes::hdel),
    reads("ZCARD", (1, 1), Keys::First, sorted_sets::zcard),
    reads("ZRANGE", (3, MANY), Keys::First, sorted_sets::zrange),
    writes("ZADD", (3, MANY), Keys::First, sorted_sets::zadd),
    writes("ZREM", (2, MANY), Keys::First, sorted_sets::zrem),
    writes("ZREMRANGEBYRANK", (3, 3), Keys::First, sorted_sets::zremrangebyrank),
];

impl Spec {
    pub fn find(name: &[u8]) -> Option<&'static Spec> {
        COMMANDS.iter().find(|spec| spec.name.as_bytes().eq_ignore_ascii_case(name))
    }

    pub fn accepts(&self, arguments: usize) -> bool {
        self.arguments.0 <= arguments && arguments <= self.arguments.1
    }

    /// Runs a command. The caller has checked its name and the number of its arguments.
    pub fn run(&'static self, store: &mut Store, command: &Command, now_us: i64) -> Outcome {
        let call = Call { name: self.name, arguments: &command[1..], now_us };
        let outcome = (self.run)(store, &call);
        store.changed |= self.writes && outcome.is_ok();
        outcome
    }
}
