use serde_json::json;

use super::*;

fn terms() -> CheckoutTerms {
    CheckoutTerms {
        price: "price_1".to_owned(),
        quantity: 1,
        plan: Some("basic".to_owned()),
        plan_version: Some(2),
        interval: Some("monthly".to_owned()),
        pack: None,
        pack_version: None,
        promotion_codes: None,
        trial_days: Some(14),
        currency: None,
        email: Some("a@b.example".to_owned()),
        success_url: "https://app.example/done?s={CHECKOUT_SESSION_ID}".to_owned(),
        cancel_url: "https://app.example/cancel".to_owned(),
        automatic_tax: false,
    }
}

fn decoded(request: &RequestBuilder) -> Vec<String> {
    let fields = url::form_urlencoded::parse(request.body.as_deref().unwrap_or("").as_bytes());
    fields.map(|(name, value)| format!("{name}={value}")).collect()
}

/// A retry after a deployment sends the old idempotency key, so it must send the old request.
#[test]
fn a_session_request_never_changes() {
    let user = UserId::try_from("user_1".to_owned()).unwrap();
    let request = create_session(&user, "cus_1", &terms());
    assert_eq!(request.path, "/checkout/sessions");
    assert_eq!(
        decoded(&request),
        [
            "allow_promotion_codes=true",
            "billing_address_collection=required",
            "cancel_url=https://app.example/cancel",
            "client_reference_id=user_1",
            "customer=cus_1",
            "customer_update[address]=auto",
            "customer_update[name]=auto",
            "line_items[0][price]=price_1",
            "line_items[0][quantity]=1",
            "metadata[interval]=monthly",
            "metadata[planVersion]=2",
            "metadata[plan]=basic",
            "metadata[tier]=basic",
            "metadata[userEmail]=a@b.example",
            "metadata[userId]=user_1",
            "mode=subscription",
            "subscription_data[metadata][interval]=monthly",
            "subscription_data[metadata][planVersion]=2",
            "subscription_data[metadata][plan]=basic",
            "subscription_data[metadata][tier]=basic",
            "subscription_data[metadata][userEmail]=a@b.example",
            "subscription_data[metadata][userId]=user_1",
            "subscription_data[trial_period_days]=14",
            "success_url=https://app.example/done?s={CHECKOUT_SESSION_ID}",
        ]
    );
}

#[test]
fn a_pack_is_a_one_time_payment_with_an_invoice() {
    let user = UserId::try_from("user_1".to_owned()).unwrap();
    let pack = CheckoutTerms {
        plan: None,
        plan_version: None,
        interval: None,
        trial_days: None,
        email: None,
        pack: Some("small".to_owned()),
        pack_version: Some(1),
        quantity: 3,
        currency: Some("eur".to_owned()),
        automatic_tax: true,
        ..terms()
    };
    let request = create_session(&user, "cus_1", &pack);
    assert_eq!(
        decoded(&request),
        [
            "allow_promotion_codes=true",
            "automatic_tax[enabled]=true",
            "billing_address_collection=required",
            "cancel_url=https://app.example/cancel",
            "client_reference_id=user_1",
            "currency=eur",
            "customer=cus_1",
            "customer_update[address]=auto",
            "customer_update[name]=auto",
            "invoice_creation[enabled]=true",
            "line_items[0][price]=price_1",
            "line_items[0][quantity]=3",
            "metadata[packVersion]=1",
            "metadata[pack]=small",
            "metadata[plan]=small",
            "metadata[userId]=user_1",
            "mode=payment",
            "payment_intent_data[metadata][packVersion]=1",
            "payment_intent_data[metadata][pack]=small",
            "payment_intent_data[metadata][plan]=small",
            "payment_intent_data[metadata][userId]=user_1",
            "success_url=https://app.example/done?s={CHECKOUT_SESSION_ID}",
        ]
    );
}

#[test]
fn a_scheduled_change_keeps_the_running_phase() {
    let running = json!({
        "start_date": 100, "end_date": 200,
        "items": [{ "price": "price_big", "quantity": 1 }],
        "discounts": [{ "coupon": null, "discount": "di_1", "promotion_code": null }],
    });
    let prices = ("price_big", "price_small");
    let request = schedule_change("sub_sched_1", &running, prices, 2, BillingInterval::Quarterly);
    assert_eq!(request.path, "/subscription_schedules/sub_sched_1");
    assert_eq!(
        decoded(&request),
        [
            "end_behavior=release",
            "phases[0][discounts][0][discount]=di_1",
            "phases[0][end_date]=200",
            "phases[0][items][0][price]=price_big",
            "phases[0][items][0][quantity]=1",
            "phases[0][proration_behavior]=none",
            "phases[0][start_date]=100",
            "phases[1][discounts][0][discount]=di_1",
            "phases[1][duration][interval]=month",
            "phases[1][duration][interval_count]=3",
            "phases[1][items][0][price]=price_small",
            "phases[1][items][0][quantity]=2",
            "phases[1][proration_behavior]=none",
        ]
    );
}

/// The other items of the subscription stay in both phases.
#[test]
fn a_scheduled_change_keeps_the_other_items() {
    let running = json!({
        "start_date": 100, "end_date": 200,
        "items": [
            { "price": "price_addon", "quantity": 3 }, { "price": "price_big", "quantity": 1 },
        ],
    });
    let prices = ("price_big", "price_small");
    let request = schedule_change("sub_sched_1", &running, prices, 2, BillingInterval::Monthly);
    let fields = decoded(&request);
    let items = fields.iter().filter(|field| field.contains("[items]"));
    assert_eq!(
        items.collect::<Vec<_>>(),
        [
            "phases[0][items][0][price]=price_addon",
            "phases[0][items][0][quantity]=3",
            "phases[0][items][1][price]=price_big",
            "phases[0][items][1][quantity]=1",
            "phases[1][items][0][price]=price_small",
            "phases[1][items][0][quantity]=2",
            "phases[1][items][1][price]=price_addon",
            "phases[1][items][1][quantity]=3",
        ]
    );
}

