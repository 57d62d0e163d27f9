//! What users may do, have used and hold, as Redis shows it: asked before Postgres is, and told anew
//! after every change.
//!
//! Each part carries the version it is of, so that of two pushes the newer stays, whichever arrives last,
//! and a reader who was slow shows nothing old. Each part is fresh for five minutes, or until time alone
//! changes it, and a whole is as fresh as the least of its parts; versions are kept for a day. Many who miss
//! the same value at once ask Postgres once or twice, and never take an answer that was asked for before
//! they came.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::adapters::postgres::Used;
use crate::adapters::redis::{Command, Redis, RedisError, Script};
use crate::app::App;
use crate::companion::stats::Keys;
use crate::domain::entitlement::{Grant, Holding};
use crate::domain::error::{ApiResult, chain};
use crate::domain::{Entitlement, UserId};

static SHOW_ENTITLEMENT: Script = Script::new(concat!(
    "#!lua flags=allow-key-locking\n",
    include_str!("../adapters/redis/scripts/newest.lua"),
    include_str!("../adapters/redis/scripts/show_entitlement.lua")
));

static SHOW: Script = Script::new(concat!(
    "#!lua flags=allow-key-locking\n",
    include_str!("../adapters/redis/scripts/newest.lua"),
    include_str!("../adapters/redis/scripts/stats.lua"),
    include_str!("../adapters/redis/scripts/show.lua")
));

/// For how long anything is fresh that time alone does not change.
const FRESH: Duration = Duration::from_mins(5);

/// For how long it is known that a session was processed.
const PROCESSED_SECONDS: u32 = 86_400;

/// The fields of the hash: the terms; what was used, as `used:{feature}`; what is held, as `credits:{unit}`.
const TERMS: &str = "terms";
const CREDITS: &str = "credits:";

/// Whoever waits longer than this for somebody else's question to Postgres asks too.
const TURN: Duration = Duration::from_secs(1);

/// Where an entitlement was read, for the log line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    Cache,
    /// The cache did not have it, or not fresh.
    Database,
    /// The cache did not answer.
    DatabaseAlone,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Database => "database",
            Self::DatabaseAlone => "database-alone",
        }
    }
}

/// What became of showing what a user has.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    Shown,
    /// The same, and the session it was shown for had been processed before.
    ProcessedBefore,
    /// Somebody who was erased meanwhile is shown nothing.
    Erased,
}

/// What a user may do now; none while nothing is sold.
pub async fn read(app: &App, user: &UserId) -> ApiResult<(Option<Entitlement>, Source)> {
    let arrived = app.loads.tick();
    let cached = cached(app, user).await;
    match cached {
        Ok(Some(entitlement)) => Ok((Some(entitlement), Source::Cache)),
        Ok(None) => Ok((load(app, user, arrived, true).await?, Source::Database)),
        Err(error) => {
            tracing::warn!(problem = chain(&error), "entitlements come from Postgres");
            Ok((load(app, user, arrived, false).await?, Source::DatabaseAlone))
        }
    }
}

/// Shows all that a user has, and marks the session that brought it as processed (CP-7).
pub async fn show(
    redis: &Redis,
    user: &UserId,
    now: Timestamp,
    entitlement: &Entitlement,
    session: Option<&str>,
) -> Result<Shown, RedisError> {
    let own = Keys::of(user, now);
    let processed = session.map(|session| format!("processed:{session}"));
    let mut keys =
        vec![own.stats.as_str(), &own.last_login, &own.erased, &own.credits, &own.entitlement];
    keys.extend(processed.as_deref());
    let extra = [entitlement.terms.plan_name.clone(), PROCESSED_SECONDS.to_string()];
    let args = arguments(entitlement, now, &extra)?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    redis.eval(&SHOW, &keys, &args).await
}

/// Shows how much of some features has been used, as of a version.
pub async fn show_used(
    redis: &Redis,
    user: &UserId,
    now: Timestamp,
    version: i64,
    results: &[Used],
) -> Result<Shown, RedisError> {
    let mut args = vec![version.to_string(), "0".to_owned(), latest(now)];
    for used in results.iter().filter(|used| used.allowed) {
        let fresh_until = fresh_until(now, used.resets_at);
        args.extend([used_field(&used.feature), fresh_until, used.used.to_string()]);
    }
    show_part(redis, user, now, &args).await
}

