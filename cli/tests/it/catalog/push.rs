//! The objects that a push creates in Stripe and in the database, and those it leaves alone.

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use super::shop::{SMALL, Shop, catalog, of_app};
use super::stripe::{self, call, count};
use crate::support::{clock, execute, until};

/// A price that the app already has in Stripe.
const PLUS_YEARLY: [(&str, &str); 4] = [
    ("product", "prod_plus"),
    ("currency", "usd"),
    ("unit_amount", "9590"),
    ("recurring[interval]", "year"),
];

const PRO_MONTHLY: &str = "prices?lookup_keys[0]=farebox_small_plan_pro_monthly";

#[tokio::test]
async fn a_first_push_creates_everything_and_a_second_changes_nothing() {
    let (shop, catalog) = (Shop::new().await, catalog(SMALL));
    let pushed = shop.push(&catalog).await.unwrap().to_string();
    assert_eq!(
        pushed,
        "   WHERE     OBJECT                                FIELD  NOW  AFTER\n\
         +  stripe    product farebox_small_plan_pro               -    Pro\n\
         +  stripe    price farebox_small_plan_pro_monthly         -    999 usd monthly, 899 eur\n\
         +  stripe    price farebox_small_plan_pro_yearly          -    9590 usd yearly\n\
         +  stripe    product farebox_small_pack_ten               -    Ten stamps\n\
         +  stripe    price farebox_small_pack_ten                 -    500 usd once\n\
         +  database  plan free                                    -    sold from now on\n\
         +  database  plan pro                                     -    sold from now on\n\
         +  database  pack ten                                     -    sold from now on\n"
    );
    assert_eq!(count(&shop.url).await, (2, 3));
    let rows = "select * from pricing_plan_versions, pricing_plan_prices, credit_pack_versions";
    let before = shop.rows(rows).await;
    let again = shop.push(&catalog).await.unwrap();
    assert!(again.is_empty(), "{again}");
    assert_eq!(count(&shop.url).await, (2, 3));
    assert_eq!(shop.rows(rows).await, before);
}

#[tokio::test]
async fn planning_changes_nothing() {
    let (shop, catalog) = (Shop::new().await, catalog(SMALL));
    let changes = shop.plan_changes(&catalog).await.unwrap();
    assert!(!changes.is_empty());
    assert_eq!(count(&shop.url).await, (0, 0));
    assert!(shop.rows("select * from pricing_plan_versions").await.is_empty());
}

/// Existing subscribers keep the old price, in Stripe and in the database.
#[tokio::test]
async fn a_changed_price_is_created_and_subscribers_keep_the_old_one() {
    let shop = Shop::new().await;
    shop.push(&catalog(SMALL)).await.unwrap();
    let old = call(&shop.url, PRO_MONTHLY, &[]).await["data"][0].clone();
    let text = SMALL.replace("amount = 999", "amount = 1_099").replace("= 14", "= 30");
    let changes = shop.push(&catalog(&text)).await.unwrap().to_string();
    let id = old["id"].as_str().unwrap();
    let cells: Vec<Vec<&str>> = changes
        .lines()
        .skip(1)
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert_eq!(
        cells,
        [
            [
                "~",
                "stripe",
                "price farebox_small_plan_pro_monthly",
                "price",
                id,
                "a new price, for new customers: 1099 usd monthly, 899 eur"
            ],
            ["~", "database", "plan pro", "prices.monthly.amount_minor", "999", "1099"],
            ["~", "database", "plan pro", "prices.monthly.stripe_price_id", id, "a new price"],
            ["~", "database", "plan pro", "trial_days", "14", "30"],
        ],
        "{changes}"
    );
    let left = call(&shop.url, &format!("prices/{id}"), &[]).await;
    assert_eq!(left["active"], true);
    assert_eq!(left["unit_amount"], 999);
    let new = call(&shop.url, PRO_MONTHLY, &[]).await["data"][0].clone();
    assert_eq!(new["unit_amount"], 1_099);
    let versions = shop
        .rows(
            "select v.version, trial_days, amount_minor, stripe_price_id
             from pricing_plan_versions v
             join pricing_plan_prices p on p.plan = v.plan and p.version = v.version
             where v.plan = 'pro' and interval = 'monthly'
             order by v.version",
        )
        .await;
    let row = |version, days, amount, price: &Value| {
        json!({
            "version": version,
            "trial_days": days,
            "amount_minor": amount,
            "stripe_price_id": price,
        })
    };
    assert_eq!(versions, [row(1, 14, 999, &old["id"]), row(2, 30, 1_099, &new["id"])]);
    assert_eq!(
        shop.rows("select plan, version from current_plans order by plan").await,
        [json!({ "plan": "free", "version": 1 }), json!({ "plan": "pro", "version": 2 })]
    );
}

