//! `/v1/account`: the simulator's only account.

use serde_json::{Value, json};

use crate::api::{Call, Route};
use crate::error::StripeError;
use crate::world::World;

pub const ROUTES: &[Route] = &[Route::get("/v1/account", retrieve)];

pub const ID: &str = "acct_1FareboxSimulator";

fn retrieve(_: &mut World, call: &Call) -> Result<Value, StripeError> {
    call.form.finish()?;
    let nothing_due = json!({
        "alternatives": [],
        "current_deadline": null,
        "currently_due": [],
        "disabled_reason": null,
        "errors": [],
        "eventually_due": [],
        "past_due": [],
        "pending_verification": [],
    });
    Ok(json!({
        "id": ID,
        "object": "account",
        "business_profile": {
            "annual_revenue": null,
            "estimated_worker_count": null,
            "mcc": null,
            "minority_owned_business_designation": null,
            "name": "Farebox simulator",
            "product_description": null,
            "specified_commercial_transactions_act_url": null,
            "support_address": null,
            "support_email": null,
            "support_phone": null,
            "support_url": null,
            "url": null,
        },
        "business_type": null,
        "capabilities": { "card_payments": "active", "transfers": "active" },
        "charges_enabled": true,
        "controller": { "type": "account" },
        "country": "US",
        "created": 1_700_000_000,
        "default_currency": "usd",
        "details_submitted": true,
        "email": "simulator@farebox.example",
        "external_accounts": {
            "object": "list",
            "data": [],
            "has_more": false,
            "total_count": 0,
            "url": format!("/v1/accounts/{ID}/external_accounts"),
        },
        "future_requirements": nothing_due,
        "metadata": {},
        "payouts_enabled": true,
        "requirements": nothing_due,
        "settings": settings(),
        "tos_acceptance": { "date": null, "ip": null, "user_agent": null },
        "type": "standard",
    }))
}

fn settings() -> Value {
    json!({
        "bacs_debit_payments": { "display_name": null, "service_user_number": null },
        "branding": { "icon": null, "logo": null, "primary_color": null, "secondary_color": null },
        "card_issuing": { "tos_acceptance": { "date": null, "ip": null } },
        "card_payments": {
            "decline_on": { "avs_failure": false, "cvc_failure": false },
            "statement_descriptor_prefix": null,
            "statement_descriptor_prefix_kana": null,
            "statement_descriptor_prefix_kanji": null,
        },
        "dashboard": { "display_name": "Farebox simulator", "timezone": "Etc/UTC" },
        "invoices": { "default_account_tax_ids": null, "hosted_payment_method_save": "offer" },
        "payments": {
            "statement_descriptor": "FAREBOX SIMULATOR",
            "statement_descriptor_kana": null,
            "statement_descriptor_kanji": null,
            "statement_descriptor_prefix_kana": null,
            "statement_descriptor_prefix_kanji": null,
        },
        "payouts": {
            "debit_negative_balances": true,
            "schedule": { "delay_days": 2, "interval": "daily" },
            "statement_descriptor": null,
        },
        "sepa_debit_payments": {},
    })
}