/// Shows what is held of one unit, as of a version.
pub async fn show_holding(
    redis: &Redis,
    user: &UserId,
    now: Timestamp,
    version: i64,
    unit: &str,
    holding: &Holding,
) -> Result<Shown, RedisError> {
    let args = [
        version.to_string(),
        "1".to_owned(),
        latest(now),
        unit.to_owned(),
        holding.balance.to_string(),
        credits_field(unit),
        fresh_until(now, holding.expires_at),
        json(holding)?,
    ];
    show_part(redis, user, now, &args).await
}

/// The questions to Postgres that are under way in this process, by user.
#[derive(Debug, Default)]
pub struct Loads {
    lines: std::sync::Mutex<HashMap<UserId, Arc<Line>>>,
    ticks: AtomicU64,
}

/// Those who ask about one user, one after the other, and what the last one was answered.
type Line = Mutex<Option<Loaded>>;

#[derive(Clone, Debug)]
struct Loaded {
    began: u64,
    found: Option<Entitlement>,
}

/// A place in a line. Whoever leaves last, also without an answer, takes the line away.
struct Place<'a> {
    loads: &'a Loads,
    user: &'a UserId,
    line: Arc<Line>,
}

impl Loads {
    /// A moment that comes before every later one.
    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::SeqCst)
    }

    fn join<'a>(&'a self, user: &'a UserId) -> Place<'a> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = Arc::clone(lines.entry(user.clone()).or_default());
        Place { loads: self, user, line }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut lines = self.loads.lines.lock().unwrap_or_else(PoisonError::into_inner);
        // One is the map's.
        if Arc::strong_count(&self.line) == 2 {
            lines.remove(self.user);
        }
    }
}

/// Asks Postgres, or takes the answer of somebody whose question began after this one's.
async fn load(
    app: &App,
    user: &UserId,
    arrived: u64,
    is_kept: bool,
) -> ApiResult<Option<Entitlement>> {
    let place = app.loads.join(user);
    let Ok(mut last) = timeout(TURN, place.line.lock()).await else {
        return ask(app, user, is_kept).await;
    };
    match &*last {
        Some(loaded) if loaded.began > arrived => Ok(loaded.found.clone()),
        _ => {
            let began = app.loads.tick();
            let found = ask(app, user, is_kept).await;
            *last = found.as_ref().ok().map(|found| Loaded { began, found: found.clone() });
            found
        }
    }
}

/// Asks Postgres, and keeps the answer. That it is not kept costs the next one the same question.
async fn ask(app: &App, user: &UserId, is_kept: bool) -> ApiResult<Option<Entitlement>> {
    let now = app.clock.now();
    let found = app.store.get_entitlements(user, now).await?;
    if let Some(entitlement) = found.as_ref().filter(|_| is_kept) {
        let kept = keep(&app.redis, user, now, entitlement).await;
        if let Err(error) = kept {
            tracing::warn!(problem = chain(&error), "an entitlement is not kept");
        }
    }
    Ok(found)
}

/// Shows what a reader found in Postgres, who may have been slow.
pub async fn keep(
    redis: &Redis,
    user: &UserId,
    now: Timestamp,
    entitlement: &Entitlement,
) -> Result<Shown, RedisError> {
    show_part(redis, user, now, &arguments(entitlement, now, &[])?).await
}

async fn show_part(
    redis: &Redis,
    user: &UserId,
    now: Timestamp,
    args: &[String],
) -> Result<Shown, RedisError> {
    let own = Keys::of(user, now);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    redis.eval(&SHOW_ENTITLEMENT, &[&own.erased, &own.credits, &own.entitlement], &args).await
}

/// What the scripts are given of a whole entitlement.
fn arguments(
    entitlement: &Entitlement,
    now: Timestamp,
    extra: &[String],
) -> Result<Vec<String>, RedisError> {
    let (version, balances) = (entitlement.version, entitlement.units.len());
    let mut args = vec![version.to_string(), balances.to_string(), latest(now)];
    args.extend_from_slice(extra);
    for (unit, holding) in &entitlement.units {
        args.extend([unit.clone(), holding.balance.to_string()]);
    }
    let fresh_until = || entitlement.fresh_until.to_string();
    args.extend([TERMS.to_owned(), fresh_until(), json(&entitlement.terms)?]);
    for (feature, count) in &entitlement.used {
        args.extend([used_field(feature), fresh_until(), count.to_string()]);
    }
    for (unit, holding) in &entitlement.units {
        args.extend([credits_field(unit), fresh_until(), json(holding)?]);
    }
    Ok(args)
}

