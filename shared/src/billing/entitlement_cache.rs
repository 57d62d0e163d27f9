//! The entitlement cache: what users may do, have used and have left, in Redis in front of Postgres. A
//! read asks Redis first; every change is pushed.
//!
//! Each part carries its version, so that of two pushes the newer stays, whichever arrives last, and a
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
use crate::domain::entitlement::{CreditBalance, FeatureTerms};
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
    #[serde(rename = "shown")]
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
        let extra = [entitlement.terms.plan_name.clone(), PROCESSED_SECONDS.to_string()];
        let args = arguments(entitlement, now, &extra)?;
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.redis.eval(&PUSH, &keys, &args).await
    }

    /// Pushes the usage of some features, as of a version.
    pub async fn push_usage(
        self,
        user: &UserId,
        now: Timestamp,
        version: i64,
        results: &[UsageResult],
    ) -> Result<Pushed, RedisError> {
        let mut args = vec![version.to_string(), "0".to_owned(), latest(now)];
        for used in results.iter().filter(|used| used.allowed) {
            let fresh_until = fresh_until(now, used.resets_at);
            args.extend([used_field(&used.feature), fresh_until, used.used.to_string()]);
        }
        self.push_part(user, now, &args).await
    }

    /// Pushes the balance of one unit, as of a version.
    pub async fn push_balance(
        self,
        user: &UserId,
        now: Timestamp,
        version: i64,
        unit: &str,
        balance: &CreditBalance,
    ) -> Result<Pushed, RedisError> {
        let args = [
            version.to_string(),
            "1".to_owned(),
            latest(now),
            unit.to_owned(),
            balance.balance.to_string(),
            credits_field(unit),
            fresh_until(now, balance.expires_at),
            json(balance)?,
        ];
        self.push_part(user, now, &args).await
    }

    /// Keeps an entitlement that a reader, who may have been slow, found in Postgres.
    pub async fn fill(
        self,
        user: &UserId,
        now: Timestamp,
        entitlement: &Entitlement,
    ) -> Result<Pushed, RedisError> {
        self.push_part(user, now, &arguments(entitlement, now, &[])?).await
    }

    async fn push_part(
        self,
        user: &UserId,
        now: Timestamp,
        args: &[String],
    ) -> Result<Pushed, RedisError> {
        let own = UserKeys::of(user, now);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.redis.eval(&PUSH_PARTS, &[&own.erased, &own.credits, &own.entitlement], &args).await
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
        let key = UserKeys::of(user, self.clock.now()).entitlement;
        let fields: Vec<String> = self.redis.run(&Command::hgetall(&key)).await?;
        // By the time of the answer: another call may have pushed since this one asked.
        let now = self.clock.now();
        let latest = (now + FRESH).as_millisecond();
        Ok(parse(user, &fields, latest).filter(|found| now.as_millisecond() < found.fresh_until))
    }
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
    for (unit, credits) in &entitlement.units {
        args.extend([unit.clone(), credits.balance.to_string()]);
    }
    let fresh_until = || entitlement.fresh_until.to_string();
    args.extend([TERMS.to_owned(), fresh_until(), json(&entitlement.terms)?]);
    for (feature, count) in &entitlement.used {
        args.extend([used_field(feature), fresh_until(), count.to_string()]);
    }
    for (unit, credits) in &entitlement.units {
        args.extend([credits_field(unit), fresh_until(), json(credits)?]);
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
    let is_metered = |grant: &FeatureTerms| matches!(grant, FeatureTerms::Metered { .. });
    let features = found.terms.features.iter().filter(|(_, grant)| is_metered(grant));
    for feature in features.map(|(feature, _)| feature.clone()).collect::<Vec<_>>() {
        let part = read(parts.get(used_field(&feature).as_str())?)?;
        found.used.insert(feature, part.parsed()?);
        part.merge_into(&mut found);
    }
    for (name, text) in &parts {
        if let Some(unit) = name.strip_prefix(CREDITS) {
            let part = read(text)?;
            found.units.insert(unit.to_owned(), part.parsed()?);
            part.merge_into(&mut found);
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
    fn merge_into(&self, whole: &mut Entitlement) {
        whole.version = whole.version.max(self.version);
        whole.fresh_until = whole.fresh_until.min(self.fresh_until);
    }

    fn parsed<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.value).ok()
    }
}
