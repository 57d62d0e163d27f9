//! Events of Stripe's, and which facts are in them.

use jiff::Timestamp;
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
    /// The account that it happened in, where the event names one: those of Connect do.
    pub account: Option<String>,
    /// What it is about. A thin event (`v2.core.event`) has none.
    object: Option<Value>,
}

impl Event {
    /// None, if these bytes are no event.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let mut event: Value = serde_json::from_slice(body).ok()?;
        let is_thin = text(&event, "object") == Some("v2.core.event");
        let name = |field| text(&event, field).filter(|name| name.len() <= MAX_NAME);
        Some(Self {
            id: name("id")?.to_owned(),
            kind: name("type")?.to_owned(),
            created: integer(&event, "created").or_else(|| written_second(&event))?,
            livemode: flag(&event, "livemode"),
            account: link(&event, "account").map(str::to_owned),
            object: match is_thin {
                true => None,
                false => Some(event.get_mut("data")?.get_mut("object")?.take()),
            },
        })
    }

    /// What it says. Nothing, if it is of a kind that changes nothing for us.
    pub fn facts(&self) -> Result<Facts, Unreadable> {
        let Some(object) = &self.object else { return Ok(Facts::default()) };
        Facts::of_event(&self.kind, self.created, object)
    }

    /// Whose it is, as far as its object says so by itself.
    pub fn customer_id(&self) -> Option<&str> {
        let object = self.object.as_ref()?;
        match text(object, "object") {
            Some("customer") => text(object, "id"),
            _ => link(object, "customer"),
        }
    }

    pub fn user_id(&self) -> Option<&str> {
        self.object.as_ref().and_then(named_user)
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

/// When a thin event happened: it says so in words (RFC 3339).
fn written_second(event: &Value) -> Option<i64> {
    let created: Timestamp = text(event, "created")?.parse().ok()?;
    Some(created.as_second())
}
