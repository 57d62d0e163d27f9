use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_postgres::types::{Json, Type};

use super::{Store, StoreError};
use crate::adapters::stripe::Snapshot;
use crate::domain::event::Event;
use crate::domain::facts::Facts;
use crate::domain::{CatalogKey, Entitlement, Interval, Quantity, Reason, SubscriptionId, UserId};
use crate::http::Once;

/// What a user wants of their subscription.
#[derive(Debug, Serialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Wish {
    Change { plan: Option<CatalogKey>, interval: Option<Interval>, quantity: Option<Quantity> },
    Cancel { now: bool, reason: Option<Reason> },
    Resume,
}

/// What came of a wish.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// What this idempotency key was answered before.
    Answer(Value),
    /// It is so already.
    Unchanged(Value),
    Begun(BegunChange),
}

/// What to ask of Stripe. It belongs to whoever got it, until it is finished or given up.
#[derive(Debug, Deserialize)]
pub struct BegunChange {
    pub request: i64,
    pub stripe_key: String,
    pub steps: Steps,
}

/// Everything that decides what Stripe is asked for, as it was written down.
#[derive(Debug, Deserialize)]
pub struct Steps {
    #[serde(rename = "do")]
    pub way: Way,
    pub subscription: String,
    pub item: Option<String>,
    pub schedule: Option<String>,
    pub reason: Option<String>,
    /// The end of the subscription was set as a date, and not as the end of its period.
    pub cancels_on_a_date: bool,
    /// An upgrade waits for its payment.
    pub is_pending: Option<bool>,
    pub current_price: Option<String>,
    pub price: Option<String>,
    pub quantity: Option<u64>,
    pub interval: Option<Interval>,
}

/// The ways to a wish.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Now, for its price.
    Upgrade,
    /// When the period ends.
    Downgrade,
    /// Now, for nothing: nothing has been paid yet.
    Replace,
    CancelNow,
    CancelLater,
    /// Takes a cancellation, or a change planned ahead, back.
    Keep,
    Unpause,
}

/// Facts with what puts them in order.
#[derive(Debug)]
pub struct Told<'a> {
    /// The event's id and type; an answer of Stripe's to a question has none.
    pub event: Option<EventName<'a>>,
    /// When it was so, in Stripe's seconds: between these two.
    pub since: i64,
    pub created: i64,
    pub rank: i32,
    /// What decides within one rank of one second.
    pub heard: String,
    pub facts: Facts,
    /// Nobody is written to because of it.
    pub quiet: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct EventName<'a> {
    pub id: &'a str,
    pub kind: &'a str,
}

/// What came of facts.
#[derive(Debug, Deserialize)]
pub struct Applied {
    pub duplicate: bool,
    pub entitlement: Option<Entitlement>,
    /// Others have to be told something about the user.
    #[serde(default)]
    pub has_messages: bool,
    /// They name another user than the one whom their customer belongs to.
    #[serde(default)]
    pub names_another: bool,
    /// Something of the catalog was bought, and nothing says by which user: how that comes.
    pub unnamed_buyer: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct FinishedChange {
    pub answer: Value,
    pub entitlement: Option<Entitlement>,
}

/// A request for the portal.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Portal {
    /// What this idempotency key was answered before.
    Answer(Value),
    Begun(BegunPortal),
}

#[derive(Debug, Deserialize)]
pub struct BegunPortal {
    pub request: i64,
    pub stripe_key: String,
    pub customer: String,
    pub return_url: String,
    pub configuration: Option<String>,
}

impl<'a> Told<'a> {
    /// Above every event of the same second: it was asked for after they were heard of.
    const ANSWERED: i32 = 9;

    pub fn by_event(event: &'a Event, facts: Facts) -> Self {
        Self {
            event: Some(EventName { id: &event.id, kind: &event.kind }),
            since: event.created,
            created: event.created,
            rank: event.rank(),
            heard: event.id.clone(),
            facts,
            quiet: false,
        }
    }

    /// What Stripe answered just now.
    pub fn by_asking(facts: Facts, found: &Snapshot, now: Timestamp) -> Self {
        let (since, created) = (found.since.as_second(), found.at.as_second());
        // As text, instants of this form compare as they follow each other.
        let heard = format!("{now:.6}");
        Self { event: None, since, created, rank: Self::ANSWERED, heard, facts, quiet: false }
    }

    /// The same event, with what Stripe answered just now in place of what it says.
    pub fn answered_by(self, facts: Facts, found: &Snapshot, now: Timestamp) -> Self {
        let facts = facts.noticing(&self.facts);
        Self { event: self.event, quiet: self.quiet, ..Self::by_asking(facts, found, now) }
    }

    /// The same event, as if it said nothing.
    pub fn without_facts(self) -> Self {
        Self { facts: Facts::default(), ..self }
    }

    /// The same, and nobody is written to: it may have been so for years.
    pub fn quietly(self) -> Self {
        Self { quiet: true, ..self }
    }

