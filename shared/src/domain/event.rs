//! Stripe events, and the facts in them.

use jiff::Timestamp;
use serde_json::Value;

use super::facts::{Facts, Unreadable, metadata_user_id};
use super::object::{flag, integer, link, text};

/// Longer than any id or event type of Stripe.
const MAX_NAME: usize = 255;

#[derive(Clone, Debug)]
pub struct Event {
    pub id: String,
    pub kind: String,
    /// In seconds since 1970, by Stripe's clock.
    pub created: i64,
    pub livemode: bool,
    /// The account of the event, if it names one, as Connect's events do.
    pub account: Option<String>,
    /// The object of the event. A thin event (`v2.core.event`) has none.
    object: Option<Value>,
}

impl Event {
    /// Parses an event. Returns `None` if the bytes are not one.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let mut event: Value = serde_json::from_slice(body).ok()?;
        let is_thin = text(&event, "object") == Some("v2.core.event");
        let name = |field| text(&event, field).filter(|name| name.len() <= MAX_NAME);
        Some(Self {
            id: name("id")?.to_owned(),
            kind: name("type")?.to_owned(),
            created: integer(&event, "created").or_else(|| created_from_text(&event))?,
            livemode: flag(&event, "livemode"),
            account: link(&event, "account").map(str::to_owned),
            object: match is_thin {
                true => None,
                false => Some(event.get_mut("data")?.get_mut("object")?.take()),
            },
        })
    }

    /// Returns the facts of the event. There are none for a type of event that Farebox does not
    /// use.
    pub fn facts(&self) -> Result<Facts, Unreadable> {
        let Some(object) = &self.object else { return Ok(Facts::default()) };
        Facts::of_event(&self.kind, self.created, object)
    }

    /// Returns the customer of the event, if its object names one.
    pub fn customer_id(&self) -> Option<&str> {
        let object = self.object.as_ref()?;
        match text(object, "object") {
            Some("customer") => text(object, "id"),
            _ => link(object, "customer"),
        }
    }

    pub fn user_id(&self) -> Option<&str> {
        self.object.as_ref().and_then(metadata_user_id)
    }

    /// Orders events of the same second: the event with the greater rank is later.
    pub fn rank(&self) -> i32 {
        match self.kind.rsplit_once('.') {
            Some((_, "created")) => 1,
            Some((_, "deleted")) => 3,
            _ => 2,
        }
    }
}

/// Returns when a thin event was created, which it has as text (RFC 3339).
fn created_from_text(event: &Value) -> Option<i64> {
    let created: Timestamp = text(event, "created")?.parse().ok()?;
    Some(created.as_second())
}
