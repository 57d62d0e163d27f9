//! The life of a subscription over fourteen months: changed, canceled, resumed, unpaid and
//! recovered.

mod incomplete;
mod paused;
mod preview;

use serde_json::{Value, json};

use crate::support::TestApp;

async fn subscriber(plan: &str, interval: &str) -> TestApp {
    let app = TestApp::selling("aira").await;
    app.buy("ann", json!({ "tier": plan, "interval": interval })).await;
    app
}

fn paid(app: &TestApp) -> Vec<i64> {
    let mut paid: Vec<i64> = app
        .at_stripe("charge")
        .iter()
        .filter(|charge| charge["status"] == "succeeded")
        .map(|charge| charge["amount"].as_i64().unwrap())
        .collect();
    paid.reverse();
    paid
}

/// CR-5: the billing page's data, before and after a purchase.
#[tokio::test]
async fn a_billing_page_shows_what_there_is() {
    let app = TestApp::selling("coderev").await;
    let nothing = app.subscription("ann").await;
    assert_eq!(nothing["status"], "none");
    assert_eq!(nothing["plan"], "free");
    assert_eq!(nothing["source"], "default");
    assert_eq!(nothing["subscription"], Value::Null);
    app.buy("ann", json!({ "tier": "pro", "interval": "yearly" })).await;
    let overview = app.subscription("ann").await;
    assert_eq!(overview["status"], "active");
    assert_eq!(overview["planName"], "Pro");
    let subscription = &overview["subscription"];
    assert_eq!(subscription["amountMinor"], 19_000);
    assert_eq!(subscription["currency"], "usd");
    assert_eq!(subscription["planVersion"], 1);
    assert_eq!(subscription["cancelAtPeriodEnd"], false);
    assert_eq!(
        app.subscription("bob").await["subscription"],
        Value::Null,
        "another user's is not listed"
    );
}

/// DM-11: cancels now or at the period's end, with a reason, and resumes.
#[tokio::test]
async fn a_cancellation_can_be_undone_until_the_period_ends() {
    let app = subscriber("plus", "monthly").await;
    let cancel = json!({ "action": "cancel", "reason": "too many letters" });
    let canceled = app.change("ann", cancel).await.expect_status(200).body;
    assert_eq!(canceled["subscription"]["cancelAtPeriodEnd"], true);
    assert_eq!(canceled["subscription"]["cancellationReason"], "too many letters");
    assert_eq!(canceled["plan"], "plus", "the paid plan stays");
    let change = json!({ "action": "change", "tier": "premium" });
    app.change("ann", change).await.expect_problem(409, "cancellation_pending");

    let resumed = app.change("ann", json!({ "action": "resume" })).await.expect_status(200).body;
    assert_eq!(resumed["subscription"]["cancelAtPeriodEnd"], false);
    let nothing = app.change("ann", json!({ "action": "resume" })).await;
    nothing.expect_problem(409, "nothing_to_resume");
    app.advance("32d").await;
    assert_eq!(app.subscription("ann").await["status"], "active");

    app.change("ann", json!({ "action": "cancel", "when": "now" })).await.expect_status(200);
    let over = app.subscription("ann").await;
    assert_eq!(over["status"], "canceled");
    assert_eq!(over["plan"], "free");
    assert_eq!(app.stats("ann").await["plan"], "Free");
    let again = app.change("ann", json!({ "action": "cancel" })).await;
    again.expect_problem(409, "no_subscription");
}

/// PT-6: plan changes by the user.
#[tokio::test]
async fn an_upgrade_is_paid_at_once_and_a_downgrade_waits() {
    let app = subscriber("plus", "monthly").await;
    app.advance("15d").await;
    let upgrade = json!({ "action": "change", "tier": "premium" });
    let upgraded = app.change("ann", upgrade.clone()).await.expect_status(200).body;
    assert_eq!(upgraded["plan"], "premium");
    assert_eq!(app.stats("ann").await["plan"], "Premium");
    let [first, difference] = paid(&app)[..] else { panic!("{:?}", paid(&app)) };
    assert_eq!(first, 999);
    assert!(
        (400..=600).contains(&difference),
        "half of ten dollars for half a month: {difference}"
    );
    let same = app.change("ann", upgrade).await.expect_status(200).body;
    assert_eq!(same["plan"], "premium");
    assert_eq!(paid(&app).len(), 2, "a change to the current plan is free");

    let downgrade = json!({ "action": "change", "tier": "plus" });
    let planned = app.change("ann", downgrade).await.expect_status(200).body;
    assert_eq!(planned["plan"], "premium", "the paid plan stays");
    assert_eq!(planned["subscription"]["scheduledChange"]["plan"], "plus");
    app.simulator.delivered().await;
    let shown = app.subscription("ann").await;
    assert_eq!(
        shown["subscription"]["scheduledChange"],
        planned["subscription"]["scheduledChange"]
    );
    app.advance("20d").await;
    let after = app.subscription("ann").await;
    assert_eq!(after["plan"], "plus", "{after}");
    assert_eq!(after["subscription"]["scheduledChange"], Value::Null);
    assert_eq!(paid(&app)[2..], [999]);
}

