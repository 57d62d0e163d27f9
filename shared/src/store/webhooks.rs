use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_postgres::types::{Json, Type};

use super::{Store, StoreError};

/// An event that could not be applied.
#[derive(Debug, Serialize)]
pub struct FailedEvent<'a> {
    pub id: &'a str,
    #[serde(rename = "type")]
    pub kind: &'a str,
    pub user_id: Option<&'a str>,
    pub customer_id: Option<&'a str>,
    pub payment_id: Option<&'a str>,
}

/// What is known of a dead letter that was just kept.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Kept {
    /// How often it has failed.
    pub attempts: u32,
    /// How many dead letters there are.
    pub open: u64,
}

impl Store {
    /// Keeps an event that could not be applied. None, if it has been meanwhile.
    pub async fn fail_webhook(
        &self,
        event: &FailedEvent<'_>,
        created_at: Timestamp,
        cause: &str,
        payload: &str,
        now: Timestamp,
    ) -> Result<Option<Kept>, StoreError> {
        self.call_json(
            "select {schema}.fail_webhook($1, $2, $3, $4, $5)",
            &[
                (&Json(event), Type::JSONB),
                (&created_at, Type::TIMESTAMPTZ),
                (&cause, Type::TEXT),
                (&payload, Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }
}
