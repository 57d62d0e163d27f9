//! Changes, their pushes, reads and slow readers, in every order: a read after an acknowledged
//! change sees that change.

use std::collections::BTreeMap;
use std::iter;

use futures_util::stream::{self, StreamExt};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use shared::adapters::postgres::{
    CreditChange, LedgerNote, RecordedUsage, UsageEntry, UsageResult,
};
use shared::adapters::redis::Command;
use shared::app::App;
use shared::billing::entitlement_cache::{EntitlementCache, Source};
use shared::domain::entitlement::Versioned;
use shared::domain::{CatalogKey, Entitlement, PositiveCount, UserId};

use crate::support::{TestApp, execute};

const PLANS: [&str; 4] = ["starter", "pro", "team", "enterprise"];

/// The next step. Pushes and slow readers' results arrive in any order.
#[derive(Clone, Copy, Debug)]
enum Step {
    TrackUsage,
    Spend,
    Plan(usize),
    /// A push arrives, and its change is acknowledged.
    Push(usize),
    /// A reader misses and has the answer of Postgres, but has not cached it yet.
    SlowRead,
    /// A slow reader's result arrives at the cache.
    Keep(usize),
    Read,
}

/// The data that is pushed after a change.
enum Push {
    Whole(Entitlement),
    Usage(RecordedUsage),
    Credits(CreditChange),
}

/// The way a push is written.
#[derive(Clone, Copy, PartialEq)]
enum Guard {
    Versions,
    /// The last push to arrive wins.
    None,
}

/// One user, the user's past states, and the pushes that have not arrived.
struct Life<'a> {
    app: &'a App,
    user: UserId,
    guard: Guard,
    /// The state after each change.
    past: Vec<Entitlement>,
    pushes: Vec<(usize, Push)>,
    found: Vec<Entitlement>,
    /// The last acknowledged change of each part.
    terms: usize,
    used: usize,
    units: usize,
    hits: usize,
}

pub fn uses(entries: &Value) -> Vec<UsageEntry> {
    let entries = entries.as_array().unwrap().iter();
    let one = |entry: &Value| UsageEntry {
        feature: CatalogKey::try_from(entry["feature"].as_str().unwrap().to_owned()).unwrap(),
        quantity: PositiveCount::try_from(entry["quantity"].as_u64().unwrap()).unwrap(),
        metadata: None,
        actor_id: None,
    };
    entries.map(one).collect()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => Just(Step::TrackUsage),
        2 => Just(Step::Spend),
        1 => (0..PLANS.len()).prop_map(Step::Plan),
        5 => (0..8_usize).prop_map(Step::Push),
        3 => Just(Step::SlowRead),
        3 => (0..8_usize).prop_map(Step::Keep),
        6 => Just(Step::Read),
    ];
    prop::collection::vec(step, 25..35)
}

impl<'a> Life<'a> {
    async fn begin(app: &'a App, name: &str, guard: Guard) -> Self {
        let user = UserId::try_from(name.to_owned()).unwrap();
        let first = app.postgres.get_entitlements(&user, app.clock.now()).await.unwrap().unwrap();
        let (pushes, found) = (Vec::new(), Vec::new());
        let past = vec![first];
        Self { app, user, guard, past, pushes, found, terms: 0, used: 0, units: 0, hits: 0 }
    }

    /// Returns the number of cache hits, or an error if a read returned an old state.
    async fn live(mut self, steps: &[Step]) -> Result<usize, String> {
        for step in steps {
            self.take(*step).await?;
        }
        while !self.pushes.is_empty() {
            self.take(Step::Push(0)).await?;
        }
        while !self.found.is_empty() {
            self.take(Step::Keep(0)).await?;
        }
        self.take(Step::Read).await?;
        Ok(self.hits)
    }

    async fn take(&mut self, step: Step) -> Result<(), String> {
        let now = self.app.clock.now();
        let store = &self.app.postgres;
        match step {
            Step::TrackUsage => {
                let one = uses(&json!([{ "feature": "reports", "quantity": 1 }]));
                let tracked = store.record_usages(&self.user, &one, true, None, now).await.unwrap();
                self.changed(Push::Usage(tracked)).await;
            }
            Step::Spend => {
                let unit = CatalogKey::try_from("ai_credit".to_owned()).unwrap();
                let note = LedgerNote { reason: None, metadata: None, actor_id: None };
                let spent = store.spend(&self.user, &unit, PositiveCount::ONE, &note, None, now);
                let moved = spent.await.unwrap();
                self.changed(Push::Credits(moved)).await;
            }
            Step::Plan(number) => {
                let granted = store.comp_plan(&self.user, PLANS[number], None, None, "test", now);
                let given = granted.await.unwrap();
                self.changed(Push::Whole(given)).await;
            }
            Step::Push(_) if self.pushes.is_empty() => {}
            Step::Push(number) => {
                let (change, push) = self.pushes.remove(number % self.pushes.len());
                self.push(change, push).await;
            }
            Step::SlowRead => {
                let found = store.get_entitlements(&self.user, now).await.unwrap().unwrap();
                self.found.push(found);
            }
            Step::Keep(_) if self.found.is_empty() => {}
            Step::Keep(number) => {
                let found = self.found.remove(number % self.found.len());
                self.push_guarded(&Push::Whole(found)).await;
            }
            Step::Read => self.read().await?,
        }
        Ok(())
    }

    async fn changed(&mut self, push: Push) {
        let now = self.app.clock.now();
        let after = self.app.postgres.get_entitlements(&self.user, now).await.unwrap().unwrap();
        self.past.push(after);
        self.pushes.push((self.past.len() - 1, push));
    }

