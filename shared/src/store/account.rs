use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::{Store, StoreError};
use crate::domain::UserId;

impl Store {
    /// Deletes a user with everything that is theirs, for good.
    pub async fn erase_user(&self, user: &UserId, now: Timestamp) -> Result<(), StoreError> {
        let sql = "select {schema}.erase_user($1, $2)";
        self.call(sql, &[(&user.as_str(), Type::TEXT), (&now, Type::TIMESTAMPTZ)]).await.map(drop)
    }
}
