//! Checkout: from a plan or pack to Stripe's page, and from there to what the buyer receives.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Button, TestApp};

fn basic() -> Value {
    json!({ "tier": "basic", "interval": "monthly" })
}

/// PT-1, PT-2, PT-7: the whole purchase, as in the symptom tracker.
#[tokio::test]
async fn a_plan_is_bought_with_a_trial_and_names_its_user() {
    let app = TestApp::selling("paintracker").await;
    let order = json!({
        "userId": "user_test", "tier": "basic", "interval": "monthly",
        "email": "test@example.com",
    });
    let session = app.session("user_test", order).await;
    assert!(session["sessionId"].as_str().unwrap().starts_with("cs_test_"), "{session}");

    let [at_stripe] = &app.at_stripe("checkout.session")[..] else { panic!("one session") };
    assert_eq!(at_stripe["mode"], "subscription");
    assert_eq!(at_stripe["client_reference_id"], "user_test");
    assert_eq!(at_stripe["allow_promotion_codes"], true);
    assert_eq!(at_stripe["billing_address_collection"], "required");
    for (name, value) in [
        ("userId", "user_test"),
        ("userEmail", "test@example.com"),
        ("tier", "basic"),
        ("interval", "monthly"),
    ] {
        assert_eq!(at_stripe["metadata"][name], value, "{at_stripe}");
    }
    assert_eq!(app.subscription("user_test").await["status"], "none");

    app.press(&session, Button::Pay).await;
    app.simulator.delivered().await;
    let overview = app.subscription("user_test").await;
    assert_eq!(overview["status"], "trialing", "{overview}");
    assert_eq!(overview["plan"], "basic");
    assert_eq!(overview["source"], "stripe");
    let subscription = &overview["subscription"];
    assert_eq!(subscription["interval"], "monthly");
    assert_eq!(subscription["amountMinor"], 999);
    let trial_end: jiff::Timestamp = subscription["trialEnd"].as_str().unwrap().parse().unwrap();
    assert_eq!(
        trial_end.duration_since(app.now()).as_hours() / 24,
        13,
        "13 whole days of 14 are left"
    );
    let [bought] = &app.at_stripe("subscription")[..] else { panic!("one subscription") };
    assert_eq!(bought["metadata"]["userId"], "user_test");
    assert_eq!(app.stats("user_test").await["plan"], "Basic");
}

/// CP-1: a trusted server names the buyer; a pack is paid once, and invoiced.
#[tokio::test]
async fn a_server_begins_the_purchase_of_a_pack_for_a_user() {
    let app = TestApp::selling("credits").await;
    let packs = app.get("/api/plans").send().await.expect_status(200).body["packs"].clone();
    let pack = packs[0]["key"].as_str().unwrap();
    let call =
        app.post("/api/stripe/create-checkout-session").bearer(&app.service_key).json(json!({
            "pack": pack,
            "successUrl": "https://app.example/done",
            "cancelUrl": "https://app.example/cancel",
        }));
    let call = call.header("x-user-id", "buyer").header("x-user-email", "buyer@example.com");
    let session = call.send().await.expect_status(200).body;

    let at_stripe = &app.at_stripe("checkout.session")[0];
    assert_eq!(at_stripe["mode"], "payment");
    assert_eq!(at_stripe["invoice_creation"]["enabled"], true);
    for (name, value) in
        [("userId", "buyer"), ("userEmail", "buyer@example.com"), ("plan", pack), ("pack", pack)]
    {
        assert_eq!(at_stripe["metadata"][name], value, "{at_stripe}");
    }
    app.press(&session, Button::Pay).await;
    let id = session["sessionId"].as_str().unwrap();
    let call = app.get("/api/stripe/checkout-session").query("sessionId", id);
    let bought = call.bearer(&app.token("buyer")).send().await.expect_status(200).body;
    assert_eq!(bought["status"], "complete");
    assert_eq!(bought["paymentStatus"], "paid");
    assert_eq!(bought["pack"], pack);
    assert_eq!(app.at_stripe("payment_intent")[0]["metadata"]["userId"], "buyer");
    assert_eq!(app.at_stripe("customer").len(), 1);
}

