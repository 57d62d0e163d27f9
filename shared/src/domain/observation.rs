//! What Stripe says, in an event or in an answer, and its place in Stripe's order.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Snapshot;
use super::event::Event;
use super::facts::Facts;
use super::object::{integer, text};

/// What an event, or an answer of Stripe's, says about Stripe's objects, with what puts it in order.
#[derive(Debug)]
pub struct Observation<'a> {
    /// The event's id and type; an answer to a request has none.
    pub event: Option<EventName<'a>>,
    /// When it was so, in Stripe's seconds: between these two.
    pub since: i64,
    pub created: i64,
    pub rank: i32,
    /// Decides between two observations of one rank and one second.
    pub tie_breaker: String,
    pub facts: Facts,
    /// Farebox sends no e-mail because of it.
    pub quiet: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct EventName<'a> {
    pub id: &'a str,
    pub kind: &'a str,
}

/// An event that describes one subscription and nothing else. Most of them change its period at most.
#[derive(Debug)]
pub struct SubscriptionUpdate<'a> {
    pub event: EventName<'a>,
    pub created: i64,
    pub rank: i32,
    pub subscription_id: &'a str,
    /// Of everything in the fact but the period.
    pub digest: i64,
    pub period_start: i64,
    pub period_end: i64,
    /// The whole observation, as JSON text.
    pub observation: String,
}

impl<'a> Observation<'a> {
    /// Above every event of the same second: Farebox asked after it received them.
    const RESPONSE_RANK: i32 = 9;

    pub fn from_event(event: &'a Event, facts: Facts) -> Self {
        Self {
            event: Some(EventName { id: &event.id, kind: &event.kind }),
            since: event.created,
            created: event.created,
            rank: event.rank(),
            tie_breaker: event.id.clone(),
            facts,
            quiet: false,
        }
    }

    /// What Stripe answered just now.
    pub fn from_response(facts: Facts, found: &Snapshot, now: Timestamp) -> Self {
        Self {
            event: None,
            since: found.since.as_second(),
            created: found.at.as_second(),
            rank: Self::RESPONSE_RANK,
            // As text, instants of this form compare as they follow each other.
            tie_breaker: format!("{now:.6}"),
            facts,
            quiet: false,
        }
    }

    /// The same event, with what Stripe answered just now in place of what it says.
    pub fn with_response(self, facts: Facts, found: &Snapshot, now: Timestamp) -> Self {
        let facts = facts.noticing(&self.facts);
        Self { event: self.event, quiet: self.quiet, ..Self::from_response(facts, found, now) }
    }

    /// The same event, as if it said nothing.
    pub fn without_facts(self) -> Self {
        Self { facts: Facts::default(), ..self }
    }

    /// The same observation, without e-mails: it may have been so for years.
    pub fn without_emails(self) -> Self {
        Self { quiet: true, ..self }
    }

    /// The observation in the form in which `apply_subscription_update` takes it, if it is one for that. What
    /// Stripe answered is not: it was so at some moment between two.
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

    /// The form in which `apply_event` takes it.
    pub fn to_json(&self) -> Value {
        let Self { event, since, created, rank, tie_breaker, facts, quiet } = self;
        let mut json = json!({
            "since": since,
            "created": created,
            "rank": rank,
            "tie_breaker": tie_breaker,
            "facts": facts.as_json(),
            "quiet": quiet,
        });
        if let Some(EventName { id, kind }) = event {
            json["id"] = (*id).into();
            json["type"] = (*kind).into();
        }
        json
    }
}
