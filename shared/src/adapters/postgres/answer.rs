//! Reads the answers of SQL functions as Rust values.

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Json};

use super::PostgresError;

/// Reads one value of an SQL type.
pub(super) fn value<T: for<'a> FromSql<'a>>(rows: &[Row]) -> Result<T, PostgresError> {
    let row =
        rows.first().ok_or_else(|| PostgresError::unexpected("an SQL function returned no row"))?;
    row.try_get(0).map_err(PostgresError::unexpected)
}

/// Reads one JSON value. SQL's null is JSON's null.
pub(super) fn json<T: DeserializeOwned>(rows: &[Row]) -> Result<T, PostgresError> {
    let value: Option<Value> = value(rows)?;
    serde_json::from_value(value.unwrap_or_default()).map_err(PostgresError::unexpected)
}

/// Reads any number of rows, each with one JSON value.
pub(super) fn rows<T: DeserializeOwned>(rows: &[Row]) -> Result<Vec<T>, PostgresError> {
    let read = |row: &Row| row.try_get(0).map(|Json(value): Json<Value>| value);
    let values =
        rows.iter().map(read).collect::<Result<_, _>>().map_err(PostgresError::unexpected)?;
    serde_json::from_value(Value::Array(values)).map_err(PostgresError::unexpected)
}
