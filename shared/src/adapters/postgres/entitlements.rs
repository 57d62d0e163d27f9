use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::{Postgres, PostgresError};
use crate::domain::{Entitlement, UserId};

impl Postgres {
    /// What a user may do, has used and holds; none while nothing is sold.
    pub async fn get_entitlements(
        &self,
        user: &UserId,
        now: Timestamp,
    ) -> Result<Option<Entitlement>, PostgresError> {
        let sql = "select {schema}.get_entitlements($1, $2)";
        self.call_json(sql, &[(&user.as_str(), Type::TEXT), (&now, Type::TIMESTAMPTZ)]).await
    }

    /// Those who have a plan, behind the one that is named, in the order of their ids.
    pub async fn list_subscribers(
        &self,
        after: &str,
        limit: i32,
        now: Timestamp,
    ) -> Result<Vec<Entitlement>, PostgresError> {
        let sql = "select {schema}.list_subscribers($1, $2, $3)";
        self.call_rows(
            sql,
            &[(&after, Type::TEXT), (&limit, Type::INT4), (&now, Type::TIMESTAMPTZ)],
        )
        .await
    }
}
