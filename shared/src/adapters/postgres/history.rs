use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::{Postgres, PostgresError};
use crate::domain::IdempotencyKey;
use crate::domain::UserId;

/// Something to keep in a user's history.
#[derive(Clone, Copy, Debug)]
pub struct NewEntry<'a> {
    pub user: &'a UserId,
    pub kind: &'a str,
    pub content: &'a str,
}

impl Postgres {
    /// Keeps an entry, once per idempotency key.
    pub async fn add_history(
        &self,
        entry: NewEntry<'_>,
        once: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> Result<(), PostgresError> {
        let key = once.map(IdempotencyKey::key);
        let fingerprint = once.map(IdempotencyKey::fingerprint);
        self.call(
            "select {schema}.add_history($1, $2, $3, $4, $5, $6)",
            &[
                (&entry.user.as_str(), Type::TEXT),
                (&entry.kind, Type::TEXT),
                (&entry.content, Type::TEXT),
                (&key, Type::TEXT),
                (&fingerprint, Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
        .map(drop)
    }

    /// Forgets idempotency keys of more than a day ago; answers how many, at most `batch`.
    pub async fn forget_history_keys(
        &self,
        now: Timestamp,
        batch: i32,
    ) -> Result<i64, PostgresError> {
        let sql = "select {schema}.forget_history_keys($1, $2)";
        self.call_value(sql, &[(&now, Type::TIMESTAMPTZ), (&batch, Type::INT4)]).await
    }
}
