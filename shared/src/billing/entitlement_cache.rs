//! The entitlement cache: what users may do, have used and have left, in Redis in front of Postgres. A
//! read asks Redis first; every change is pushed.
//!
//! Each part has its own version, so that of two pushes of it the newer stays, whichever arrives last, and a
//! slow reader keeps nothing old. Each part is fresh for five minutes, or until time alone changes it; a
//! whole is as fresh as its least fresh part; versions are kept for a day. Readers who miss the same
//! value at once share one or two loads from Postgres, and never take a load that began before they
//! arrived.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::adapters::postgres::{Postgres, UsageResult};
use crate::adapters::redis::keys::UserKeys;
use crate::adapters::redis::scripts::{PUSH, PUSH_PARTS};
use crate::adapters::redis::{Command, Redis, RedisError};
use crate::adapters::single_flight::SingleFlight;
use crate::app::App;
use crate::clock::Clock;
use crate::domain::entitlement::{CreditBalance, FeatureTerms, PlanTerms, Versioned};
use crate::domain::error::{Result, error_chain};
use crate::domain::{Entitlement, UserId};

/// For how long anything is fresh that time alone does not change.
const FRESH: Duration = Duration::from_mins(5);

/// For how long it is known that a session was processed.
const PROCESSED_SECONDS: u32 = 86_400;

/// The fields of the hash: the terms; what was used, as `used:{feature}`; what is held, as `credits:{unit}`.
const TERMS: &str = "terms";
const CREDITS: &str = "credits:";

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

/// What became of a push.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum Pushed {
    #[serde(rename = "pushed")]
    Pushed,
    /// The same, and the session that it was pushed for had been processed before.
    #[serde(rename = "processed_before")]
    AlreadyProcessed,
    /// Nothing is pushed for a user who was erased.
    #[serde(rename = "erased")]
    Erased,
}

/// The entitlements of users in Redis, in front of Postgres.
#[derive(Clone, Copy, Debug)]
pub struct EntitlementCache<'a> {
    pub redis: &'a Redis,
    pub postgres: &'a Postgres,
    pub entitlement_loads: &'a SingleFlight<UserId, Option<Entitlement>>,
    pub clock: &'a Clock,
}

impl<'a> EntitlementCache<'a> {
    pub fn of(app: &'a App) -> Self {
        let App { redis, postgres, entitlement_loads, clock, .. } = app;
        Self { redis, postgres, entitlement_loads, clock }
    }

    /// What a user may do now; none while nothing is sold.
    pub async fn read(self, user: &UserId) -> Result<(Option<Entitlement>, Source)> {
        let arrival = self.entitlement_loads.arrive();
        let source = match self.cached(user).await {
            Ok(Some(entitlement)) => return Ok((Some(entitlement), Source::Cache)),
            Ok(None) => Source::Database,
            Err(error) => {
                tracing::warn!(problem = error_chain(&error), "entitlements come from Postgres");
                Source::DatabaseAlone
            }
        };
        let load = async || self.load(user, source == Source::Database).await;
        Ok((self.entitlement_loads.load(user, arrival, load).await?, source))
    }

    /// Pushes all that a user has, and marks the session that brought it as processed (CP-7).
    pub async fn push(
        self,
        user: &UserId,
        now: Timestamp,
        entitlement: &Entitlement,
        session: Option<&str>,
    ) -> Result<Pushed, RedisError> {
        let own = UserKeys::of(user, now);
        let processed = session.map(|session| format!("processed:{session}"));
        let mut keys =
            vec![own.stats.as_str(), &own.last_login, &own.erased, &own.credits, &own.entitlement];
        keys.extend(processed.as_deref());
        let Versioned { version, value: terms } = &entitlement.terms;
        let extra = [version.to_string(), terms.plan_name.clone(), PROCESSED_SECONDS.to_string()];
        let args = Arguments::of(entitlement, now, extra)?;
        self.redis.eval(&PUSH, &keys, &args.as_strs()).await
    }

    /// Pushes the usage that was counted.
    pub async fn push_usage(
        self,
        user: &UserId,
        now: Timestamp,
        results: &[UsageResult],
    ) -> Result<Pushed, RedisError> {
        let mut args = Arguments::new(now, 0);
        for used in results.iter().filter(|used| used.allowed) {
            let count = Versioned { version: used.version, value: used.used };
            args.add_part(used_field(&used.feature), fresh_until(now, used.resets_at), &count)?;
        }
        self.push_parts(user, now, args).await
    }

    /// Pushes the balance of one unit.
    pub async fn push_balance(
        self,
        user: &UserId,
        now: Timestamp,
        unit: &str,
        balance: &Versioned<CreditBalance>,
    ) -> Result<Pushed, RedisError> {
        let mut args = Arguments::new(now, 1);
        args.add_balance(unit, balance);
        let fresh_until = fresh_until(now, balance.value.expires_at);
        args.add_part(credits_field(unit), fresh_until, balance)?;
        self.push_parts(user, now, args).await
    }

    /// Keeps an entitlement that a reader, who may have been slow, found in Postgres.
    pub async fn fill(
        self,
        user: &UserId,
        now: Timestamp,
        entitlement: &Entitlement,
    ) -> Result<Pushed, RedisError> {
        self.push_parts(user, now, Arguments::of(entitlement, now, [])?).await
    }

