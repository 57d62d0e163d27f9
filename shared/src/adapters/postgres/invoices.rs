//! Lists invoices, and stores those that Stripe lists.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_postgres::types::Type;

use super::argument::{Argument, SqlValue};
use super::function::sql_functions;
use crate::domain::{Observation, UserId};

/// A page of a user's invoices.
#[derive(Debug, Deserialize)]
pub struct InvoicesFound<T> {
    pub invoices: Vec<T>,
    /// The customers that may have invoices which are not stored.
    pub unlisted: Vec<String>,
}

/// The last invoice of a page.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct InvoiceCursor {
    pub created_at: Timestamp,
    pub id: String,
}

impl InvoiceCursor {
    /// Returns whether Postgres accepts the cursor.
    pub fn is_valid(&self) -> bool {
        !self.id.contains('\0')
    }
}

impl<'a> Argument<'a> for Option<&'a InvoiceCursor> {
    const TYPES: &'static [Type] = &[Type::TIMESTAMPTZ, Type::TEXT];

    fn add_to(self, values: &mut Vec<SqlValue<'a>>) {
        self.map(|cursor| cursor.created_at).add_to(values);
        self.map(|cursor| cursor.id.as_str()).add_to(values);
    }
}

sql_functions! {
    pub fn list_invoices<T>(
        user: &UserId,
        behind: Option<&InvoiceCursor>,
        limit: i32,
    ) -> json InvoicesFound<T>;

    /// Stores a page of Stripe's list of a customer's invoices.
    pub fn save_invoices(
        user: &UserId,
        customer: &str,
        observation: &Observation<'_>,
        is_last: bool,
        now: Timestamp,
    );
}
