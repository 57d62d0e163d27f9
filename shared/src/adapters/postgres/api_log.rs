//! Stores the log of API calls.

use super::function::sql_functions;
use crate::domain::ApiCall;

sql_functions! {
    /// Stores API calls, each once. Returns the number of new rows.
    pub fn store_api_log(calls: &[ApiCall]) -> value i64;
}
