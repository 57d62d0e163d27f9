//! The settings of a session: what its page collects, and the data for the objects it creates.

use serde_json::{Value, json};

use crate::api::metadata;
use crate::api::params::Params;
use crate::api::subscriptions::fields;
use crate::error::StripeError;
use crate::world::shapes;

/// Stripe's parameters that have no effect here.
const WITHOUT_EFFECT: &[&str] = &[
    "adaptive_pricing",
    "after_expiration",
    "branding_settings",
    "custom_text",
    "excluded_payment_method_types",
    "integration_identifier",
    "managed_payments",
    "name_collection",
    "origin_context",
    "payment_method_configuration",
    "payment_method_data",
    "payment_method_options",
    "saved_payment_method_options",
    "setup_intent_data",
    "wallet_options",
];

const METHOD_TYPES: &[&str] = &["card", "link", "sepa_debit", "us_bank_account"];

/// Reads the fields that define how the session's page behaves.
pub fn read(form: &Params, mode: &str) -> Result<Value, StripeError> {
    let address = form.choice("billing_address_collection", &["auto", "required"])?;
    let mut fields = json!({
        "allow_promotion_codes": form.boolean("allow_promotion_codes")?,
        "billing_address_collection": address,
        "cancel_url": form.text("cancel_url")?,
        "client_reference_id": form.text("client_reference_id")?,
        "customer_email": form.text("customer_email")?,
        "locale": form.text("locale")?,
        "metadata": metadata::of(form)?,
        "submit_type": form.choice("submit_type", &["auto", "book", "donate", "pay", "subscribe"])?,
    });
    if let Some(other) = form
        .choice("ui_mode", &["elements", "embedded_page", "form", "hosted_page"])?
        .filter(|mode| *mode != "hosted_page")
    {
        return Err(
            form.refuse("ui_mode", format!("The mode {other} is not simulated: use hosted_page."))
        );
    }
    fields["success_url"] = json!(form.need_text("success_url")?);
    read_collection(form, mode, &mut fields)?;
    read_customer_settings(form, mode, &mut fields)?;
    if let Some(types) = form.texts("payment_method_types")? {
        if let Some(other) = types.iter().find(|kind| !METHOD_TYPES.contains(&kind.as_str())) {
            return Err(form.refuse(
                "payment_method_types",
                format!("The payment method type {other} is not simulated."),
            ));
        }
        fields["payment_method_types"] = json!(types);
    }
    form.ignore(WITHOUT_EFFECT);
    Ok(fields)
}

fn read_collection(form: &Params, mode: &str, fields: &mut Value) -> Result<(), StripeError> {
    if let Some(tax) = form.object("automatic_tax")? {
        let enabled = tax.boolean("enabled")?.unwrap_or(false);
        tax.ignore(&["liability"]);
        fields["automatic_tax"] = json!({
            "enabled": enabled,
            "liability": if enabled { json!({ "type": "self" }) } else { Value::Null },
            "provider": if enabled { json!("stripe") } else { Value::Null },
            "status": if enabled { json!("requires_location_inputs") } else { Value::Null },
        });
    }
    if let Some(tax_id) = form.object("tax_id_collection")? {
        let enabled = tax_id.boolean("enabled")?.unwrap_or(false);
        let required = tax_id.choice("required", &["if_supported", "never"])?.unwrap_or("never");
        fields["tax_id_collection"] = json!({ "enabled": enabled, "required": required });
    }
    if let Some(phone) = form.object("phone_number_collection")? {
        fields["phone_number_collection"] =
            json!({ "enabled": phone.boolean("enabled")?.unwrap_or(false) });
    }
    let collects = form.choice("payment_method_collection", &["always", "if_required"])?;
    if collects.is_some() && mode != "subscription" {
        let message = "You can only set `payment_method_collection` if there are recurring prices.";
        return Err(form.refuse("payment_method_collection", message.to_owned()));
    }
    fields["payment_method_collection"] =
        json!(collects.unwrap_or(if mode == "payment" { "if_required" } else { "always" }));
    if let Some(consent) = form.object("consent_collection")? {
        fields["consent_collection"] = json!({
            "payment_method_reuse_agreement": null,
            "promotions": consent.choice("promotions", &["auto", "none"])?,
            "terms_of_service": consent.choice("terms_of_service", &["none", "required"])?,
        });
        consent.ignore(&["payment_method_reuse_agreement"]);
    }
    Ok(())
}