    async fn push(&mut self, change: usize, push: Push) {
        self.push_guarded(&push).await;
        match push {
            Push::Whole(_) => {
                self.terms = self.terms.max(change);
                self.used = self.used.max(change);
                self.units = self.units.max(change);
            }
            Push::Usage(_) => self.used = self.used.max(change),
            Push::Credits(_) => self.units = self.units.max(change),
        }
    }

    async fn push_guarded(&self, push: &Push) {
        let (cache, user) = (EntitlementCache::of(self.app), &self.user);
        let now = self.app.clock.now();
        if self.guard == Guard::None {
            return self.overwrite(push).await;
        }
        let pushed = match push {
            Push::Whole(whole) => cache.fill(user, now, whole).await,
            Push::Usage(RecordedUsage { results }) => cache.push_usage(user, now, results).await,
            Push::Credits(CreditChange { version, balance, transaction }) => {
                let balance = Versioned { version: *version, value: balance.clone() };
                cache.push_balance(user, now, &transaction.unit, &balance).await
            }
        };
        pushed.unwrap();
    }

    /// Writes the same fields without comparing versions.
    async fn overwrite(&self, push: &Push) {
        let fresh_until = self.app.clock.now().as_millisecond() + 60_000;
        let field = |name: String, version: i64, value: Value| (name, version, value);
        let fields = match push {
            Push::Whole(whole) => {
                let Entitlement { terms, used, units, .. } = whole;
                let terms = field("terms".to_owned(), terms.version, json!(terms.value));
                let used = used.iter().map(|(name, used)| {
                    field(format!("used:{name}"), used.version, json!(used.value))
                });
                let units = units.iter().map(|(unit, held)| {
                    field(format!("credits:{unit}"), held.version, json!(held.value))
                });
                iter::once(terms).chain(used).chain(units).collect()
            }
            Push::Usage(tracked) => {
                let UsageResult { version, used, .. } = &tracked.results[0];
                vec![field("used:reports".to_owned(), *version, json!(used))]
            }
            Push::Credits(moved) => {
                vec![field(
                    format!("credits:{}", moved.transaction.unit),
                    moved.version,
                    json!(moved.balance),
                )]
            }
        };
        let hash = Command::new("HSET").arg(format!("user:{}:entitlement", self.user));
        let hash = fields.into_iter().fold(hash, |hash, (field, version, value)| {
            hash.arg(field).arg(format!("{version} {fresh_until} {value}"))
        });
        self.app.redis.run::<i64>(&hash).await.unwrap();
    }

    /// Each part is from its last acknowledged change, or newer.
    async fn read(&mut self) -> Result<(), String> {
        let (found, source) = EntitlementCache::of(self.app).read(&self.user).await.unwrap();
        let found = found.unwrap();
        self.hits += usize::from(source == Source::Cache);
        let is_new =
            |since: usize, is: &dyn Fn(&Entitlement) -> bool| self.past[since..].iter().any(is);
        if !is_new(self.terms, &|past| past.terms.value == found.terms.value) {
            return Err(format!("an old plan: {}", found.terms.value.plan));
        }
        if !is_new(self.used, &|past| values(&past.used) == values(&found.used)) {
            return Err(format!("an old count: {:?}", found.used));
        }
        if !is_new(self.units, &|past| values(&past.units) == values(&found.units)) {
            return Err(format!("an old balance: {:?}", found.units));
        }
        Ok(())
    }
}

fn values<T>(parts: &BTreeMap<String, Versioned<T>>) -> Vec<(&String, &T)> {
    parts.iter().map(|(name, part)| (name, &part.value)).collect()
}

/// Plays 240 lives of random steps; returns the result of each.
async fn lives(guard: Guard) -> Vec<Result<usize, String>> {
    const LIVES: usize = 240;
    let app = TestApp::selling("demo").await;
    let begin = format!(
        "select comp_plan('l' || n, 'starter', null, null, 'test', farebox_now()),
                grant_credits('l' || n, 'grant', 'ai_credit', 1000, null, null, '{{}}', 'test', null, null,
                             farebox_now())
         from generate_series(0, {LIVES}) n"
    );
    execute(&app.owner().await, &begin).await;
    let mut runner = TestRunner::deterministic();
    let stories =
        (0..LIVES).map(|number| (number, steps().new_tree(&mut runner).unwrap().current()));
    let stories: BTreeMap<usize, Vec<Step>> = stories.collect();
    let inside = app.inside();
    let living = stream::iter(&stories).map(async |(number, steps)| {
        let life = Life::begin(&inside, &format!("l{number}"), guard).await;
        life.live(steps).await.map_err(|old| format!("{old}, after {steps:?}"))
    });
    living.buffer_unordered(8).collect().await
}

/// DM-3: however pushes, misses and slow readers interleave, a read that starts after a change was
/// acknowledged never returns the old plan, count or balance. Most reads do not query Postgres.
#[tokio::test]
async fn no_interleaving_returns_an_old_state() {
    let mut hits = 0;
    for ended in lives(Guard::Versions).await {
        hits += ended.unwrap();
    }
    assert!(hits > 1_000, "most reads are from the cache: {hits}");
}

/// Versions are needed: if the last push to arrive wins, the same lives return old states.
#[tokio::test]
async fn without_versions_old_states_are_returned() {
    let ended = lives(Guard::None).await;
    let stale = ended.iter().filter(|ended| ended.is_err()).count();
    assert!(stale * 2 > ended.len(), "{stale} of {} lives", ended.len());
}