/// The caller cannot set a price or any field that the route does not define.
#[tokio::test]
async fn a_checkout_with_an_invalid_field_calls_no_stripe_api() {
    let app = TestApp::selling("paintracker").await;
    app.stripe.flights();
    for (field, value) in [
        ("price", json!("price_cheap")),
        ("credits", json!(1_000_000)),
        ("role", json!("admin")),
        ("trialDays", json!(365)),
        ("amount", json!(1)),
        ("metadata", json!({})),
    ] {
        let mut order = basic();
        order[field] = value;
        app.order("bob", order).send().await.expect_invalid(field);
    }
    for (changes, field) in [
        (json!({ "tier": "basic" }), "interval"),
        (json!({ "interval": "monthly" }), "tier"),
        (json!({}), "tier"),
        (json!({ "tier": "unheard-of", "interval": "monthly" }), "tier"),
        (json!({ "tier": "free", "interval": "monthly" }), "tier"),
        (json!({ "tier": "enterprise", "interval": "monthly" }), "tier"),
        (json!({ "tier": "basic", "interval": "weekly" }), "interval"),
        (json!({ "tier": "basic", "interval": "daily" }), "interval"),
        (json!({ "tier": "Basic'; drop table users", "interval": "monthly" }), "tier"),
        (json!({ "tier": "basic", "interval": "monthly", "pack": "small" }), "pack"),
        (json!({ "pack": "unheard-of" }), "pack"),
        (json!({ "tier": "basic", "interval": "monthly", "quantity": 0 }), "quantity"),
        (json!({ "tier": "basic", "interval": "monthly", "quantity": 1.5 }), "quantity"),
        (json!({ "tier": "basic", "interval": "monthly", "quantity": -1 }), "quantity"),
        (json!({ "tier": "basic", "interval": "monthly", "quantity": 1e19 }), "quantity"),
        (json!({ "tier": "basic", "interval": "monthly", "quantity": 2 }), "quantity"),
        (json!({ "tier": "basic", "interval": "monthly", "currency": "xyz" }), "currency"),
        (json!({ "tier": "basic", "interval": "monthly", "currency": "US" }), "currency"),
        (json!({ "tier": "basic", "interval": "monthly", "email": "nobody" }), "email"),
    ] {
        app.order("ann", changes).send().await.expect_invalid(field);
    }
    for emails in [&["nobody"][..], &["a@b.example", "c@d.example"]] {
        let call = app.order("cid", basic());
        let call = emails.iter().fold(call, |call, email| call.header("x-user-email", email));
        call.send().await.expect_invalid("x-user-email");
    }
    let mut order = basic();
    order["email"] = "a@b.example".into();
    let other = app.order("cid", order).header("x-user-email", "c@d.example");
    other.send().await.expect_invalid("email");
    assert_eq!(app.stripe.flights(), 0);
    assert_eq!(app.count("select count(*) from accounts").await, 0, "no account was created");
}

#[tokio::test]
async fn checkout_redirects_only_to_allowed_origins() {
    let app = TestApp::selling("paintracker").await;
    app.stripe.flights();
    for url in [
        "//evil.example",
        "https://app.example@evil.example/",
        "https://app.example.evil.example/",
        "https://evil.example/?https://app.example/",
        "javascript:alert(1)",
        "https://app.example/\r\nSet-Cookie: a=b",
        "http://app.example/",
        "http://localhost:5173/",
        "/done",
        "",
    ] {
        for field in ["successUrl", "cancelUrl"] {
            let mut order = basic();
            order[field] = url.into();
            app.order(field, order).send().await.expect_invalid(field);
        }
        let portal = app.post("/api/stripe/create-portal-session").bearer(&app.token("ann"));
        portal.json(json!({ "returnUrl": url })).send().await.expect_invalid("returnUrl");
    }
    assert_eq!(app.stripe.flights(), 0);
}

/// However many calls race with one key, there is one customer, one session and one answer.
#[tokio::test]
async fn one_idempotency_key_makes_one_session() {
    let app = TestApp::selling("paintracker").await;
    let order = || app.order("ann", basic()).header("idempotency-key", "the-key");
    let answers = join_all((0..64).map(|_| order().send())).await;
    let mut sessions: Vec<Value> = Vec::new();
    for answer in answers {
        match answer.status {
            409 => drop(answer.expect_problem(409, "request_in_progress")),
            429 => {}
            _ => sessions.push(answer.expect_status(200).body),
        }
    }
    assert!(!sessions.is_empty());
    assert!(sessions.iter().all(|session| *session == sessions[0]), "{sessions:?}");
    assert_eq!(app.at_stripe("customer").len(), 1);
    assert_eq!(app.at_stripe("checkout.session").len(), 1);
    app.clock.advance(jiff::SignedDuration::from_mins(2));
    assert_eq!(order().send().await.expect_status(200).body, sessions[0], "the first answer");
    let other = json!({ "tier": "pro", "interval": "monthly" });
    let other = app.order("ann", other).header("idempotency-key", "the-key");
    other.send().await.expect_problem(422, "idempotency_key_reused");
    assert_eq!(app.at_stripe("checkout.session").len(), 1);
}

/// Without a key each call may create a session, but only the last one can be paid.
#[tokio::test]
async fn a_user_has_one_open_session_and_cannot_pay_twice() {
    let app = TestApp::selling("paintracker").await;
    let answers = join_all((0..64).map(|_| app.order("ann", basic()).send())).await;
    let made: Vec<Value> =
        answers.into_iter().filter(|it| it.status == 200).map(|it| it.body).collect();
    assert!(!made.is_empty());
    assert_eq!(app.at_stripe("customer").len(), 1);
    assert_eq!(app.open_sessions(), 1);

    app.clock.advance(jiff::SignedDuration::from_mins(5));
    let last = app.session("ann", json!({ "tier": "pro", "interval": "yearly" })).await;
    assert_eq!(app.open_sessions(), 1, "the new session replaces the old one");
    app.press(&last, Button::Pay).await;
    app.simulator.delivered().await;
    let again = app.order("ann", basic()).send().await.expect_problem(409, "already_subscribed");
    assert!(again.text.contains("PATCH /api/subscription"), "{again:?}");
    assert_eq!(app.at_stripe("subscription").len(), 1);
    assert_eq!(app.open_sessions(), 0);
}

