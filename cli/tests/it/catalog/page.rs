//! `GET /api/plans`: the data of a pricing page.

use farebox::catalog::publish;
use serde_json::{Value, json};

use super::shop::{SMALL, catalog, of_app};
use super::stripe;
use crate::support::{Mode, TestApp, settings};

async fn sell(app: &TestApp, catalog: &farebox::catalog::Catalog) {
    let stripe = stripe::client(&stripe::start().await);
    publish(catalog, &settings(&app.owner_url), &stripe, app.now()).await.unwrap();
}

/// DM-6: everything that a pricing page needs, typed, without a token.
#[tokio::test]
async fn a_pricing_page_lists_every_plan_and_pack() {
    let app = TestApp::new().await;
    let before = app.get("/api/plans").send().await.expect_status(200);
    assert_eq!(before.body, json!({ "plans": [], "packs": [] }));
    let history = "default = true\nhistory = { keep_days = 30, max_entries = 100 }";
    sell(&app, &catalog(&SMALL.replace("default = true", history))).await;
    let answer = app.get("/api/plans").send().await.expect_status(200);
    assert_eq!(answer.header("content-type"), "application/json");
    let feature = |limit: Value| {
        json!({ "type": "metered", "name": "Letters", "unit": "letter", "reset": "month",
            "limit": limit, "overage": "hard" })
    };
    let stamps = |amount: i64| {
        json!({ "type": "credits", "name": "Stamps", "unit": "stamp", "amount": amount,
            "every": "billing_period" })
    };
    let price = |interval: &str, amount: i64, currencies: Value| {
        json!({ "interval": interval, "currency": "usd", "amountMinor": amount,
            "currencies": currencies, "perSeat": false })
    };
    assert_eq!(
        answer.body,
        json!({
            "plans": [
                { "key": "free", "version": 1, "name": "Free", "description": "", "default": true,
                    "trialDays": 0, "prices": [],
                    "history": { "keepDays": 30, "maxEntries": 100 },
                    "features": { "letters": feature(json!(5)), "stamps": stamps(0) } },
                { "key": "pro", "version": 1, "name": "Pro", "description": "All you can write.",
                    "default": false, "trialDays": 14,
                    "history": { "keepDays": null, "maxEntries": null },
                    "prices": [
                        price("monthly", 999, json!({ "eur": 899 })),
                        price("yearly", 9_590, json!({})),
                    ],
                    "features": { "letters": feature(Value::Null), "stamps": stamps(2) } },
            ],
            "packs": [
                { "key": "ten", "version": 1, "name": "Ten stamps", "description": "",
                    "unit": "stamp", "credits": 10, "expiresAfterDays": null, "maxQuantity": null,
                    "currency": "usd",
                    "amountMinor": 500, "currencies": {} },
            ],
        })
    );
}

#[tokio::test]
async fn a_pricing_page_has_no_stripe_ids_or_unlisted_plans() {
    let app = TestApp::new().await;
    sell(&app, &of_app("paintracker")).await;
    let answer = app.get("/api/plans").send().await.expect_status(200);
    let plans: Vec<&Value> =
        answer.body["plans"].as_array().unwrap().iter().map(|plan| &plan["key"]).collect();
    assert_eq!(plans, ["free", "basic", "pro"]);
    for secret in ["price_", "prod_", "farebox_", "enterprise"] {
        assert!(!answer.text.contains(secret), "{secret}: {}", answer.text);
    }
}

/// A cache may keep the list for a minute and then revalidates it.
#[tokio::test]
async fn a_conditional_request_gets_304_until_the_catalog_changes() {
    let app = TestApp::new().await;
    sell(&app, &catalog(SMALL)).await;
    let first = app.get("/api/plans").send().await.expect_status(200);
    let etag = first.header("etag").to_owned();
    assert!(etag.starts_with('"'), "a strong ETag: {etag}");
    let caching = "public, max-age=60, stale-while-revalidate=600";
    assert_eq!(first.header("cache-control"), caching);

    let revalidate = async || app.get("/api/plans").header("if-none-match", &etag).send().await;
    let same = revalidate().await.expect_status(304);
    assert_eq!(same.text, "");
    assert_eq!((same.header("etag"), same.header("cache-control")), (&*etag, caching));
    let head = app.call("HEAD", "/api/plans").send().await.expect_status(200);
    assert_eq!((head.header("etag"), &*head.text), (&*etag, ""));

    sell(&app, &catalog(&SMALL.replace("= 14", "= 30"))).await;
    let changed = revalidate().await.expect_status(200);
    assert_ne!(changed.header("etag"), etag);
    assert_eq!(changed.body["plans"][1]["trialDays"], 30);
}

#[tokio::test]
async fn the_pricing_page_costs_one_flight_to_postgres_and_none_to_redis() {
    let app = TestApp::new().await;
    sell(&app, &catalog(SMALL)).await;
    app.get("/api/plans").send().await.expect_status(200);
    app.redis.flights();
    app.postgres.flights();
    app.redis.set(Mode::Down).await;
    app.get("/api/plans").send().await.expect_status(200);
    assert_eq!((app.redis.flights(), app.postgres.flights()), (0, 1));
}

#[tokio::test]
async fn without_postgres_there_is_no_pricing_page() {
    let app = TestApp::new().await;
    app.postgres.set(Mode::Down).await;
    let answer = app.get("/api/plans").send().await;
    let answer = answer.expect_problem(503, "database_unavailable");
    assert_eq!(answer.header("cache-control"), "no-store", "errors are not cached");
    app.postgres.set(Mode::Pass).await;
    app.get("/api/plans").send().await.expect_status(200);
}
