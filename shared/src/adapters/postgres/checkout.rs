//! Checkout: claiming a request to Stripe, and storing what came of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::types::Type;

use super::argument::{Argument, SqlValue};
use super::function::sql_functions;
use crate::domain::{
    BillingInterval, CatalogKey, CheckoutTerms, Currency, Email, IdempotencyKey, Quantity,
    ReturnUrl, UserId,
};

/// What a user wants to buy, and where Stripe sends them afterwards.
#[derive(Debug, Serialize)]
pub struct Purchase {
    #[serde(flatten)]
    pub wanted: Wanted,
    pub quantity: Option<Quantity>,
    pub currency: Option<Currency>,
    pub email: Option<Email>,
    /// The user named the address, not a trusted server: it may belong to another person.
    pub email_is_claimed: bool,
    pub success_url: ReturnUrl,
    pub cancel_url: ReturnUrl,
    pub automatic_tax: bool,
}

#[derive(Debug, Serialize)]
#[serde(tag = "mode", rename_all = "lowercase")]
pub enum Wanted {
    Subscription { plan: CatalogKey, interval: BillingInterval },
    Payment { pack: CatalogKey },
}

/// How a checkout begins.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checkout {
    /// The first answer to this idempotency key.
    Answer(Value),
    Claimed(Box<ClaimedCheckout>),
}

/// The requests to send to Stripe. This process holds a lease on them until it finishes or releases
/// them.
#[derive(Debug, Deserialize)]
pub struct ClaimedCheckout {
    pub request: i64,
    pub stripe_key: String,
    pub terms: CheckoutTerms,
    pub customer: Customer,
    pub unconfirmed_session: Option<UnconfirmedSession>,
    /// The session that this one replaces.
    pub open_session: Option<String>,
}

/// A session that was requested before, and of which no answer arrived: it may exist.
#[derive(Debug, Deserialize)]
pub struct UnconfirmedSession {
    pub stripe_key: String,
    pub terms: CheckoutTerms,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Customer {
    Known(String),
    New { stripe_key: String, email: Option<String> },
}

/// The stored requests to delete when the lease on a request is released. Stripe answers a key the same
/// forever, so a request that it refused for good needs a new key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReleaseScope {
    /// A retry continues with it.
    Nothing,
    Request,
    RequestAndCustomer,
}

/// Whether Stripe refused the request for good, and whether it refused to create the customer for good.
impl<'a> Argument<'a> for ReleaseScope {
    const TYPES: &'static [Type] = &[Type::BOOL, Type::BOOL];

    fn add_to(self, values: &mut Vec<SqlValue<'a>>) {
        (self != Self::Nothing).add_to(values);
        (self == Self::RequestAndCustomer).add_to(values);
    }
}

sql_functions! {
    pub fn begin_checkout(
        user: &UserId,
        purchase: &Purchase,
        idempotency_key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> json Checkout;

    /// Answers whether this process still held the request. If not, another one took it over and has
    /// closed the session.
    pub fn finish_checkout(
        request: i64,
        customer: &str,
        session: &Value,
        answer: &Value,
        now: Timestamp,
    ) -> value bool;

    /// Releases the lease on a request, and forgets what `scope` says.
    pub fn release_stripe_request(request: i64, scope: ReleaseScope, now: Timestamp);

    /// Clears the user's Stripe customer, which was deleted at Stripe.
    pub fn unlink_customer(user: &UserId, customer: &str, now: Timestamp);

    /// Answers the user's own session; none for a session of another user.
    pub fn get_checkout_session<T>(user: &UserId, session: &str) -> json Option<T>;
}
