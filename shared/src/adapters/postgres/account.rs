//! Erasing an account.

use jiff::Timestamp;
use serde::Deserialize;

use super::function::sql_functions;
use super::{Postgres, PostgresError};
use crate::domain::UserId;

/// What must end at Stripe before a user is erased.
#[derive(Debug, Deserialize)]
pub struct StripeResources {
    pub customers: Vec<String>,
    pub sessions: Vec<String>,
}

impl Postgres {
    /// Deletes a user and everything of theirs for good. The user is marked as erased before, in a
    /// transaction of its own: from then on no other call adds anything to them.
    pub async fn erase_account(&self, user: &UserId, now: Timestamp) -> Result<(), PostgresError> {
        self.mark_erased(user, now).await?;
        self.erase_user(user, now).await
    }
}

sql_functions! {
    /// Answers the user's customers and open sessions.
    pub fn get_erasure_targets(user: &UserId) -> json StripeResources;

    fn mark_erased(user: &UserId, now: Timestamp);

    fn erase_user(user: &UserId, now: Timestamp);
}
