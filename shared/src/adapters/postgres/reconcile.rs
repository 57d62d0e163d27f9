//! Compares Farebox with Stripe and with import files, and stores the cursors of jobs.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::types::Type;

use super::argument::Parameter;
use super::function::sql_functions;
use crate::domain::Entitlement;
use crate::domain::facts::Facts;

/// The result of comparing Farebox's subscriptions with Stripe's.
#[derive(Debug, Deserialize)]
pub struct SubscriptionComparison {
    /// The number of subscriptions of erased users, or without a known user to prices outside the
    /// catalog.
    pub foreign: u64,
    /// The ids of live subscriptions to a catalog price that name no user.
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

/// The subscriptions in these facts, as a JSON array.
impl Parameter for Vec<&Facts> {
    const TYPE: Type = Type::JSONB;
    type Sql = Value;

    fn into_sql(self) -> Value {
        let facts = self.into_iter().filter_map(|facts| facts.as_json().get("subscription"));
        Value::Array(facts.cloned().collect())
    }
}

sql_functions! {
    /// Returns which of these events were never received.
    pub fn missing_events(ids: &[&str]) -> value Vec<String>;

    /// Compares Farebox's subscriptions with Stripe's state at the time `at`.
    pub fn compare_subscriptions(facts: Vec<&Facts>, at: Timestamp) -> json SubscriptionComparison;

    /// Returns Farebox's live subscriptions created between two times that are not in `ids`.
    pub fn unlisted_subscriptions(
        ids: &[&str],
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        limit: i32,
    ) -> value Vec<String>;

    /// Returns where a job that takes several runs continues.
    pub fn job_cursor(job: &str) -> value Option<String>;

    pub fn save_job_cursor(job: &str, cursor: Option<&str>, now: Timestamp);

    /// Returns a result for each customer: `same`, `new`, `taken` or `erased`.
    pub fn compare_customers(customers: &Value) -> json Vec<String>;

    /// Returns a result for each line of credits: `same`, `new`, `taken`, `unknown_unit` or
    /// `erased`.
    pub fn compare_opening_balances(lines: &Value) -> json Vec<String>;

    /// Posts a user's opening balance. None if it was posted before.
    pub fn post_opening_balance(
        user: &str,
        unit: &str,
        credits: i64,
        now: Timestamp,
    ) -> json Option<Entitlement>;
}
