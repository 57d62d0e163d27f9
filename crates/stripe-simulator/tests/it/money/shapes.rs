//! Objects about money have all fields of Stripe's API version.

use serde_json::{Value, json};

use super::{customer, id, price, session, submit, subscribe, with};
use crate::support::Stripe;

/// The fields of each kind, in alphabetical order.
const FIELDS: &[(&str, &str)] = &[
    (
        "balance_transaction",
        "amount available_on balance_type created currency description exchange_rate fee \
         fee_details id net object reporting_category source status type",
    ),
    (
        "billing_portal.configuration",
        "active application business_profile created default_return_url features id \
         is_default livemode login_page metadata name object updated",
    ),
    (
        "billing_portal.session",
        "configuration created customer customer_account flow id livemode locale object \
         on_behalf_of return_url url",
    ),
    (
        "charge",
        "amount amount_captured amount_refunded application application_fee \
         application_fee_amount balance_transaction billing_details \
         calculated_statement_descriptor captured created currency customer description \
         destination dispute disputed failure_balance_transaction failure_code \
         failure_message fraud_details id livemode metadata object on_behalf_of order outcome \
         paid payment_intent payment_method payment_method_details radar_options \
         receipt_email receipt_number receipt_url refunded review shipping source \
         source_transfer statement_descriptor statement_descriptor_suffix status \
         transfer_data transfer_group",
    ),
    (
        "checkout.session",
        "adaptive_pricing after_expiration allow_promotion_codes allowed_payment_method_types \
         amount_subtotal amount_total automatic_tax billing_address_collection \
         branding_settings cancel_url client_reference_id client_secret collected_information \
         consent consent_collection created currency currency_conversion custom_fields \
         custom_text customer customer_account customer_creation customer_details \
         customer_email discounts expires_at id integration_identifier invoice \
         invoice_creation livemode locale managed_payments metadata mode object \
         optional_items origin_context payment_intent payment_link payment_method_collection \
         payment_method_configuration_details payment_method_options payment_method_types \
         payment_status permissions phone_number_collection recovered_from \
         saved_payment_method_options setup_intent shipping_address_collection shipping_cost \
         shipping_options status submit_type subscription success_url tax_id_collection \
         total_details ui_mode url wallet_options",
    ),
    (
        "customer_balance_transaction",
        "amount checkout_session created credit_note currency customer customer_account \
         description ending_balance id invoice livemode metadata object type",
    ),
    (
        "discount",
        "checkout_session customer customer_account end id invoice invoice_item object \
         promotion_code source start subscription subscription_item",
    ),
    (
        "dispute",
        "amount balance_transactions charge created currency enhanced_eligibility_types \
         evidence evidence_details id is_charge_refundable livemode metadata \
         network_reason_code object payment_intent payment_method_details reason status",
    ),
    (
        "invoice",
        "account_country account_name account_tax_ids amount_due amount_overpaid amount_paid \
         amount_paid_off_stripe amount_remaining amount_shipping application attempt_count \
         attempted auto_advance automatic_tax automatically_finalizes_at billing_reason \
         collection_method created currency custom_fields customer customer_account \
         customer_address customer_email customer_name customer_phone customer_shipping \
         customer_tax_exempt customer_tax_ids default_payment_method default_source \
         default_tax_rates description discounts due_date effective_at ending_balance footer \
         from_invoice hosted_invoice_url id invoice_pdf issuer last_finalization_error \
         latest_revision lines livemode metadata next_payment_attempt number object \
         on_behalf_of parent payment_settings period_end period_start \
         post_payment_credit_notes_amount pre_payment_credit_notes_amount receipt_number \
         rendering shipping_cost shipping_details starting_balance statement_descriptor \
         status status_transitions subtotal subtotal_excluding_tax test_clock total \
         total_discount_amounts total_excluding_tax total_pretax_credit_amounts total_taxes \
         webhooks_delivered_at",
    ),
    (
        "invoice_payment",
        "amount_paid amount_requested created currency id invoice is_default livemode object \
         payment status status_transitions",
    ),
    (
        "invoiceitem",
        "amount currency customer customer_account date description discountable discounts id \
         invoice livemode metadata net_amount object parent period pricing proration \
         proration_details quantity quantity_decimal tax_rates test_clock",
    ),
    (
        "item",
        "adjustable_quantity amount_discount amount_subtotal amount_tax amount_total currency \
         description id metadata object price quantity",
    ),
    (
        "line_item",
        "amount currency description discount_amounts discountable discounts id invoice \
         livemode metadata object parent period pretax_credit_amounts pricing quantity \
         quantity_decimal subscription subtotal taxes",
    ),
    (
        "payment_intent",
        "allowed_payment_method_types amount amount_capturable amount_details amount_received \
         application application_fee_amount automatic_payment_methods canceled_at \
         cancellation_reason capture_method client_secret confirmation_method created \
         currency customer customer_account description excluded_payment_method_types id \
         last_payment_error latest_charge livemode managed_payments metadata next_action \
         object on_behalf_of payment_details payment_method \
         payment_method_configuration_details payment_method_options payment_method_types \
         payment_record processing receipt_email review setup_future_usage shipping source \
         statement_descriptor statement_descriptor_suffix status transfer_data transfer_group",
    ),
    (
        "payment_method",
        "allow_redisplay billing_details card created customer customer_account id livemode \
         metadata object type",
    ),
    (
        "plan",
        "active amount amount_decimal billing_scheme created currency id interval \
         interval_count livemode metadata meter nickname object product tiers_mode \
         transform_usage trial_period_days usage_type",
    ),
    (
        "refund",
        "amount balance_transaction charge created currency customer customer_account \
         destination_details id metadata object payment_intent payment_method reason \
         receipt_number source_transfer_reversal status transfer_reversal",
    ),
    (
        "setup_intent",
        "allowed_payment_method_types application automatic_payment_methods \
         cancellation_reason client_secret created customer customer_account description \
         excluded_payment_method_types flow_directions id last_setup_error latest_attempt \
         livemode managed_payments mandate metadata next_action object on_behalf_of \
         payment_method payment_method_configuration_details payment_method_options \
         payment_method_types single_use_mandate status usage",
    ),
    (
        "subscription",
        "application application_fee_percent automatic_tax billing_cycle_anchor \
         billing_cycle_anchor_config billing_mode billing_schedules billing_thresholds \
         cancel_at cancel_at_period_end canceled_at cancellation_details collection_method \
         created currency customer customer_account days_until_due default_payment_method \
         default_source default_tax_rates description discounts ended_at id invoice_settings \
         items latest_invoice livemode managed_payments metadata \
         next_pending_invoice_item_invoice object on_behalf_of pause_collection \
         payment_settings pending_invoice_item_interval pending_setup_intent pending_update \
         plan quantity schedule start_date status test_clock transfer_data trial_end \
         trial_settings trial_start",
    ),
    (
        "subscription_item",
        "billing_thresholds created current_period_end current_period_start current_trial \
         discounts id metadata object plan price quantity subscription tax_rates",
    ),
    (
        "subscription_schedule",
        "application billing_mode canceled_at completed_at created current_phase customer \
         customer_account default_settings end_behavior id livemode metadata object \
         pause_schedules phases released_at released_subscription status subscription \
         test_clock",
    ),
];