/// The preview and the change prorate to the same time.
#[test]
fn a_previewed_upgrade_sends_the_time_of_its_preview() {
    let preview = preview_upgrade("sub_1", "si_1", "price_1", 2, 100);
    assert_eq!(preview.path, "/invoices/create_preview");
    assert_eq!(
        decoded(&preview),
        [
            "subscription=sub_1",
            "subscription_details[items][0][id]=si_1",
            "subscription_details[items][0][price]=price_1",
            "subscription_details[items][0][quantity]=2",
            "subscription_details[proration_behavior]=always_invoice",
            "subscription_details[proration_date]=100",
        ]
    );
    let dated = decoded(&upgrade("sub_1", "si_1", "price_1", 2, Some(100)));
    assert!(dated.contains(&"proration_date=100".to_owned()), "{dated:?}");
    let undated = decoded(&upgrade("sub_1", "si_1", "price_1", 2, None));
    assert!(dated.iter().filter(|field| *field != "proration_date=100").eq(&undated));
    // Stripe refuses a time without prorations.
    let renewal = decoded(&preview_renewal("sub_1", "si_1", "price_1", 2));
    assert!(renewal.contains(&"subscription_details[proration_behavior]=none".to_owned()));
    assert!(!renewal.iter().any(|field| field.contains("proration_date")));
}

/// Lists use Stripe's maximum page size, and subscriptions include ended ones.
#[test]
fn lists_are_requested_page_by_page() {
    let sent = |request: RequestBuilder| {
        let query = request.query.unwrap_or_default();
        let fields = url::form_urlencoded::parse(query.as_bytes());
        let mut fields: Vec<_> = fields.map(|(name, value)| format!("{name}={value}")).collect();
        fields.sort();
        (request.path, fields.join(" "))
    };
    assert_eq!(
        sent(list_undelivered_events(7, Some("evt_1"))),
        (
            "/events".to_owned(),
            "created[gte]=7 delivery_success=false limit=100 starting_after=evt_1".to_owned()
        )
    );
    assert_eq!(
        sent(list_subscriptions(None)),
        ("/subscriptions".to_owned(), "limit=100 status=all".to_owned())
    );
    assert_eq!(
        sent(list_customers(Some("cus_1"))),
        ("/customers".to_owned(), "limit=100 starting_after=cus_1".to_owned())
    );
    assert_eq!(
        sent(list_invoices("cus_1", Some("in_1"))),
        ("/invoices".to_owned(), "customer=cus_1 limit=100 starting_after=in_1".to_owned())
    );
    // A user's id cannot end the quoted text.
    let user = UserId::try_from(r"it's\me".to_owned()).unwrap();
    let query = r"limit=100 query=metadata['userId']:'it\'s\\me'";
    assert_eq!(sent(search_customers(&user)), ("/customers/search".to_owned(), query.to_owned()));
}

/// Ids come from callers and from Stripe's objects. None of them can change the path.
#[test]
fn an_id_is_one_segment_of_a_path() {
    let running = json!({});
    let monthly = BillingInterval::Monthly;
    for (id, segment) in [
        ("cs_test_a1-B2", "cs_test_a1-B2"),
        ("a/../b?c#d%2F", "a%2F%2E%2E%2Fb%3Fc%23d%252F"),
        ("..", "%2E%2E"),
        ("é \r\n", "%C3%A9%20%0D%0A"),
    ] {
        for (request, expected) in [
            (delete_customer(id), "/customers/*"),
            (retrieve_session(id), "/checkout/sessions/*"),
            (expire_session(id), "/checkout/sessions/*/expire"),
            (void_invoice(id), "/invoices/*/void"),
            (retrieve_payment_intent(id), "/payment_intents/*"),
            (retrieve_subscription(id), "/subscriptions/*"),
            (upgrade(id, "si_1", "price_1", 1, None), "/subscriptions/*"),
            (replace(id, "si_1", "price_1", 1), "/subscriptions/*"),
            (cancel_later(id, None), "/subscriptions/*"),
            (cancel_now(id, None), "/subscriptions/*"),
            (undo_cancellation(id), "/subscriptions/*"),
            (clear_cancel_at(id), "/subscriptions/*"),
            (unpause(id), "/subscriptions/*/resume"),
            (retrieve_schedule(id), "/subscription_schedules/*"),
            (release_schedule(id), "/subscription_schedules/*/release"),
            (
                schedule_change(id, &running, ("price_0", "price_1"), 1, monthly),
                "/subscription_schedules/*",
            ),
        ] {
            assert_eq!(request.path, expected.replace('*', segment));
        }
    }
}

#[test]
fn promotion_codes_can_be_disabled() {
    let user = UserId::try_from("user_1".to_owned()).unwrap();
    let pack = CheckoutTerms { promotion_codes: Some(false), ..terms() };
    let request = create_session(&user, "cus_1", &pack);
    assert!(decoded(&request).contains(&"allow_promotion_codes=false".to_owned()));
}

/// async-stripe uses the API version that it was generated from. Before you change this, read
/// Stripe's changelog between the two versions.
#[test]
fn requests_name_this_api_version() {
    assert_eq!(stripe_client_core::VERSION.as_str(), "2026-09-30.endive");
}
