//! The terms of a checkout session.

use serde::Deserialize;

/// The terms of a checkout session, as Postgres stored them before Farebox called Stripe.
#[derive(Clone, Debug, Deserialize)]
pub struct CheckoutTerms {
    pub price: String,
    pub quantity: u64,
    pub plan: Option<String>,
    pub plan_version: Option<i32>,
    pub interval: Option<String>,
    pub pack: Option<String>,
    pub pack_version: Option<i32>,
    /// False if the page accepts no promotion codes. Absent means true.
    pub promotion_codes: Option<bool>,
    pub trial_days: Option<u32>,
    pub currency: Option<String>,
    pub email: Option<String>,
    pub success_url: String,
    pub cancel_url: String,
    pub automatic_tax: bool,
}
