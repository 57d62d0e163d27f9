use jiff::Timestamp;
use serde::Deserialize;
use tokio_postgres::types::Type;

use super::{Postgres, PostgresError};
use crate::domain::UserId;

/// What has to end at Stripe before a user is forgotten.
#[derive(Debug, Deserialize)]
pub struct StripeResources {
    pub customers: Vec<String>,
    pub sessions: Vec<String>,
}

impl Postgres {
    pub async fn begin_erasure(&self, user: &UserId) -> Result<StripeResources, PostgresError> {
        let sql = "select {schema}.begin_erasure($1)";
        self.call_json(sql, &[(&user.as_str(), Type::TEXT)]).await
    }

    /// Deletes a user with everything that is theirs, for good. First nothing more may come to be
    /// theirs, which has to be known to all before anything goes.
    pub async fn erase_user(&self, user: &UserId, now: Timestamp) -> Result<(), PostgresError> {
        for sql in ["select {schema}.mark_erased($1, $2)", "select {schema}.erase_user($1, $2)"] {
            self.call(sql, &[(&user.as_str(), Type::TEXT), (&now, Type::TIMESTAMPTZ)]).await?;
        }
        Ok(())
    }
}
