//! Erases accounts.

use jiff::Timestamp;
use serde::Deserialize;

use super::function::sql_functions;
use super::{Postgres, PostgresError};
use crate::domain::UserId;

/// The customers to delete and the sessions to expire at Stripe before a user is erased.
#[derive(Debug, Deserialize)]
pub struct StripeResources {
    pub customers: Vec<String>,
    pub sessions: Vec<String>,
}

impl Postgres {
    /// Deletes a user and all their data for good. A separate transaction marks the user as erased
    /// first, so that no other call adds data before the deletion.
    pub async fn erase_account(&self, user: &UserId, now: Timestamp) -> Result<(), PostgresError> {
        self.mark_erased(user, now).await?;
        self.erase_user(user, now).await
    }
}

sql_functions! {
    /// Returns the user's customers and open sessions.
    pub fn get_erasure_targets(user: &UserId) -> json StripeResources;

    fn mark_erased(user: &UserId, now: Timestamp);

    fn erase_user(user: &UserId, now: Timestamp);
}
