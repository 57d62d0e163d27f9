//! Observations: the facts of a Stripe event or response, with their place in order.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Snapshot;
use super::event::Event;
use super::facts::Facts;
use super::object::{integer, text};

/// The facts of an event or a response of Stripe, with the fields that order them.
#[derive(Debug)]
pub struct Observation<'a> {
    /// The event's id and type; a response has none.
    pub event: Option<EventName<'a>>,
    /// The facts were true at a time between `since` and `created`, in Stripe's seconds.
    pub since: i64,
    pub created: i64,
    pub rank: i32,
    /// Orders observations of the same second and rank.
    pub tie_breaker: String,
    pub facts: Facts,
    pub notices: Notices,
}

/// The messages that Farebox sends because of an observation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Notices {
    All,
    /// Webhooks to the app, and no e-mail to the user: the change may be old.
    OnlyToApp,
    /// None: an import changes nothing for anyone.
    None,
}

#[derive(Clone, Copy, Debug)]
pub struct EventName<'a> {
    pub id: &'a str,
    pub kind: &'a str,
}

/// An event about one subscription and nothing else. Most such events change only its period, or
/// nothing.
#[derive(Debug)]
pub struct SubscriptionUpdate<'a> {
    pub event: EventName<'a>,
    pub created: i64,
    pub rank: i32,
    pub subscription_id: &'a str,
    /// The digest of all fields of the fact except the period.
    pub digest: i64,
    pub period_start: i64,
    pub period_end: i64,
    /// The whole observation, as JSON text.
    pub observation: String,
}

impl<'a> Observation<'a> {
    /// Above every event of the same second, because Farebox sent the request after it received
    /// them.
    const RESPONSE_RANK: i32 = 9;

    pub fn from_event(event: &'a Event, facts: Facts) -> Self {
        Self {
            event: Some(EventName { id: &event.id, kind: &event.kind }),
            since: event.created,
            created: event.created,
            rank: event.rank(),
            tie_breaker: event.id.clone(),
            facts,
            notices: Notices::All,
        }
    }

    /// Creates an observation from a response of Stripe.
    pub fn from_response(facts: Facts, found: &Snapshot, now: Timestamp) -> Self {
        Self {
            event: None,
            since: found.since.as_second(),
            created: found.at.as_second(),
            rank: Self::RESPONSE_RANK,
            // Times in this form sort chronologically as text.
            tie_breaker: format!("{now:.6}"),
            facts,
            notices: Notices::All,
        }
    }

    /// Replaces the facts of the event with those of a response of Stripe.
    pub fn with_response(self, facts: Facts, found: &Snapshot, now: Timestamp) -> Self {
        let facts = facts.with_notice_of(&self.facts);
        Self { event: self.event, notices: self.notices, ..Self::from_response(facts, found, now) }
    }

    /// Removes the facts.
    pub fn without_facts(self) -> Self {
        Self { facts: Facts::default(), ..self }
    }

    pub fn with_notices(self, notices: Notices) -> Self {
        Self { notices, ..self }
    }

    /// Returns the arguments of `apply_subscription_update`, if the observation is an event about
    /// one subscription only. A response never is: its exact time is unknown.
    pub fn subscription_update(&self) -> Option<SubscriptionUpdate<'_>> {
        let event = self.event.filter(|_| self.rank != Self::RESPONSE_RANK)?;
        let fact = self.facts.only_subscription()?;
        Some(SubscriptionUpdate {
            event,
            created: self.created,
            rank: self.rank,
            subscription_id: text(fact, "id")?,
            digest: integer(fact, "digest")?,
            period_start: integer(fact, "period_start")?,
            period_end: integer(fact, "period_end")?,
            observation: self.to_json().to_string(),
        })
    }

    /// Returns the argument of `apply_event`.
    pub fn to_json(&self) -> Value {
        let Self { event, since, created, rank, tie_breaker, facts, notices } = self;
        let mut json = json!({
            "since": since,
            "created": created,
            "rank": rank,
            "tie_breaker": tie_breaker,
            "facts": facts.as_json(),
            "quiet": *notices != Notices::All,
            "is_import": *notices == Notices::None,
        });
        if let Some(EventName { id, kind }) = event {
            json["id"] = (*id).into();
            json["type"] = (*kind).into();
        }
        json
    }
}
