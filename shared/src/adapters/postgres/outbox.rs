use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::types::{Json, Type};

use super::{Postgres, PostgresError};
use crate::domain::Entitlement;

/// Something to tell others, lent out until its lease ends.
#[derive(Debug, Deserialize)]
pub struct OutboxMessage {
    pub id: String,
    pub kind: Kind,
    pub generation: i64,
    /// This one counted.
    pub attempts: i32,
    pub leased_until: Timestamp,
    pub payload: Value,
    pub user_id: Option<String>,
    /// Where an e-mail goes.
    pub email: Option<String>,
    /// What the user has by now, for those who show it.
    pub entitlement: Option<Entitlement>,
}

/// Who is told.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Email,
    Identity,
    Cache,
    /// Ourselves, after Stripe was asked.
    Refetch,
    /// Operators.
    Alert,
}

/// What came of it. Neither done nor to be tried again, it is given up.
#[derive(Debug, Serialize)]
pub struct DeliveryResult {
    pub id: String,
    pub generation: i64,
    pub leased_until: Timestamp,
    pub done: bool,
    pub problem: Option<String>,
    pub retry_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub struct GivenUp {
    #[serde(rename = "failed")]
    pub now: u64,
    /// All that there are by now, if some were given up.
    #[serde(rename = "open_failed")]
    pub open: Option<i64>,
}

impl Postgres {
    /// Lends out what is due, at most `limit`, for so many seconds.
    pub async fn claim_outbox(
        &self,
        now: Timestamp,
        limit: i32,
        lease_seconds: i32,
    ) -> Result<Vec<OutboxMessage>, PostgresError> {
        let sql = "select {schema}.claim_outbox($1, $2, $3)";
        let params: [super::Param<'_>; 3] =
            [(&now, Type::TIMESTAMPTZ), (&limit, Type::INT4), (&lease_seconds, Type::INT4)];
        let rows = self.call(sql, &params).await?;
        rows.iter()
            .map(|row| row.try_get(0).map(|Json(errand)| errand))
            .collect::<Result<_, _>>()
            .map_err(PostgresError::unexpected)
    }

    /// Writes down what came of what was lent out.
    pub async fn finish_outbox(
        &self,
        results: &[DeliveryResult],
        now: Timestamp,
    ) -> Result<GivenUp, PostgresError> {
        let sql = "select {schema}.finish_outbox($1, $2)";
        self.call_json(sql, &[(&Json(results), Type::JSONB), (&now, Type::TIMESTAMPTZ)]).await
    }

    /// Forgets what others were told more than 30 days ago; answers how many, at most `batch`.
    pub async fn forget_outbox(&self, now: Timestamp, batch: i32) -> Result<i64, PostgresError> {
        let sql = "select {schema}.forget_outbox($1, $2)";
        self.call_value(sql, &[(&now, Type::TIMESTAMPTZ), (&batch, Type::INT4)]).await
    }
}
