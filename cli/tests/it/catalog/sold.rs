//! The plans, prices and packs in the database, current and past.

use serde_json::{Value, json};

use super::shop::{SMALL, Shop, catalog, of_app};
use super::stripe::call;

/// Every app's catalog can be published; publishing it again changes nothing.
#[tokio::test]
async fn the_catalogs_of_all_apps_are_published() {
    for (name, plans, prices, packs) in [
        ("paintracker", 4, 4, 0),
        ("credits", 1, 0, 3),
        ("coderev", 2, 2, 0),
        ("aira", 3, 4, 0),
        ("dearme", 2, 2, 0),
        ("demo", 5, 8, 2),
    ] {
        let (shop, catalog) = (Shop::new().await, of_app(name));
        shop.push(&catalog).await.unwrap();
        for (table, expected) in
            [("current_plans", plans), ("pricing_plans", prices), ("credit_packs", packs)]
        {
            let found = shop.rows(&format!("select 1 from {table}")).await.len();
            assert_eq!(found, expected, "{name}: {table}");
        }
        assert!(shop.push(&catalog).await.unwrap().is_empty(), "{name}");
    }
}

/// PT-2, PT-7: the tiers and their prices.
#[tokio::test]
async fn the_symptom_tracker_sells_basic_and_pro() {
    let shop = Shop::new().await;
    shop.push(&of_app("paintracker")).await.unwrap();
    let sold = "select plan, interval, currency, amount_minor, trial_days from pricing_plans
                order by amount_minor";
    let row = |plan: &str, interval: &str, amount: i64, days: i64| {
        json!({ "plan": plan, "interval": interval, "currency": "usd", "amount_minor": amount,
            "trial_days": days })
    };
    assert_eq!(
        shop.rows(sold).await,
        [
            row("basic", "monthly", 999, 14),
            row("pro", "monthly", 2_499, 30),
            row("basic", "yearly", 9_590, 14),
            row("pro", "yearly", 23_990, 30),
        ]
    );
    let tiers =
        "select v.plan from current_plans join pricing_plan_versions v using (plan, version)
                 order by rank";
    let names = ["free", "basic", "pro", "enterprise"].map(|plan| json!({ "plan": plan }));
    assert_eq!(shop.rows(tiers).await, names);
}

/// DM-1, DM-4: one row for each current paid plan and interval, with its features.
#[tokio::test]
async fn the_letters_app_has_two_pricing_plans_with_their_features() {
    let shop = Shop::new().await;
    shop.push(&of_app("dearme")).await.unwrap();
    let rows = "select plan, name, interval, amount_minor, features from pricing_plans
                order by interval";
    let rows = shop.rows(rows).await;
    let features = json!({
        "letters": { "name": "Letters", "type": "metered", "unit": "letter", "reset": "month",
            "limit": null, "overage": "hard" },
        "email_delivery": { "name": "E-mail delivery", "type": "boolean", "enabled": true },
        "physical_mail": { "name": "Letters on paper", "type": "boolean", "enabled": true },
        "scheduling": { "name": "Scheduled delivery", "type": "boolean", "enabled": true },
        "mail_credits": { "name": "Mail credits", "type": "credits", "unit": "mail_credit",
            "amount": 2, "every": "billing_period" },
    });
    let row = |interval: &str, amount: i64| {
        json!({ "plan": "pro", "name": "Pro", "interval": interval, "amount_minor": amount,
            "features": features })
    };
    assert_eq!(rows, [row("monthly", 900), row("yearly", 9_000)]);
    let free = shop.rows("select features from pricing_plan_versions where is_default").await;
    let given: Vec<&Value> = ["letters", "email_delivery", "physical_mail", "scheduling"]
        .iter()
        .map(|name| &free[0]["features"][name])
        .collect();
    assert_eq!(given[0]["limit"], 5);
    assert!(given[1..].iter().all(|feature| feature["enabled"] == false), "{given:?}");
}

/// AI-7: the webhook finds a plan by the product that the app has in Stripe.
#[tokio::test]
async fn the_companion_app_sells_under_its_own_products() {
    let shop = Shop::new().await;
    for id in ["prod_plus", "prod_premium"] {
        call(&shop.url, "products", &[("id", id), ("name", id)]).await;
    }
    let settings = |name: &str| match name {
        "STRIPE_PRODUCT_PLUS" => Some("prod_plus".to_owned()),
        "STRIPE_PRODUCT_PREMIUM" => Some("prod_premium".to_owned()),
        _ => None,
    };
    let text = include_str!("../../../../catalogs/aira.toml");
    let ids = farebox::catalog::Ids::Taken(&settings);
    let catalog = farebox::catalog::Catalog::read("aira.toml", text, &ids).unwrap();
    shop.push(&catalog).await.unwrap();
    let plans = "select distinct plan, name, stripe_product_id from pricing_plans order by plan";
    assert_eq!(
        shop.rows(plans).await,
        [
            json!({ "plan": "plus", "name": "Plus", "stripe_product_id": "prod_plus" }),
            json!({ "plan": "premium", "name": "Premium", "stripe_product_id": "prod_premium" }),
        ]
    );
}

/// A plan version that users bought cannot be edited: the database refuses even its owner.
#[tokio::test]
async fn a_published_version_cannot_be_changed_even_by_the_owner() {
    let shop = Shop::new().await;
    shop.push(&catalog(SMALL)).await.unwrap();
    let owner = shop.owner().await;
    for table in ["pricing_plan_versions", "pricing_plan_prices", "credit_pack_versions"] {
        for change in [
            format!("update {table} set version = 7"),
            format!("delete from {table}"),
            format!("truncate {table} cascade"),
        ] {
            let refused = owner.query_typed(&change, &[]).await.expect_err(&change);
            let database = refused.as_db_error().unwrap();
            assert_eq!(database.code().code(), "23001", "{change}: {database}");
            assert!(database.message().contains("is append-only"), "{change}: {database}");
        }
    }
}

#[tokio::test]
async fn the_functions_role_reads_what_is_sold_and_publishes_nothing() {
    let shop = Shop::new().await;
    shop.push(&catalog(SMALL)).await.unwrap();
    let role = shared::adapters::postgres::connect(&shop.app_database).await.unwrap();
    for relation in ["pricing_plans", "credit_packs", "pricing_plan_versions", "current_plans"] {
        let sql = format!("select * from {relation}");
        assert!(!role.query_typed(&sql, &[]).await.unwrap().is_empty(), "{relation}");
    }
    for write in [
        "insert into current_plans values ('pro', 1)",
        "delete from current_packs",
        "update pricing_plan_versions set name = 'Mine'",
        "select publish_catalog('{\"plans\": [], \"packs\": []}', farebox_now())",
        "select publish_plan('{}', farebox_now())",
        "select publish_pack('{}', farebox_now())",
    ] {
        let refused = role.query_typed(write, &[]).await.expect_err(write);
        assert_eq!(refused.code().unwrap().code(), "42501", "{write}: {refused}");
    }
}

/// SQL refuses it too: the plan of users without a subscription must be unambiguous.
#[tokio::test]
async fn a_catalog_with_two_defaults_is_refused_by_the_database() {
    let owner = Shop::new().await.owner().await;
    let two = "select publish_catalog(
                 '{\"plans\": [{\"plan\": \"a\", \"is_default\": true},
                               {\"plan\": \"b\", \"is_default\": true}], \"packs\": []}', farebox_now())";
    let refused = owner.query_typed(two, &[]).await.unwrap_err();
    let message = refused.as_db_error().unwrap().message();
    assert_eq!(message, "a catalog may have at most one default plan");
}