/// Idempotency keys that only described the wanted price would return an earlier, archived price.
#[tokio::test]
async fn returning_to_an_earlier_amount_creates_an_active_price() {
    let shop = Shop::new().await;
    for amount in [999, 1_099, 999, 1_099] {
        let text = SMALL.replace("amount = 999", &format!("amount = {amount}"));
        shop.push(&catalog(&text)).await.unwrap();
        let sold = call(&shop.url, PRO_MONTHLY, &[]).await["data"][0].clone();
        assert_eq!(sold["unit_amount"], amount);
        let current = "select stripe_price_id from pricing_plans where interval = 'monthly'";
        assert_eq!(shop.rows(current).await, [json!({ "stripe_price_id": sold["id"] })]);
        assert!(shop.plan_changes(&catalog(&text)).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_archived_price_is_created_again() {
    let shop = Shop::new().await;
    shop.push(&catalog(SMALL)).await.unwrap();
    let old = call(&shop.url, PRO_MONTHLY, &[]).await["data"][0]["id"].clone();
    let path = format!("prices/{}", old.as_str().unwrap());
    call(&shop.url, &path, &[("active", "false")]).await;
    shop.push(&catalog(SMALL)).await.unwrap();
    let new = call(&shop.url, PRO_MONTHLY, &[]).await["data"][0].clone();
    assert_ne!(new["id"], old);
    assert_eq!(new["active"], true);
}

#[tokio::test]
async fn plans_removed_from_the_file_are_no_longer_sold_but_kept() {
    let shop = Shop::new().await;
    shop.push(&catalog(SMALL)).await.unwrap();
    let start = SMALL.find("[plans.pro]").unwrap();
    let less = catalog(&SMALL[..start]);
    let changes = shop.push(&less).await.unwrap().to_string();
    assert_eq!(
        changes,
        "   WHERE     OBJECT    FIELD  NOW   AFTER\n\
         -  database  plan pro         sold  no longer sold; customers who have the plan keep it\n\
         -  database  pack ten         sold  no longer sold; customers who have the pack keep it\n"
    );
    assert_eq!(shop.rows("select plan from current_plans").await, [json!({ "plan": "free" })]);
    assert!(shop.rows("select * from credit_packs").await.is_empty());
    assert_eq!(shop.rows("select 1 from pricing_plan_prices where plan = 'pro'").await.len(), 2);
    // Adding the plan back restores its version.
    shop.push(&catalog(SMALL)).await.unwrap();
    let versions = "select version from pricing_plan_versions where plan = 'pro'";
    assert_eq!(shop.rows(versions).await, [json!({ "version": 1 })]);
    assert_eq!(count(&shop.url).await, (2, 3));
}

/// All pushes plan before any of them applies, and then apply at the same time.
#[tokio::test]
async fn eight_pushes_at_once_make_one_version() {
    let (shop, catalog) = (Shop::new().await, catalog(SMALL));
    let mut pushes = Vec::new();
    for _ in 0..8 {
        pushes.push(shop.plan_changes(&catalog).await.unwrap());
    }
    let (holder, watcher) = (shop.owner().await, shop.owner().await);
    execute(&holder, "begin; lock table pricing_plan_versions in access exclusive mode").await;
    let now = clock().now();
    let applying = pushes.iter_mut().map(|push| push.apply(&shop.database, &shop.stripe, now));
    let release = async {
        let waiting = "select count(*) from pg_locks where not granted and database =
                         (select oid from pg_database where datname = current_database())";
        let count = async || watcher.query_typed_one(waiting, &[]).await.unwrap().get::<_, i64>(0);
        until(async || count().await == 8).await;
        execute(&holder, "commit").await;
    };
    let (applied, ()) = join(join_all(applying), release).await;
    for applied in applied {
        applied.unwrap();
    }
    assert_eq!(count(&shop.url).await, (2, 3));
    let versions = "select version from pricing_plan_versions union all
                    select version from credit_pack_versions";
    let first = json!({ "version": 1 });
    assert_eq!(shop.rows(versions).await, [&first; 3].map(Clone::clone));
}

/// The push changed Stripe but not the database. The next push completes it.
#[tokio::test]
async fn a_push_interrupted_before_the_database_is_finished_by_the_next() {
    let (shop, catalog) = (Shop::new().await, catalog(SMALL));
    let mut changes = shop.plan_changes(&catalog).await.unwrap();
    let now = clock().now();
    let refused = changes.apply(&shop.app_database, &shop.stripe, now).await.unwrap_err();
    assert!(format!("{refused:#}").contains("set DIRECT_URL to the owner's login"), "{refused:#}");
    assert_eq!(count(&shop.url).await, (2, 3));
    assert!(shop.rows("select * from pricing_plan_versions").await.is_empty());

    shop.push(&catalog).await.unwrap();
    assert_eq!(count(&shop.url).await, (2, 3));
    assert_eq!(shop.rows("select * from pricing_plans").await.len(), 2);
}

/// The push failed between two calls to Stripe. The next push finds the existing objects.
#[tokio::test]
async fn a_push_interrupted_within_stripe_is_finished_by_the_next() {
    let (shop, whole) = (Shop::new().await, catalog(SMALL));
    // The state after a push that stopped after its first price.
    let product = [("id", "farebox_small_plan_pro"), ("name", "Pro")];
    call(&shop.url, "products", &product).await;
    let price = [
        ("product", "farebox_small_plan_pro"),
        ("lookup_key", "farebox_small_plan_pro_yearly"),
        ("currency", "usd"),
        ("unit_amount", "9590"),
        ("recurring[interval]", "year"),
    ];
    let made = call(&shop.url, "prices", &price).await;
    shop.push(&whole).await.unwrap();
    assert_eq!(count(&shop.url).await, (2, 3));
    let yearly = "select stripe_price_id from pricing_plans where interval = 'yearly'";
    assert_eq!(shop.rows(yearly).await, [json!({ "stripe_price_id": made["id"] })]);
}

/// PT-2, AI-7: prices and products that an app already has are checked, not created.
#[tokio::test]
async fn ids_in_the_catalog_are_checked_and_used() {
    let shop = Shop::new().await;
    call(&shop.url, "products", &[("id", "prod_plus"), ("name", "Plus")]).await;
    let made = call(&shop.url, "prices", &PLUS_YEARLY).await;
    let id = made["id"].as_str().unwrap();
    let yearly = format!("yearly = {{ amount = 9_590, price = \"{id}\" }}");
    let text = SMALL.replace("yearly = 9_590", &yearly);
    // Without a product in the catalog, the other price gets a product created by Farebox.
    let changes = shop.plan_changes(&catalog(&text)).await.unwrap().to_string();
    assert!(changes.contains("+  stripe    product farebox_small_plan_pro "), "{changes}");
    assert!(!changes.contains("pro_yearly"), "{changes}");

    let text = text.replace("trial_days = 14", "product = \"prod_plus\"");
    shop.push(&catalog(&text)).await.unwrap();
    let rows = "select interval, stripe_product_id from pricing_plans order by interval";
    assert_eq!(
        shop.rows(rows).await,
        [
            json!({ "interval": "monthly", "stripe_product_id": "prod_plus" }),
            json!({ "interval": "yearly", "stripe_product_id": "prod_plus" }),
        ]
    );
}

#[tokio::test]
async fn all_ids_that_do_not_match_the_catalog_are_reported_at_once() {
    let shop = Shop::new().await;
    call(&shop.url, "products", &[("id", "prod_plus"), ("name", "Plus")]).await;
    let price = call(&shop.url, "prices", &PLUS_YEARLY).await;
    let id = price["id"].as_str().unwrap();
    let yearly = format!("yearly = {{ amount = 9_590, price = \"{id}\" }}");
    let text = SMALL.replace("yearly = 9_590", &yearly);
    let text = text.replace("trial_days = 14", "product = \"prod_plus\"");
    shop.push(&catalog(&text)).await.unwrap();

    let costs = "is another price: it costs 9590 usd every 1 year in Stripe";
    for (from, to, expected) in [
        ("= 9_590,", "= 9_591,", format!("prices.yearly names {id}, which {costs}")),
        ("yearly =", "quarterly =", format!("prices.quarterly names {id}, which {costs}")),
        (id, "price_x", "names price_x, which this Stripe account does not have".to_owned()),
        ("prod_plus", "prod_x", "prices.monthly belongs to the product prod_x, which".to_owned()),
        (
            "prod_plus",
            "farebox_small_pack_ten",
            format!("names {id}, which is a price of prod_plus, not of farebox_small_pack_ten"),
        ),
    ] {
        assert!(text.contains(from), "{from}");
        let message = shop.refusal(&text.replace(from, to)).await;
        assert!(message.contains(&expected), "{message}");
    }
    call(&shop.url, &format!("prices/{id}"), &[("active", "false")]).await;
    call(&shop.url, "products/farebox_small_pack_ten", &[("active", "false")]).await;
    assert_eq!(
        shop.refusal(&text).await,
        format!(
            "Stripe and the catalog disagree:\n\
             plans.pro.prices.yearly names {id}, which is archived in Stripe\n\
             packs.ten belongs to the product farebox_small_pack_ten, which is archived in Stripe"
        )
    );
}

#[tokio::test]
async fn stripes_error_messages_reach_the_operator() {
    let shop = Shop::new().await;
    let nobody = stripe::client("http://127.0.0.1:9");
    let catalog = of_app("dearme");
    let now = clock().now();
    let error =
        farebox::catalog::publish(&catalog, &shop.database, &nobody, now).await.unwrap_err();
    assert!(format!("{error:#}").contains("Stripe cannot be reached"), "{error:#}");
    // A database migrated by an older release.
    execute(&shop.owner().await, "drop function publish_catalog").await;
    let error = shop.push(&catalog).await.unwrap_err();
    assert!(format!("{error:#}").contains("run `farebox migrate` first"), "{error:#}");
}