/// A new order does not replace a session that was just paid, even before its webhook arrives.
#[tokio::test]
async fn a_session_that_was_just_paid_is_not_sold_again() {
    let app = TestApp::selling("paintracker").await;
    app.lose_webhooks();
    let session = app.session("ann", basic()).await;
    app.press(&session, Button::Pay).await;
    app.order("ann", basic()).send().await.expect_problem(409, "already_subscribed");
    assert_eq!(app.subscription("ann").await["status"], "trialing", "it was applied at once");
    assert_eq!(app.at_stripe("subscription").len(), 1);
    assert_eq!(app.open_sessions(), 0);
}

/// The buyer does not wait for a late webhook: the success page applies Stripe's answer.
#[tokio::test]
async fn the_success_page_needs_no_webhook() {
    let app = TestApp::selling("paintracker").await;
    app.lose_webhooks();
    let session = app.session("ann", basic()).await;
    let id = session["sessionId"].as_str().unwrap();
    let get_session = |user: &str| {
        let call = app.get("/api/stripe/checkout-session").query("sessionId", id);
        call.bearer(&app.token(user)).send()
    };
    assert_eq!(get_session("ann").await.expect_status(200).body["status"], "open");
    app.press(&session, Button::Pay).await;
    get_session("bob").await.expect_problem(404, "session_not_found");
    assert_eq!(
        app.subscription("ann").await["status"],
        "none",
        "another user's request changes nothing"
    );
    let bought = get_session("ann").await.expect_status(200).body;
    assert_eq!(bought["status"], "complete");
    assert_eq!(bought["subscriptionStatus"], "trialing");
    assert_eq!(app.subscription("ann").await["plan"], "basic");
    assert_eq!(app.stats("ann").await["plan"], "Basic");
    app.stripe.flights();
    get_session("ann").await.expect_status(200);
    assert_eq!(app.stripe.flights(), 0, "an applied session is not fetched again");
    for bad in ["", "cs_../customers", "sub_1", &"c".repeat(300)] {
        let call = app.get("/api/stripe/checkout-session").query("sessionId", bad);
        call.bearer(&app.token("ann")).send().await.expect_invalid("sessionId");
    }
}

#[tokio::test]
async fn a_declined_card_leaves_the_session_open() {
    let app = TestApp::selling("dearme").await;
    let session = app.session("ann", json!({ "tier": "pro", "interval": "monthly" })).await;
    app.press(&session, Button::Declined).await;
    app.simulator.delivered().await;
    assert_eq!(app.subscription("ann").await["status"], "none");
    assert_eq!(app.open_sessions(), 1);
    app.press(&session, Button::Approved).await;
    app.simulator.delivered().await;
    assert_eq!(app.subscription("ann").await["status"], "active");
}

/// Only new customers get a trial.
#[tokio::test]
async fn a_user_has_one_trial() {
    let app = TestApp::selling("paintracker").await;
    app.buy("ann", basic()).await;
    app.change("ann", json!({ "action": "cancel", "when": "now" })).await.expect_status(200);
    app.simulator.delivered().await;
    assert_eq!(app.subscription("ann").await["status"], "canceled");
    app.clock.advance(jiff::SignedDuration::from_mins(1));
    app.buy("ann", json!({ "tier": "pro", "interval": "monthly" })).await;
    let overview = app.subscription("ann").await;
    assert_eq!(overview["status"], "active", "no second trial: {overview}");
    assert_eq!(app.at_stripe("customer").len(), 1, "the same customer");
}

/// Each route stays within its budget of round trips.
#[tokio::test]
async fn a_checkout_stays_within_its_budget_of_calls() {
    let app = TestApp::selling("paintracker").await;
    app.lose_webhooks();
    let flights = || (app.redis.flights(), app.postgres.flights(), app.stripe.flights());
    // The first request also sends the limiter's script in full.
    app.order("zoe", basic()).send().await.expect_status(200);
    flights();
    app.order("ann", basic()).send().await.expect_status(200);
    assert_eq!(flights(), (1, 2, 2), "a customer and a session");
    app.order("ann", json!({ "tier": "pro", "interval": "monthly" })).send().await;
    assert_eq!(flights(), (1, 2, 2), "the old session is expired, the new one created");
    let keyed = || app.order("bob", basic()).header("idempotency-key", "k").send();
    keyed().await.expect_status(200);
    flights();
    keyed().await.expect_status(200);
    assert_eq!(flights(), (1, 1, 0), "a replay does not call Stripe");
}
