//! What Stripe says, in an event or in an answer, and its place in Stripe's order.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Snapshot;
use super::event::Event;
use super::facts::Facts;

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