#[tokio::test]
async fn a_scheduled_change_can_be_undone() {
    let app = subscriber("premium", "monthly").await;
    app.change("ann", json!({ "action": "change", "tier": "plus" })).await.expect_status(200);
    let kept = app.change("ann", json!({ "action": "resume" })).await.expect_status(200).body;
    assert_eq!(kept["subscription"]["scheduledChange"], Value::Null);
    app.simulator.delivered().await;
    app.advance("32d").await;
    assert_eq!(app.subscription("ann").await["plan"], "premium");
    assert_eq!(paid(&app), [1_999, 1_999]);
}

/// A longer interval is an upgrade, a shorter one a downgrade.
#[tokio::test]
async fn an_interval_is_changed_like_a_plan() {
    let app = subscriber("plus", "monthly").await;
    let yearly = json!({ "action": "change", "interval": "yearly" });
    let changed = app.change("ann", yearly).await.expect_status(200).body;
    assert_eq!(changed["subscription"]["interval"], "yearly");
    assert_eq!(changed["subscription"]["amountMinor"], 9_990);
    app.simulator.delivered().await;
    let monthly = json!({ "action": "change", "interval": "monthly" });
    let planned = app.change("ann", monthly).await.expect_status(200).body;
    assert_eq!(planned["subscription"]["interval"], "yearly");
    assert_eq!(planned["subscription"]["scheduledChange"]["interval"], "monthly");
    app.advance("1y 1d").await;
    let after = app.subscription("ann").await;
    assert_eq!(after["subscription"]["interval"], "monthly", "{after}");
}

/// The old plan stays, and the answer has the cause and the link to pay.
#[tokio::test]
async fn an_upgrade_that_is_not_paid_changes_nothing() {
    for (card, code) in [
        ("pm_card_chargeCustomerFail", "payment_failed"),
        ("pm_card_authenticationRequired", "payment_confirmation_required"),
    ] {
        let app = subscriber("plus", "monthly").await;
        app.give_card("ann", card).await;
        let upgrade = json!({ "action": "change", "tier": "premium" });
        let refused = app.change("ann", upgrade).await.expect_problem(402, code);
        let page = refused.body["paymentUrl"].as_str().unwrap();
        assert!(page.contains("/simulator/invoice/"), "{refused:?}");
        app.simulator.delivered().await;
        let after = app.subscription("ann").await;
        assert_eq!(after["plan"], "plus", "{after}");
        assert_eq!(after["status"], "active");
        assert_eq!(after["subscription"]["pendingChange"]["plan"], "premium");
        assert_eq!(paid(&app), [999]);

        // The customer pays at last.
        app.give_card("ann", "pm_card_visa").await;
        let invoice = page.rsplit('/').next().unwrap();
        app.ask_stripe("POST", &format!("/v1/invoices/{invoice}/pay"), &[]).await;
        app.simulator.delivered().await;
        let after = app.subscription("ann").await;
        assert_eq!(after["plan"], "premium", "{after}");
        assert_eq!(after["subscription"]["pendingChange"], Value::Null);
    }
}

#[tokio::test]
async fn an_impossible_change_is_refused_with_advice() {
    let app = subscriber("plus", "monthly").await;
    app.stripe.flights();
    for (action, field) in [
        (json!({ "action": "change" }), "tier"),
        (json!({ "action": "change", "tier": "unheard-of" }), "tier"),
        (json!({ "action": "change", "tier": "free" }), "tier"),
        (json!({ "action": "change", "interval": "weekly" }), "interval"),
        (json!({ "action": "change", "tier": "plus", "quantity": 3 }), "quantity"),
    ] {
        app.change("ann", action).await.expect_invalid(field);
    }
    for (odd, field) in [
        (json!({}), "action"),
        (json!({ "action": "explode" }), "action"),
        (json!({ "action": "resume", "tier": "plus" }), "tier"),
        (json!({ "action": "resume", "when": "now" }), "when"),
        (json!({ "action": "cancel", "quantity": 2 }), "quantity"),
        (json!({ "action": "change", "tier": "premium", "price": "price_1" }), "price"),
        (json!({ "action": "cancel", "when": "yesterday" }), "when"),
        (json!({ "action": "cancel", "reason": "x".repeat(501) }), "reason"),
    ] {
        let refused = app.change("ann", odd).await.expect_invalid(field);
        assert!(!refused.text.contains("variant"), "{refused:?}");
    }
    let stranger = app.change("bob", json!({ "action": "cancel" })).await;
    let stranger = stranger.expect_problem(409, "no_subscription");
    assert!(stranger.text.contains("create-checkout-session"), "{stranger:?}");
    assert_eq!(app.stripe.flights(), 0, "no request reached Stripe");
}

