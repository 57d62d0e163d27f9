//! The terms of a checkout session.

use serde::Deserialize;

/// Everything that decides what a checkout session is asked to be, as it was written down.
#[derive(Clone, Debug, Deserialize)]
pub struct CheckoutTerms {
    pub price: String,
    pub quantity: u64,
    pub plan: Option<String>,
    pub plan_version: Option<i32>,
    pub interval: Option<String>,
    pub pack: Option<String>,
    pub pack_version: Option<i32>,
    /// Whether the page takes promotion codes; it does where nothing was written down of it.
    pub promotion_codes: Option<bool>,
    pub trial_days: Option<u32>,
    pub currency: Option<String>,
    pub email: Option<String>,
    pub success_url: String,
    pub cancel_url: String,
    pub automatic_tax: bool,
}
