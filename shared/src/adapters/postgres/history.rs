//! The history that users save.

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::argument::{Argument, SqlValue};
use super::function::sql_functions;
use crate::domain::IdempotencyKey;
use crate::domain::UserId;

/// A new entry of a user's history.
#[derive(Clone, Copy, Debug)]
pub struct NewEntry<'a> {
    pub owner: &'a UserId,
    /// The member who acts for the organisation.
    pub actor: Option<&'a UserId>,
    pub kind: &'a str,
    pub content: &'a str,
}

impl<'a> Argument<'a> for NewEntry<'a> {
    const TYPES: &'static [Type] = &[Type::TEXT, Type::TEXT, Type::TEXT, Type::TEXT];

    fn add_to(self, values: &mut Vec<SqlValue<'a>>) {
        self.owner.add_to(values);
        self.actor.add_to(values);
        self.kind.add_to(values);
        self.content.add_to(values);
    }
}

sql_functions! {
    /// Adds an entry to a user's history, once per idempotency key, and returns its id.
    pub fn add_history(
        entry: NewEntry<'_>,
        idempotency_key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> value i64;
}
