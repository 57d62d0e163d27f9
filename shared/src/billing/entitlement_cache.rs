//! Caches entitlements in Redis, in front of Postgres. Reads try Redis first, and every change is
//! pushed.
//!
//! Each part has its own version. Of two pushes the newer version wins in any order of arrival, and
//! a slow reader cannot store an old value. A part is fresh for five minutes, or until the passing
//! of time changes it. An entitlement is as fresh as its least fresh part. Versions are kept for a
//! day.
//!
//! Concurrent readers that miss the same value share one or two loads from Postgres. A reader never
//! gets a load that began before it arrived.

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

/// How long a part is fresh, unless the passing of time changes it earlier.
const FRESH: Duration = Duration::from_mins(5);

/// The lifetime of the marker of a processed session.
const PROCESSED_SECONDS: u32 = 86_400;

/// The fields of the hash: `terms`, usage as `used:{feature}`, balances as `credits:{unit}`.
const TERMS: &str = "terms";
const CREDITS: &str = "credits:";

/// Where an entitlement was read, for the request's log line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    Cache,
    /// Postgres: the cache had no fresh value.
    Database,
    /// Postgres: the cache did not answer.
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

/// The result of a push.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum Pushed {
    #[serde(rename = "pushed")]
    Pushed,
    /// Pushed, and the session that caused the push was already processed.
    #[serde(rename = "processed_before")]
    AlreadyProcessed,
    /// Not pushed: the user was erased.
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

    /// Returns a user's current entitlement; none before the first catalog is published.
    pub async fn read(self, user: &UserId) -> Result<(Option<Entitlement>, Source)> {
        let arrival = self.entitlement_loads.arrive();
        let source = match self.cached(user).await {
            Ok(Some(entitlement)) => return Ok((Some(entitlement), Source::Cache)),
            Ok(None) => Source::Database,
            Err(error) => {
                tracing::warn!(
                    problem = error_chain(&error),
                    "Redis failed: entitlements come from Postgres"
                );
                Source::DatabaseAlone
            }
        };
        let load = async || self.load(user, source == Source::Database).await;
        Ok((self.entitlement_loads.load(user, arrival, load).await?, source))
    }

    /// Pushes a full entitlement, and marks the session that caused it as processed (CP-7).
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

    /// Pushes counted usage.
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

    /// Caches an entitlement that a reader loaded from Postgres. The reader may have been slow.
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

    /// Loads an entitlement from Postgres and caches it. If caching fails, the next reader loads it
    /// again.
    async fn load(self, user: &UserId, is_cached: bool) -> Result<Option<Entitlement>> {
        let now = self.clock.now();
        let found = self.postgres.get_entitlements(user, now).await?;
        if let Some(entitlement) = found.as_ref().filter(|_| is_cached)
            && let Err(error) = self.fill(user, now, entitlement).await
        {
            tracing::warn!(problem = error_chain(&error), "caching an entitlement failed");
        }
        Ok(found)
    }

    /// Returns the entitlement in Redis, if it is complete and fresh. A part that claims to be
    /// fresh for more than five minutes is ignored: it comes from a clock far ahead, or from
    /// another program.
    async fn cached(self, user: &UserId) -> Result<Option<Entitlement>, RedisError> {
        let key = UserKeys::entitlement_of(user);
        let fields: Vec<String> = self.redis.run(&Command::hgetall(&key)).await?;
        // The time after the answer: another call may have pushed during this one.
        let now = self.clock.now();
        let latest = (now + FRESH).as_millisecond();
        Ok(parse(user, &fields, latest).filter(|found| now.as_millisecond() < found.fresh_until))
    }
}

/// The arguments of the push scripts.
struct Arguments(Vec<String>);

impl Arguments {
    /// Begins the arguments of a push with this number of balances.
    fn new(now: Timestamp, balances: usize) -> Self {
        Self(vec![latest(now), balances.to_string()])
    }

    /// Adds all parts of an entitlement after the script's `extra` arguments.
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

/// Returns until when a part is fresh that the passing of time changes at `changes_at`.
fn fresh_until(now: Timestamp, changes_at: Option<Timestamp>) -> i64 {
    let latest = now + FRESH;
    changes_at.map_or(latest, |at| at.min(latest)).as_millisecond()
}

/// Returns the latest plausible end of freshness. A part is fresh for five minutes, and the clock
/// of the process that pushed it may be ahead by as much. Without this margin, a slow push could
/// overwrite a newer one.
fn latest(now: Timestamp) -> String {
    (now + FRESH * 2).as_millisecond().to_string()
}

fn used_field(feature: &str) -> String {
    format!("used:{feature}")
}

fn credits_field(unit: &str) -> String {
    format!("{CREDITS}{unit}")
}

/// A field of the hash: one part of an entitlement.
struct Part<'a> {
    version: i64,
    fresh_until: i64,
    value: &'a str,
}

/// Reads `field, value, field, value ...`. None if a part is missing, malformed, or fresh beyond
/// `latest`; Postgres then provides it. A field of a feature outside the plan belongs to an earlier
/// plan and is ignored.
fn parse<'a>(user: &UserId, fields: &'a [String], latest: i64) -> Option<Entitlement> {
    let read = |text: &&'a str| Part::read(text).filter(|part| part.fresh_until <= latest);
    let parts = fields.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str()));
    let parts: HashMap<&str, &str> = parts.collect();
    let terms = read(parts.get(TERMS)?)?;
    // The entitlement is as fresh as its least fresh part.
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
    // Terms of version 0 were pushed while the user was unknown. If another part is newer, the user
    // is known now and these terms are outdated.
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