    async fn push_parts(
        self,
        user: &UserId,
        now: Timestamp,
        args: Arguments,
    ) -> Result<Pushed, RedisError> {
        let own = UserKeys::of(user, now);
        let keys = [own.erased.as_str(), &own.credits, &own.entitlement];
        self.redis.eval(&PUSH_PARTS, &keys, &args.as_strs()).await
    }

    /// Asks Postgres, and keeps the answer. An answer that is not kept costs the next reader the same
    /// question.
    async fn load(self, user: &UserId, is_kept: bool) -> Result<Option<Entitlement>> {
        let now = self.clock.now();
        let found = self.postgres.get_entitlements(user, now).await?;
        if let Some(entitlement) = found.as_ref().filter(|_| is_kept)
            && let Err(error) = self.fill(user, now, entitlement).await
        {
            tracing::warn!(problem = error_chain(&error), "an entitlement is not kept");
        }
        Ok(found)
    }

    /// The entitlement in Redis, if it is whole and fresh. Nothing is fresh for longer than five minutes:
    /// a later end comes from a clock far ahead, or from another program that writes to this Redis.
    async fn cached(self, user: &UserId) -> Result<Option<Entitlement>, RedisError> {
        let key = UserKeys::entitlement_of(user);
        let fields: Vec<String> = self.redis.run(&Command::hgetall(&key)).await?;
        // By the time of the answer: another call may have pushed since this one asked.
        let now = self.clock.now();
        let latest = (now + FRESH).as_millisecond();
        Ok(parse(user, &fields, latest).filter(|found| now.as_millisecond() < found.fresh_until))
    }
}

/// The arguments of the scripts that push.
struct Arguments(Vec<String>);

impl Arguments {
    /// For so many balances, which come first.
    fn new(now: Timestamp, balances: usize) -> Self {
        Self(vec![latest(now), balances.to_string()])
    }

    /// All parts of an entitlement, after the `extra` arguments of the script.
    fn of(
        entitlement: &Entitlement,
        now: Timestamp,
        extra: impl IntoIterator<Item = String>,
    ) -> Result<Self, RedisError> {
        let Entitlement { fresh_until, terms, used, units, .. } = entitlement;
        let mut args = Self::new(now, units.len());
        args.0.extend(extra);
        for (unit, balance) in units {
            args.add_balance(unit, balance);
        }
        args.add_part(TERMS.to_owned(), *fresh_until, terms)?;
        for (feature, count) in used {
            args.add_part(used_field(feature), *fresh_until, count)?;
        }
        for (unit, balance) in units {
            args.add_part(credits_field(unit), *fresh_until, balance)?;
        }
        Ok(args)
    }

    fn add_balance(&mut self, unit: &str, balance: &Versioned<CreditBalance>) {
        let Versioned { version, value } = balance;
        self.0.extend([unit.to_owned(), version.to_string(), value.balance.to_string()]);
    }

    fn add_part(
        &mut self,
        field: String,
        fresh_until: i64,
        part: &Versioned<impl Serialize>,
    ) -> Result<(), RedisError> {
        let value = serde_json::to_string(&part.value).map_err(RedisError::not_sent)?;
        self.0.extend([field, part.version.to_string(), fresh_until.to_string(), value]);
        Ok(())
    }

    fn as_strs(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}

/// Until when a part is fresh that time alone changes at that moment, if ever.
fn fresh_until(now: Timestamp, changes_at: Option<Timestamp>) -> i64 {
    let latest = now + FRESH;
    changes_at.map_or(latest, |at| at.min(latest)).as_millisecond()
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

/// A part of an entitlement, as a field of the hash has it.
struct Part<'a> {
    version: i64,
    fresh_until: i64,
    value: &'a str,
}

/// Reads `field, value, field, value ...`. None where a part is missing, malformed, or fresh for longer than
/// until `latest`: Postgres knows it. A field of no feature of the plan is left from another plan, and is
/// ignored.
fn parse<'a>(user: &UserId, fields: &'a [String], latest: i64) -> Option<Entitlement> {
    let read = |text: &&'a str| Part::read(text).filter(|part| part.fresh_until <= latest);
    let parts = fields.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str()));
    let parts: HashMap<&str, &str> = parts.collect();
    let terms = read(parts.get(TERMS)?)?;
    // The whole is as fresh as its least fresh part.
    let mut fresh_until = terms.fresh_until;
    let terms: Versioned<PlanTerms> = terms.parsed()?;
    let (mut used, mut units) = (BTreeMap::new(), BTreeMap::new());
    for (feature, grant) in &terms.value.features {
        if matches!(grant, FeatureTerms::Metered { .. }) {
            let part = read(parts.get(used_field(feature).as_str())?)?;
            fresh_until = fresh_until.min(part.fresh_until);
            used.insert(feature.clone(), part.parsed()?);
        }
    }
    for (name, text) in &parts {
        if let Some(unit) = name.strip_prefix(CREDITS) {
            let part = read(text)?;
            fresh_until = fresh_until.min(part.fresh_until);
            units.insert(unit.to_owned(), part.parsed()?);
        }
    }
    let user_id = user.as_str().to_owned();
    let found = Entitlement { user_id, fresh_until, terms, used, units };
    // Terms of version 0 were pushed while the user was unknown. A newer part says that the user is known
    // now, and so has other terms.
    (found.terms.version > 0 || found.version() == 0).then_some(found)
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

    fn parsed<T: DeserializeOwned>(&self) -> Option<Versioned<T>> {
        let value = serde_json::from_str(self.value).ok()?;
        Some(Versioned { version: self.version, value })
    }
}
