use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::types::{Json, Type};

use super::{Postgres, PostgresError};
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

impl Postgres {
    pub async fn begin_checkout(
        &self,
        user: &UserId,
        purchase: &Purchase,
        once: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> Result<Checkout, PostgresError> {
        self.call_json(
            "select {schema}.begin_checkout($1, $2, $3, $4, $5)",
            &[
                (&user.as_str(), Type::TEXT),
                (&Json(purchase), Type::JSONB),
                (&once.map(IdempotencyKey::key), Type::TEXT),
                (&once.map(IdempotencyKey::fingerprint), Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    /// Whether the request was still ours: if not, whoever took it over has closed our session.
    pub async fn finish_checkout(
        &self,
        request: i64,
        customer: &str,
        session: &Value,
        answer: &Value,
        now: Timestamp,
    ) -> Result<bool, PostgresError> {
        self.call_value(
            "select {schema}.finish_checkout($1, $2, $3, $4, $5)",
            &[
                (&request, Type::INT8),
                (&customer, Type::TEXT),
                (&session, Type::JSONB),
                (&answer, Type::JSONB),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
    }

    /// Gives up a request: for good where Stripe said no, else until somebody goes on with it.
    pub async fn release_stripe_request(
        &self,
        request: i64,
        forget: ReleaseScope,
        now: Timestamp,
    ) -> Result<(), PostgresError> {
        let request_too = forget != ReleaseScope::Nothing;
        let customer_too = forget == ReleaseScope::RequestAndCustomer;
        self.call(
            "select {schema}.release_stripe_request($1, $2, $3, $4)",
            &[
                (&request, Type::INT8),
                (&request_too, Type::BOOL),
                (&customer_too, Type::BOOL),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await
        .map(drop)
    }

    /// Forgets requests of more than a day ago; answers how many, at most `batch`.
    pub async fn forget_stripe_requests(
        &self,
        now: Timestamp,
        batch: i32,
    ) -> Result<i64, PostgresError> {
        let sql = "select {schema}.forget_stripe_requests($1, $2)";
        self.call_value(sql, &[(&now, Type::TIMESTAMPTZ), (&batch, Type::INT4)]).await
    }

    pub async fn forget_customer(
        &self,
        user: &UserId,
        customer: &str,
        now: Timestamp,
    ) -> Result<(), PostgresError> {
        let sql = "select {schema}.forget_customer($1, $2, $3)";
        let params: [super::Param<'_>; 3] =
            [(&user.as_str(), Type::TEXT), (&customer, Type::TEXT), (&now, Type::TIMESTAMPTZ)];
        self.call(sql, &params).await.map(drop)
    }

    /// A user's own session; none for anybody else's.
    pub async fn get_checkout_session<T: serde::de::DeserializeOwned>(
        &self,
        user: &UserId,
        session: &str,
    ) -> Result<Option<T>, PostgresError> {
        let sql = "select {schema}.get_checkout_session($1, $2)";
        self.call_json(sql, &[(&user.as_str(), Type::TEXT), (&session, Type::TEXT)]).await
    }
}