/// However many calls race with one key, there is one change and one payment.
#[tokio::test]
async fn one_key_makes_one_change() {
    let app = subscriber("plus", "monthly").await;
    let upgrade = || {
        let call = app.patch("/api/subscription").bearer(&app.token("ann"));
        let call = call.json(json!({ "action": "change", "tier": "premium" }));
        call.header("idempotency-key", "k").send()
    };
    let answers = futures_util::future::join_all((0..32).map(|_| upgrade())).await;
    assert!(answers.iter().any(|answer| answer.status == 200));
    for answer in answers {
        match answer.status {
            200 => assert_eq!(answer.body["plan"], "premium"),
            _ => drop(answer.expect_problem(409, "request_in_progress")),
        }
    }
    assert_eq!(paid(&app).len(), 2);
    assert_eq!(upgrade().await.expect_status(200).body["plan"], "premium");
    assert_eq!(paid(&app).len(), 2);
}

/// Without a key each call is a separate change; the same change twice still counts once.
#[tokio::test]
async fn racing_changes_take_turns() {
    let app = subscriber("plus", "monthly").await;
    let wishes = (0..16).map(|n| {
        let tier = if n % 2 == 0 { "premium" } else { "plus" };
        app.change("ann", json!({ "action": "change", "tier": tier }))
    });
    for answer in futures_util::future::join_all(wishes).await {
        assert!([200, 409].contains(&answer.status), "{answer:?}");
    }
    app.simulator.delivered().await;
    let overview = app.subscription("ann").await;
    let at_stripe = &app.at_stripe("subscription")[0];
    let price = &at_stripe["items"]["data"][0]["price"]["unit_amount"];
    assert_eq!(overview["subscription"]["amountMinor"], *price, "the same amount as at Stripe");
    assert!(paid(&app).len() <= 2, "{:?}", paid(&app));
}

/// PT-7: trial, renewal, failure, recovery, upgrade, downgrade, cancellation and resumption in
/// fourteen months.
#[tokio::test]
async fn fourteen_months_pass() {
    let app = TestApp::selling("paintracker").await;
    app.buy("ann", json!({ "tier": "basic", "interval": "monthly" })).await;
    let status = async || app.subscription("ann").await["status"].as_str().unwrap().to_owned();
    assert_eq!(status().await, "trialing");
    assert_eq!(paid(&app), [] as [i64; 0]);
    app.advance("14d").await;
    app.advance("2h").await;
    assert_eq!(status().await, "active");
    assert_eq!(paid(&app), [999]);
    app.advance("1mo").await;
    app.advance("2h").await;
    assert_eq!(paid(&app), [999; 2]);

    app.give_card("ann", "pm_card_chargeCustomerFail").await;
    app.advance("1mo").await;
    app.advance("2h").await;
    assert_eq!(status().await, "past_due");
    assert_eq!(app.subscription("ann").await["plan"], "basic", "the grace period is not over");
    let change = json!({ "action": "change", "tier": "pro" });
    app.change("ann", change.clone()).await.expect_problem(409, "not_in_good_standing");
    let again = app.order("ann", json!({ "tier": "pro", "interval": "monthly" })).send().await;
    let again = again.expect_problem(409, "already_subscribed");
    assert!(again.text.contains("create-portal-session"), "{again:?}");
    app.give_card("ann", "pm_card_visa").await;
    app.advance("4d").await;
    assert_eq!(status().await, "active", "the next attempt succeeded");
    assert_eq!(paid(&app), [999; 3]);

    assert_eq!(app.change("ann", change).await.expect_status(200).body["plan"], "pro");
    app.simulator.delivered().await;
    app.advance("2mo").await;
    app.change("ann", json!({ "action": "change", "tier": "basic" })).await.expect_status(200);
    app.advance("1mo").await;
    app.advance("2h").await;
    assert_eq!(app.subscription("ann").await["plan"], "basic");
    app.change("ann", json!({ "action": "cancel" })).await.expect_status(200);
    app.advance("1d").await;
    app.change("ann", json!({ "action": "resume" })).await.expect_status(200);
    app.advance("4mo").await;
    assert_eq!(status().await, "active");
    app.change("ann", json!({ "action": "cancel" })).await.expect_status(200);
    app.advance("4mo").await;
    assert_eq!(status().await, "canceled");
    assert_eq!(app.subscription("ann").await["plan"], "free");
    assert_eq!(app.stats("ann").await["plan"], "Free");
    assert_eq!(app.at_stripe("subscription").len(), 1);
}

