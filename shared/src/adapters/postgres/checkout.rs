use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::types::Type;

use super::argument::{Argument, SqlValue};
use super::function::sql_functions;
use crate::domain::IdempotencyKey;
use crate::domain::{
    BillingInterval, CatalogKey, CheckoutTerms, Currency, Email, Quantity, ReturnUrl, UserId,
};

/// What a user wants to buy, and where they go after that.
#[derive(Debug, Serialize)]
pub struct Purchase {
    #[serde(flatten)]
    pub wanted: Wanted,
    pub quantity: Option<Quantity>,
    pub currency: Option<Currency>,
    pub email: Option<Email>,
    /// The user named the address, and no trusted server: it may be a stranger's.
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

/// What came of asking to buy.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checkout {
    /// What this idempotency key was answered before.
    Answer(Value),
    Begun(Box<ClaimedCheckout>),
}

/// What to ask of Stripe. It belongs to whoever got it, until it is finished or given up.
#[derive(Debug, Deserialize)]
pub struct ClaimedCheckout {
    pub request: i64,
    pub stripe_key: String,
    pub terms: CheckoutTerms,
    pub customer: Customer,
    /// A session that somebody asked for and gave up: it may exist.
    pub unfinished: Option<UnconfirmedSession>,
    /// The session that this one takes the place of.
    pub open_session: Option<String>,
}

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

/// What of a request to Stripe is given up for good: Stripe would answer its key the same for ever.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReleaseScope {
    /// Whoever retries goes on with it.
    Nothing,
    Request,
    RequestAndCustomer,
}

/// Whether to forget the request, and whether to forget how its customer is created.
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

    /// Gives up the lease on a request: the next call of the user continues with what `scope` leaves.
    pub fn release_stripe_request(request: i64, scope: ReleaseScope, now: Timestamp);

    /// Deletes at most `batch` requests older than a day, and answers how many.
    pub fn forget_stripe_requests(now: Timestamp, batch: i32) -> value i64;

    pub fn forget_customer(user: &UserId, customer: &str, now: Timestamp);

    /// Answers the user's own session; none for a session of another user.
    pub fn get_checkout_session<T>(user: &UserId, session: &str) -> json Option<T>;
}
