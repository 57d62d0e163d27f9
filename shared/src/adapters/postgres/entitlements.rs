//! Entitlements, as Postgres computes them.

use jiff::Timestamp;

use super::function::sql_functions;
use crate::domain::{Entitlement, UserId};

sql_functions! {
    /// Answers what a user may use, has used and has left; none while nothing is sold.
    pub fn get_entitlements(user: &UserId, now: Timestamp) -> json Option<Entitlement>;

    /// Answers users with a plan after `cursor`, in the order of their ids.
    pub fn list_subscribers(cursor: &str, limit: i32, now: Timestamp) -> rows Vec<Entitlement>;
}