/// Asserts the fields of an object and its nested objects, and records the kinds it has met.
fn assert_fields(object: &Value, met: &mut Vec<String>) {
    let kind = object["object"].as_str().unwrap_or_default();
    if let Some((_, fields)) = FIELDS.iter().find(|(known, _)| *known == kind) {
        let there: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
        let expected: Vec<&str> = fields.split_ascii_whitespace().collect();
        assert_eq!(there, expected, "{object:#}");
        met.push(kind.to_owned());
    }
    match object {
        Value::Array(list) => list.iter().for_each(|inner| assert_fields(inner, met)),
        Value::Object(map) => map.values().for_each(|inner| assert_fields(inner, met)),
        _ => {}
    }
}

#[tokio::test]
async fn objects_about_money_have_stripes_fields() {
    let stripe = Stripe::new().await;
    let plan = price(&stripe, 999, Some("month")).await;
    let pack = price(&stripe, 999, None).await;
    let owner = customer(&stripe, "pm_card_visa").await;
    let coupon = json!({ "percent_off": 10, "duration": "forever" });
    let coupon = stripe.post("/v1/coupons", coupon).await;
    let discounts = json!({ "discounts": [{ "coupon": coupon["id"] }] });
    let opened = session(&stripe, "subscription", &plan, discounts).await;
    let bought = submit(&stripe, &opened, "paid", &[]).await;
    let data = json!({ "invoice_creation": { "enabled": true } });
    let pack = submit(&stripe, &session(&stripe, "payment", &pack, data).await, "paid", &[]).await;
    let higher = price(&stripe, 9999, Some("month")).await;
    let begun = subscribe(&stripe, &owner, &plan, json!({})).await;
    let form = json!({ "items": [{ "id": begun["items"]["data"][0]["id"], "price": higher }] });
    let upgraded = stripe.post(&format!("/v1/subscriptions/{}", id(&begun)), form).await;
    let charged = |card: &str| {
        let amount = json!({ "amount": 500, "currency": "usd" });
        with(amount, json!({ "payment_method": card, "confirm": true }))
    };
    stripe.post("/v1/payment_intents", charged("pm_card_createDispute")).await;
    let paid = stripe.post("/v1/payment_intents", charged("pm_card_visa")).await;
    let flow = json!({ "type": "payment_method_update" });
    let balance = format!("/v1/customers/{owner}/balance_transactions");
    let mut all = vec![opened, bought.clone(), pack, upgraded, paid.clone()];
    for (path, form) in [
        ("/v1/refunds", json!({ "payment_intent": paid["id"] })),
        ("/v1/setup_intents", json!({ "customer": owner })),
        ("/v1/subscription_schedules", json!({ "from_subscription": begun["id"] })),
        ("/v1/billing_portal/sessions", json!({ "customer": owner, "flow_data": flow })),
        ("/v1/invoices/create_preview", json!({ "subscription": begun["id"] })),
        (&balance, json!({ "amount": -100, "currency": "usd" })),
    ] {
        all.push(stripe.post(path, form).await);
    }
    let items = format!("/v1/checkout/sessions/{}/line_items", id(&bought));
    for path in [
        "/v1/balance_transactions",
        "/v1/billing_portal/configurations",
        "/v1/charges",
        "/v1/disputes",
        "/v1/invoice_payments",
        "/v1/invoiceitems",
        "/v1/invoices",
        &items,
    ] {
        all.push(stripe.get(path, json!({})).await);
    }
    let cards = json!({ "customer": owner });
    all.push(stripe.get("/v1/payment_methods", cards).await);
    let applied = json!({ "expand": ["discounts"] });
    let path = format!("/v1/subscriptions/{}", bought["subscription"].as_str().unwrap());
    all.push(stripe.get(&path, applied).await);
    let mut met = Vec::new();
    all.iter().for_each(|object| assert_fields(object, &mut met));
    for (kind, _) in FIELDS {
        assert!(met.iter().any(|one| one == kind), "no {kind} was checked");
    }
}