/// Until when a part is fresh that time alone changes at that moment, if ever.
fn fresh_until(now: Timestamp, changes_at: Option<Timestamp>) -> String {
    let latest = now + FRESH;
    changes_at.map_or(latest, |at| at.min(latest)).as_millisecond().to_string()
}

/// Beyond this moment nothing that is shown can be true: a part is fresh for five minutes, and the process
/// that pushed it may have a clock that is ahead by as much. Without that margin a push that was slow would undo
/// a newer one.
fn latest(now: Timestamp) -> String {
    (now + FRESH * 2).as_millisecond().to_string()
}

fn used_field(feature: &str) -> String {
    format!("used:{feature}")
}

fn credits_field(unit: &str) -> String {
    format!("{CREDITS}{unit}")
}

fn json(value: &impl Serialize) -> Result<String, RedisError> {
    serde_json::to_string(value).map_err(RedisError::not_sent)
}

/// What Redis shows, if it is whole and fresh. Nothing is fresh for longer than five minutes: what says so
/// comes from a clock far ahead, or from someone else who writes there.
async fn cached(app: &App, user: &UserId) -> Result<Option<Entitlement>, RedisError> {
    let key = Keys::of(user, app.clock.now()).entitlement;
    let fields: Vec<String> = app.redis.run(&Command::hgetall(&key)).await?;
    // By the time of the answer: another call may have shown something since this one asked.
    let now = app.clock.now();
    let latest = (now + FRESH).as_millisecond();
    Ok(parse(user, &fields, latest).filter(|found| now.as_millisecond() < found.fresh_until))
}

/// A part of an entitlement, with the version it is of.
struct Part<'a> {
    version: i64,
    fresh_until: i64,
    value: &'a str,
}

/// Reads `field, value, field, value ...`. Where a part is missing, odd, or fresh for longer than until
/// `latest`, nothing is there: Postgres knows.
/// What belongs to no feature of the plan is left from another one, and is not looked at.
fn parse<'a>(user: &UserId, fields: &'a [String], latest: i64) -> Option<Entitlement> {
    let read = |text: &&'a str| Part::read(text).filter(|part| part.fresh_until <= latest);
    let parts = fields.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str()));
    let parts: HashMap<&str, &str> = parts.collect();
    let terms = read(parts.get(TERMS)?)?;
    let mut found = Entitlement {
        user_id: user.as_str().to_owned(),
        version: terms.version,
        fresh_until: terms.fresh_until,
        terms: terms.parsed()?,
        used: BTreeMap::new(),
        units: BTreeMap::new(),
    };
    let is_metered = |grant: &Grant| matches!(grant, Grant::Metered { .. });
    let features = found.terms.features.iter().filter(|(_, grant)| is_metered(grant));
    for feature in features.map(|(feature, _)| feature.clone()).collect::<Vec<_>>() {
        let part = read(parts.get(used_field(&feature).as_str())?)?;
        found.used.insert(feature, part.parsed()?);
        part.counts_in(&mut found);
    }
    for (name, text) in &parts {
        if let Some(unit) = name.strip_prefix(CREDITS) {
            let part = read(text)?;
            found.units.insert(unit.to_owned(), part.parsed()?);
            part.counts_in(&mut found);
        }
    }
    // Somebody who was not known when the terms were shown has had others since they are.
    (terms.version > 0 || found.version == 0).then_some(found)
}

impl<'a> Part<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut words = text.splitn(3, ' ');
        Some(Self {
            version: words.next()?.parse().ok()?,
            fresh_until: words.next()?.parse().ok()?,
            value: words.next()?,
        })
    }

    /// The whole is of the version of its newest part, and as fresh as its least fresh one.
    fn counts_in(&self, whole: &mut Entitlement) {
        whole.version = whole.version.max(self.version);
        whole.fresh_until = whole.fresh_until.min(self.fresh_until);
    }

    fn parsed<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.value).ok()
    }
}
