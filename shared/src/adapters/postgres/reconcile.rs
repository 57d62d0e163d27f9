use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::types::Type;

use super::{Postgres, PostgresError};
use crate::domain::Entitlement;
use crate::domain::facts::Facts;

/// How subscriptions here compare with what Stripe answered.
#[derive(Debug, Deserialize)]
pub struct SubscriptionComparison {
    /// How many are none of ours.
    pub foreign: u64,
    /// Those that live, at a price of the catalog's, and of which nothing says whose they are.
    pub unnamed: Vec<String>,
    pub drifted: Vec<SubscriptionDrift>,
}

/// A subscription that Farebox stores differently from Stripe.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionDrift {
    /// The subscription's id at Stripe.
    pub id: String,
    /// The user who has the subscription, if known.
    pub user_id: Option<String>,
    /// The fields that differ.
    pub fields: Vec<FieldDifference>,
}

/// A field of a subscription that differs between Farebox and Stripe.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct FieldDifference {
    pub field: String,
    /// Farebox's value; null for a subscription that Farebox did not know.
    pub ours: Value,
    /// Stripe's value.
    pub stripes: Value,
}

impl Postgres {
    /// Which of these events were never heard of.
    pub async fn unheard_events(&self, ids: &[&str]) -> Result<Vec<String>, PostgresError> {
        let sql = "select {schema}.unheard_events($1)";
        self.call_value(sql, &[(&ids, Type::TEXT_ARRAY)]).await
    }

    /// Where what is here differs from subscriptions that were so at Stripe at that moment.
    pub async fn compare_subscriptions<'a>(
        &self,
        facts: impl IntoIterator<Item = &'a Facts>,
        at: Timestamp,
    ) -> Result<SubscriptionComparison, PostgresError> {
        let facts = facts.into_iter().filter_map(|facts| facts.as_json().get("subscription"));
        let facts = Value::Array(facts.cloned().collect());
        let sql = "select {schema}.compare_subscriptions($1, $2)";
        self.call_json(sql, &[(&facts, Type::JSONB), (&at, Type::TIMESTAMPTZ)]).await
    }

    /// Which subscriptions that live here are not among these, of those created between two moments.
    pub async fn unlisted_subscriptions(
        &self,
        ids: &[&str],
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        limit: i32,
    ) -> Result<Vec<String>, PostgresError> {
        self.call_value(
            "select {schema}.unlisted_subscriptions($1, $2, $3, $4)",
            &[
                (&ids, Type::TEXT_ARRAY),
                (&from, Type::TIMESTAMPTZ),
                (&to, Type::TIMESTAMPTZ),
                (&limit, Type::INT4),
            ],
        )
        .await
    }

    /// Where a job that takes several runs goes on.
    pub async fn job_cursor(&self, job: &str) -> Result<Option<String>, PostgresError> {
        self.call_value("select {schema}.job_cursor($1)", &[(&job, Type::TEXT)]).await
    }

    pub async fn keep_job_cursor(
        &self,
        job: &str,
        cursor: Option<&str>,
        now: Timestamp,
    ) -> Result<(), PostgresError> {
        let sql = "select {schema}.keep_job_cursor($1, $2, $3)";
        let params: [super::Param<'_>; 3] =
            [(&job, Type::TEXT), (&cursor, Type::TEXT), (&now, Type::TIMESTAMPTZ)];
        self.call(sql, &params).await.map(drop)
    }

    /// A word for each customer: `same`, `new`, `taken` or `erased`.
    pub async fn compare_customers(&self, customers: &Value) -> Result<Vec<String>, PostgresError> {
        let sql = "select {schema}.compare_customers($1)";
        self.call_json(sql, &[(customers, Type::JSONB)]).await
    }

    /// A word for each line of credits: `same`, `new`, `taken`, `unknown_unit` or `erased`.
    pub async fn compare_credits(&self, lines: &Value) -> Result<Vec<String>, PostgresError> {
        let sql = "select {schema}.compare_credits($1)";
        self.call_json(sql, &[(lines, Type::JSONB)]).await
    }

    /// Posts the credits a user brings along. None, if they were posted before.
    pub async fn post_opening_credits(
        &self,
        user: &str,
        unit: &str,
        credits: i64,
        now: Timestamp,
    ) -> Result<Option<Entitlement>, PostgresError> {
        self.call_json(
            "select {schema}.post_opening_credits($1, $2, $3, $4)",
            &[
                (&user, Type::TEXT),
                (&unit, Type::TEXT),
                (&credits, Type::INT8),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }
}