fn read_customer_settings(
    form: &Params,
    mode: &str,
    fields: &mut Value,
) -> Result<(), StripeError> {
    let creation = form.choice("customer_creation", &["always", "if_required"])?;
    if creation.is_some() && mode == "subscription" {
        let message = "`customer_creation` can only be used in `payment` and `setup` mode.";
        return Err(form.refuse("customer_creation", message.to_owned()));
    }
    let default = (mode == "payment" && !form.has("customer")).then_some("if_required");
    fields["customer_creation"] = json!(
        creation
            .or(default)
            .or((mode == "subscription" && !form.has("customer")).then_some("always"))
    );
    Ok(())
}

/// Reads the data for the subscription, the payment intent and the invoice.
pub fn read_data(form: &Params, mode: &str) -> Result<Value, StripeError> {
    let mut notes = json!({});
    let subscription = form.object("subscription_data")?;
    if subscription.is_some() && mode != "subscription" {
        let message = "You can not pass `subscription_data` in `payment` mode.";
        return Err(form.refuse("subscription_data", message.to_owned()));
    }
    if let Some(data) = subscription {
        notes["subscription_data"] = read_subscription(&data)?;
    }
    let intent = form.object("payment_intent_data")?;
    if intent.is_some() && mode != "payment" {
        let message = "You can not pass `payment_intent_data` in `subscription` mode.";
        return Err(form.refuse("payment_intent_data", message.to_owned()));
    }
    if let Some(data) = intent {
        notes["payment_intent_data"] = read_intent(&data)?;
    }
    if let Some(update) = form.object("customer_update")? {
        let words = &["auto", "never"];
        notes["customer_update"] = json!({
            "address": update.choice("address", words)?, "name": update.choice("name", words)?,
        });
        update.ignore(&["shipping"]);
        if !form.has("customer") {
            let message = "`customer_update` can only be used with `customer`.";
            return Err(form.refuse("customer_update", message.to_owned()));
        }
    }
    if let Some(creation) = form.object("invoice_creation")? {
        notes["invoice_data"] = read_invoice_creation(&creation, mode)?;
    }
    Ok(notes)
}

fn read_subscription(data: &Params) -> Result<Value, StripeError> {
    let mut fields = json!({
        "description": data.text("description")?,
        "metadata": metadata::of(data)?,
        "trial_end": data.integer("trial_end")?,
        "trial_period_days": fields::read_trial_days(data)?,
    });
    fields::read_trial_settings(data, &shapes::part("subscription"), &mut fields)?;
    fields::read_billing_mode(data, &mut fields)?;
    data.ignore(&[
        "application_fee_percent",
        "default_tax_rates",
        "invoice_settings",
        "on_behalf_of",
        "pending_invoice_item_interval",
        "proration_behavior",
        "transfer_data",
    ]);
    Ok(fields)
}

fn read_intent(data: &Params) -> Result<Value, StripeError> {
    let fields = json!({
        "description": data.text("description")?,
        "metadata": metadata::of(data)?,
        "receipt_email": data.text("receipt_email")?,
        "setup_future_usage": data.choice("setup_future_usage", &["off_session", "on_session"])?,
        "statement_descriptor": data.text("statement_descriptor")?,
        "statement_descriptor_suffix": data.text("statement_descriptor_suffix")?,
        "transfer_group": data.text("transfer_group")?,
    });
    if data.choice("capture_method", &["automatic", "automatic_async", "manual"])? == Some("manual")
    {
        return Err(data.refuse(
            "capture_method",
            "Manual capture is not simulated: use automatic or automatic_async.".to_owned(),
        ));
    }
    data.ignore(&["application_fee_amount", "on_behalf_of", "shipping", "transfer_data"]);
    Ok(fields)
}

/// The session's `invoice_creation` field.
pub fn invoice_creation(noted: &Value) -> Value {
    let mut creation = shapes::part("invoice_creation");
    creation["enabled"] = json!(noted["enabled"] == true);
    for name in ["description", "footer", "metadata"] {
        if !noted[name].is_null() {
            creation["invoice_data"][name] = noted[name].clone();
        }
    }
    creation
}

fn read_invoice_creation(creation: &Params, mode: &str) -> Result<Value, StripeError> {
    if mode != "payment" {
        let message = "`invoice_creation` can only be used in `payment` mode.";
        return Err(creation.refuse("enabled", message.to_owned()));
    }
    let mut noted = json!({ "enabled": creation.boolean("enabled")?.unwrap_or(false) });
    if let Some(data) = creation.object("invoice_data")? {
        noted["description"] = json!(data.text("description")?);
        noted["footer"] = json!(data.text("footer")?);
        noted["metadata"] = metadata::of(&data)?;
        data.ignore(&["account_tax_ids", "custom_fields", "issuer", "rendering_options"]);
    }
    Ok(noted)
}
