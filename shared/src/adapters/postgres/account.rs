//! Exports and erases accounts.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::credits::repeat_if_changed;
use super::function::sql_functions;
use super::{OutboxMessage, Postgres, PostgresError};
use crate::domain::UserId;

/// One thing that Farebox stores about a user.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub struct AccountRecord {
    #[serde(rename = "type")]
    pub kind: AccountRecordType,
    /// The fields of the record. A field that was added since this document was written can be
    /// among them.
    pub data: Map<String, Value>,
}

/// The kind of a record of an account, in the order of the export.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountRecordType {
    /// The live stats of the companion app, as `GET /api/dashboard` returns them.
    Stats,
    /// The account itself, with the address that the user gave at a checkout.
    Account,
    /// A customer at Stripe, with the e-mail address that Stripe last reported.
    Customer,
    /// The plan that the user has now.
    Entitlement,
    /// A subscription at Stripe.
    Subscription,
    /// A change of the subscription whose price was computed.
    SubscriptionPreview,
    /// A plan that an operator gave without Stripe.
    PlanComp,
    /// A checkout session at Stripe.
    CheckoutSession,
    /// A change that Farebox requested from Stripe, with its parameters and its answer.
    StripeRequest,
    /// A payment, or an attempt to pay.
    Payment,
    /// A refund of one of the payments.
    Refund,
    /// A dispute of one of the payments.
    Dispute,
    /// An invoice, with its links at Stripe.
    Invoice,
    /// The balance of one unit of credits.
    CreditBalance,
    /// Credits that were given, and what remains of them.
    CreditGrant,
    /// A movement of credits.
    LedgerEntry,
    /// The usage of a metered feature in the latest period in which it was used.
    UsageCounter,
    /// The usage of a metered feature in an earlier period.
    UsagePeriod,
    /// One report of usage that has metadata.
    UsageEntry,
    /// An entry of the user's history, such as a review or a chat.
    HistoryEntry,
    /// The user's feedback on an entry of the history.
    HistoryFeedback,
    /// A change of a subscription, an invoice or a payment.
    BillingEvent,
    /// The same, from before Stripe's customer was known to be the user's.
    EarlierBillingEvent,
    /// An e-mail or another message that is queued or was sent.
    OutboxMessage,
    /// A change by an operator or a trusted server.
    AuditEntry,
    /// An event from Stripe that could not be applied.
    FailedWebhook,
    /// A call of the API that was logged.
    ApiCall,
    /// A movement of an organisation's credits that the user made as its member.
    OrganisationLedgerEntry,
    /// A report of an organisation's usage that the user made as its member.
    OrganisationUsageEntry,
    /// An entry of an organisation's history that the user added as its member.
    OrganisationHistoryEntry,
    /// The user's feedback on an entry of an organisation's history.
    OrganisationHistoryFeedback,
}

/// The last record of a page, by its section and its key there.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AccountCursor {
    pub section: String,
    pub after: Vec<String>,
}

/// A page of an account's records.
#[derive(Debug, Deserialize)]
pub struct AccountPage {
    pub records: Vec<AccountRecord>,
    pub next: Option<AccountCursor>,
}

impl AccountCursor {
    const MAX_BYTES: usize = 300;

    /// Returns false for a cursor that no page has, such as one with text that Postgres cannot
    /// read. SQL checks the section and the type of its key.
    pub fn is_valid(&self) -> bool {
        let texts = self.after.iter().chain([&self.section]);
        (1..=3).contains(&self.after.len())
            && texts.into_iter().all(|text| text.len() <= Self::MAX_BYTES && !text.contains('\0'))
    }
}

impl Postgres {
    /// Returns at most `limit` records, from the first or after `cursor`.
    pub async fn account_page(
        &self,
        user: &UserId,
        cursor: Option<&AccountCursor>,
        limit: i32,
    ) -> Result<AccountPage, PostgresError> {
        let section = cursor.map(|cursor| cursor.section.as_str());
        let after: Option<Vec<&str>> =
            cursor.map(|cursor| cursor.after.iter().map(String::as_str).collect());
        self.export_account(user, section, after.as_deref(), limit).await
    }

    /// Deletes a user with all their data. Returns the message with what is left to do outside
    /// Postgres, leased to this process. Repeats the call if a purchase of the user came between.
    pub async fn erase_account(
        &self,
        user: &UserId,
        now: Timestamp,
    ) -> Result<OutboxMessage, PostgresError> {
        repeat_if_changed(|| self.erase_user(user, now)).await
    }
}

sql_functions! {
    fn export_account(
        user: &UserId,
        section: Option<&str>,
        after: Option<&[&str]>,
        limit: i32,
    ) -> json AccountPage;

    fn erase_user(user: &UserId, now: Timestamp) -> json OutboxMessage;

    /// Marks Stripe customers of an erased user that Farebox did not know. Returns those to delete
    /// at Stripe.
    pub fn erase_customers(
        user: &UserId,
        customers: &[&str],
        now: Timestamp,
    ) -> value Vec<String>;
}