    fn to_json(&self) -> Value {
        let Self { event, since, created, rank, heard, facts, quiet } = self;
        let mut told = json!({
            "since": since,
            "created": created,
            "rank": rank,
            "heard": heard,
            "facts": facts.as_json(),
            "quiet": quiet,
        });
        if let Some(EventName { id, kind }) = event {
            told["id"] = (*id).into();
            told["type"] = (*kind).into();
        }
        told
    }
}

impl Store {
    /// Applies facts, once per event.
    pub async fn apply_event(
        &self,
        told: &Told<'_>,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        let sql = "select {schema}.apply_event($1, $2)";
        self.call_json(sql, &[(&told.to_json(), Type::JSONB), (&now, Type::TIMESTAMPTZ)]).await
    }

    /// Writes down that what a user has must be shown later.
    pub async fn repair_cache(&self, user: &UserId, now: Timestamp) -> Result<(), StoreError> {
        let sql = "select {schema}.repair_cache($1, $2)";
        self.call(sql, &[(&user.as_str(), Type::TEXT), (&now, Type::TIMESTAMPTZ)]).await.map(drop)
    }

    pub async fn get_subscription<T: serde::de::DeserializeOwned>(
        &self,
        user: &UserId,
        now: Timestamp,
    ) -> Result<T, StoreError> {
        let sql = "select {schema}.get_subscription($1, $2)";
        self.call_json(sql, &[(&user.as_str(), Type::TEXT), (&now, Type::TIMESTAMPTZ)]).await
    }

    /// None if it is nobody's that is known, or not that user's.
    pub async fn find_subscription<T: serde::de::DeserializeOwned>(
        &self,
        id: &SubscriptionId,
        user: Option<&UserId>,
        now: Timestamp,
    ) -> Result<Option<T>, StoreError> {
        self.call_json(
            "select {schema}.find_subscription($1, $2, $3)",
            &[
                (&id.as_str(), Type::TEXT),
                (&user.map(UserId::as_str), Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    pub async fn begin_subscription_change(
        &self,
        user: &UserId,
        wish: &Wish,
        once: Option<&Once>,
        now: Timestamp,
    ) -> Result<Change, StoreError> {
        self.call_json(
            "select {schema}.begin_subscription_change($1, $2, $3, $4, $5)",
            &[
                (&user.as_str(), Type::TEXT),
                (&Json(wish), Type::JSONB),
                (&once.map(Once::key), Type::TEXT),
                (&once.map(Once::fingerprint), Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    /// None if the request is no longer ours.
    pub async fn finish_subscription_change(
        &self,
        request: i64,
        told: Option<&Told<'_>>,
        schedule: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<FinishedChange>, StoreError> {
        self.call_json(
            "select {schema}.finish_subscription_change($1, $2, $3, $4)",
            &[
                (&request, Type::INT8),
                (&told.map(Told::to_json), Type::JSONB),
                (&schedule, Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    pub async fn begin_portal(
        &self,
        user: &UserId,
        request: &Value,
        once: Option<&Once>,
        now: Timestamp,
    ) -> Result<Portal, StoreError> {
        self.call_json(
            "select {schema}.begin_portal($1, $2, $3, $4, $5)",
            &[
                (&user.as_str(), Type::TEXT),
                (&request, Type::JSONB),
                (&once.map(Once::key), Type::TEXT),
                (&once.map(Once::fingerprint), Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    pub async fn finish_portal(
        &self,
        request: i64,
        answer: &Value,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "select {schema}.finish_portal($1, $2, $3)";
        let params: [super::Param<'_>; 3] =
            [(&request, Type::INT8), (&answer, Type::JSONB), (&now, Type::TIMESTAMPTZ)];
        self.call(sql, &params).await.map(drop)
    }

    /// Gives a user a plan without Stripe; `actor` stands in the audit trail.
    pub async fn grant_plan(
        &self,
        user: &UserId,
        plan: &str,
        ends_at: Option<Timestamp>,
        reason: Option<&Reason>,
        actor: &str,
        now: Timestamp,
    ) -> Result<Entitlement, StoreError> {
        self.call_json(
            "select {schema}.grant_plan($1, $2, $3, $4, $5, $6)",
            &[
                (&user.as_str(), Type::TEXT),
                (&plan, Type::TEXT),
                (&ends_at, Type::TIMESTAMPTZ),
                (&reason.map(Reason::as_str), Type::TEXT),
                (&actor, Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    /// Changes what time alone changes for at most `batch` users; answers what they have now.
    pub async fn settle_due_users(
        &self,
        now: Timestamp,
        batch: i32,
    ) -> Result<Vec<Entitlement>, StoreError> {
        let sql = "select {schema}.settle_due_users($1, $2)";
        self.call_rows(sql, &[(&now, Type::TIMESTAMPTZ), (&batch, Type::INT4)]).await
    }
}