/// The failed renewal is never paid, and the subscription finally ends.
#[tokio::test]
async fn a_user_who_never_pays_ends_with_the_free_plan() {
    let app = subscriber("plus", "monthly").await;
    app.give_card("ann", "pm_card_chargeCustomerFail").await;
    app.advance("2mo").await;
    let over = app.subscription("ann").await;
    assert_eq!(over["status"], "canceled", "{over}");
    assert_eq!(over["plan"], "free");
    assert_eq!(paid(&app), [999]);
}

/// DM-6: the answers match `docs/openapi.json`.
#[tokio::test]
async fn answers_have_the_fields_that_the_document_lists() {
    let app = subscriber("plus", "monthly").await;
    app.change("ann", json!({ "action": "change", "interval": "yearly" })).await;
    app.change("ann", json!({ "action": "change", "interval": "monthly" })).await;
    let document: Value = serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap();
    let fields = |schema: &str| {
        let properties = &document["components"]["schemas"][schema]["properties"];
        let mut fields: Vec<_> = properties.as_object().unwrap().keys().cloned().collect();
        fields.sort();
        fields
    };
    let overview = app.subscription("ann").await;
    let subscription = &overview["subscription"];
    for (answer, schema) in [
        (&overview, "SubscriptionResponse"),
        (subscription, "Subscription"),
        (&subscription["scheduledChange"], "ScheduledSubscriptionChange"),
    ] {
        let mut found: Vec<_> = answer.as_object().unwrap().keys().cloned().collect();
        found.sort();
        assert_eq!(found, fields(schema), "{schema}");
    }
}

/// The round trips of the subscription routes.
#[tokio::test]
async fn a_read_and_a_change_stay_within_their_budgets() {
    let app = subscriber("plus", "monthly").await;
    app.lose_webhooks();
    let flights = || (app.redis.flights(), app.postgres.flights(), app.stripe.flights());
    app.deliver_outbox().await;
    flights();
    app.subscription("ann").await;
    assert_eq!(flights(), (1, 1, 0), "the limit, and one query");
    app.change("ann", json!({ "action": "change", "tier": "premium" })).await.expect_status(200);
    assert_eq!(flights(), (2, 2, 1), "the limit and the push; begin and finish; one request");
    app.change("ann", json!({ "action": "change", "tier": "plus" })).await.expect_status(200);
    assert_eq!(flights(), (2, 2, 2), "a schedule and its phases");
    let visit = app.post("/api/stripe/create-portal-session").bearer(&app.token("ann"));
    let visit = visit.json(json!({ "returnUrl": "https://app.example" }));
    visit.send().await.expect_status(200);
    assert_eq!(flights(), (1, 2, 1));
}

/// PT-6: a trusted server finds a subscription and its user by Stripe's id; a user finds only their
/// own.
#[tokio::test]
async fn a_subscription_is_found_by_its_id_at_stripe() {
    let app = subscriber("plus", "monthly").await;
    let own = app.subscription("ann").await;
    let id = own["subscription"]["id"].as_str().unwrap().to_owned();
    let asked = |token: &str, id: &str| {
        app.get("/api/subscription").query("subscriptionId", id).bearer(token).send()
    };
    for token in [&app.service_key, &app.admin_key, &app.token("ann")] {
        let found = asked(token, &id).await.expect_status(200).body;
        assert_eq!(found, own);
        assert_eq!(found["userId"], "ann");
        asked(token, "sub_other").await.expect_problem(404, "subscription_not_found");
        asked(token, "sub\0").await.expect_invalid("subscriptionId");
    }
    asked(&app.token("bob"), &id).await.expect_problem(404, "subscription_not_found");
    let for_bob = app.get("/api/subscription").query("subscriptionId", &id).query("userId", "bob");
    for_bob.bearer(&app.service_key).send().await.expect_problem(404, "subscription_not_found");
    let nobody = app.get("/api/subscription").bearer(&app.service_key);
    nobody.send().await.expect_invalid("userId");
}
