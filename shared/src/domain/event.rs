//! Events of Stripe's, and which facts are in them.

use serde_json::Value;

use super::facts::{Facts, Unreadable};
use super::object::{flag, integer, text};

#[derive(Clone, Debug)]
pub struct Event {
    pub id: String,
    pub kind: String,
    /// When it happened, by Stripe's clock.
    pub created: i64,
    pub livemode: bool,
    object: Value,
}

impl Event {
    /// None, if these bytes are no event.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let mut event: Value = serde_json::from_slice(body).ok()?;
        Some(Self {
            id: text(&event, "id")?.to_owned(),
            kind: text(&event, "type")?.to_owned(),
            created: integer(&event, "created")?,
            livemode: flag(&event, "livemode"),
            object: event.get_mut("data")?.get_mut("object")?.take(),
        })
    }

    /// What it says. Nothing, if it is of a kind that changes nothing for us.
    pub fn facts(&self) -> Result<Facts, Unreadable> {
        Facts::of_event(&self.kind, &self.object)
    }

    /// Which of two events of one second tells the later part of a story.
    pub fn rank(&self) -> i32 {
        match self.kind.rsplit_once('.') {
            Some((_, "created")) => 1,
            Some((_, "deleted")) => 3,
            _ => 2,
        }
    }
}
