//! Checkout: claims a request to Stripe and stores its result.

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

/// A plan or a credit pack to buy, and the return URLs.
#[derive(Debug, Serialize)]
pub struct Purchase {
    #[serde(flatten)]
    pub wanted: Wanted,
    pub quantity: Option<Quantity>,
    pub currency: Option<Currency>,
    pub email: Option<Email>,
    /// True if the user, not a trusted server, entered the address. It may belong to another
    /// person.
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

/// The result of beginning a checkout.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checkout {
    /// The stored answer to this idempotency key.
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

/// A session that was requested before and may exist: Stripe's answer did not arrive.
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

/// The stored requests to delete when a lease is released. Stripe repeats its answer to an
/// idempotency key, so a request that it refused for good needs a new key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReleaseScope {
    /// A retry continues the stored request.
    Nothing,
    Request,
    RequestAndCustomer,
}

/// Two flags: Stripe refused the request for good, and it refused to create the customer for good.
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

    /// Returns whether this process still held the request. If not, another process took it over
    /// and closes this session. Refuses an erased user.
    pub fn finish_checkout(
        user: &UserId,
        request: i64,
        customer: &str,
        session: &Value,
        answer: &Value,
        now: Timestamp,
    ) -> value bool;

    /// Releases the lease on a request, and deletes the stored requests in `scope`.
    pub fn release_stripe_request(request: i64, scope: ReleaseScope, now: Timestamp);

    /// Clears the user's Stripe customer, which was deleted at Stripe.
    pub fn unlink_customer(user: &UserId, customer: &str, now: Timestamp);

    /// Returns a session of the user; none for a session of another user.
    pub fn get_checkout_session<T>(user: &UserId, session: &str) -> json Option<T>;
}
