//! Events of Stripe's, and which facts are in them.

use serde_json::Value;

use super::facts::{Facts, Unreadable, named_user};
use super::object::{flag, integer, link, text};

/// Longer than any id or type of Stripe's.
const MAX_NAME: usize = 255;

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
        let name = |field| text(&event, field).filter(|name| name.len() <= MAX_NAME);
        Some(Self {
            id: name("id")?.to_owned(),
            kind: name("type")?.to_owned(),
            created: integer(&event, "created")?,
            livemode: flag(&event, "livemode"),
            object: event.get_mut("data")?.get_mut("object")?.take(),
        })
    }

    /// What it says. Nothing, if it is of a kind that changes nothing for us.
    pub fn facts(&self) -> Result<Facts, Unreadable> {
        Facts::of_event(&self.kind, self.created, &self.object)
    }

    /// Whose it is, as far as its object says so by itself.
    pub fn customer_id(&self) -> Option<&str> {
        match text(&self.object, "object") {
            Some("customer") => text(&self.object, "id"),
            _ => link(&self.object, "customer"),
        }
    }

    pub fn user_id(&self) -> Option<&str> {
        named_user(&self.object)
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
