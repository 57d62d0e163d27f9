//! Entitlements, as Postgres computes them.

use jiff::Timestamp;

use super::function::sql_functions;
use crate::domain::{Entitlement, UserId};

sql_functions! {
    /// Returns a user's entitlement; none before the first catalog is published.
    pub fn get_entitlements(user: &UserId, now: Timestamp) -> json Option<Entitlement>;

    /// Returns a page of the users with a plan other than the default, ordered by id, after
    /// `cursor`.
    pub fn list_subscribers(cursor: &str, limit: i32, now: Timestamp) -> rows Vec<Entitlement>;
}
