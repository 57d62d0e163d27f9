//! Deletes rows whose retention has ended.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::function::sql_functions;

/// The result of deleting a batch of a table's expired rows.
#[derive(Debug, Deserialize)]
pub struct DeletedBatch {
    /// The number of rows deleted, or cleared of expired values.
    pub rows: i64,
    pub has_more: bool,
}

/// The partitions that a run of the daily job created and dropped. Each covers a day or a month.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct PartitionReport {
    /// The partitions made for this month and the next two, or for today and the next six days.
    pub made: Vec<String>,
    /// The partitions dropped with all their rows.
    pub dropped: Vec<String>,
    /// The partitions that could not be made or dropped, because of a lock or of rows that are
    /// already in the default partition.
    pub postponed: Vec<String>,
}

sql_functions! {
    /// Deletes a batch of expired rows from each of these tables, or from all if `tables` is empty.
    /// Returns the result of each table.
    pub fn delete_expired(
        tables: &[&str],
        now: Timestamp,
        batch: i32,
    ) -> json BTreeMap<String, DeletedBatch>;

    /// Creates the partitions of the next days and months, and drops expired ones.
    pub fn rotate_partitions(now: Timestamp) -> json PartitionReport;
}
