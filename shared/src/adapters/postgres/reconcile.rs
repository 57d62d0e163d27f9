//! Comparisons with Stripe and with import files, and the cursors of jobs.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::types::Type;

use super::argument::Parameter;
use super::function::sql_functions;
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

/// The facts of subscriptions.
impl Parameter for Vec<&Facts> {
    const TYPE: Type = Type::JSONB;
    type Sql = Value;

    fn into_sql(self) -> Value {
        let facts = self.into_iter().filter_map(|facts| facts.as_json().get("subscription"));
        Value::Array(facts.cloned().collect())
    }
}

sql_functions! {
    /// Answers which of these events were never received.
    pub fn missing_events(ids: &[&str]) -> value Vec<String>;

    /// Compares Farebox's subscriptions with Stripe's, as Stripe had them at that time.
    pub fn compare_subscriptions(facts: Vec<&Facts>, at: Timestamp) -> json SubscriptionComparison;

    /// Answers which subscriptions that Farebox has, created between two times, are not among these.
    pub fn unlisted_subscriptions(
        ids: &[&str],
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        limit: i32,
    ) -> value Vec<String>;

    /// Answers where a job that takes several runs continues.
    pub fn job_cursor(job: &str) -> value Option<String>;

    pub fn save_job_cursor(job: &str, cursor: Option<&str>, now: Timestamp);

    /// Answers a word for each customer: `same`, `new`, `taken` or `erased`.
    pub fn compare_customers(customers: &Value) -> json Vec<String>;

    /// Answers a word for each line of credits: `same`, `new`, `taken`, `unknown_unit` or `erased`.
    pub fn compare_opening_balances(lines: &Value) -> json Vec<String>;

    /// Posts a user's opening balance. None if it was posted before.
    pub fn post_opening_balance(
        user: &str,
        unit: &str,
        credits: i64,
        now: Timestamp,
    ) -> json Option<Entitlement>;
}
