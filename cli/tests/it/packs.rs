//! Credit packs: the quantity per checkout, promotion codes, and the largest number of credits.

use serde_json::{Value, json};

use crate::support::{ApiResponse, TestApp, execute};

const CATALOG: &str = r#"
[product]
key = "packs"
name = "Packs"
currency = "usd"

[features]
credits = { type = "credits", name = "Credits", unit = "credit" }

[plans.free]
name = "Free"
default = true

[packs.few]
name = "Few"
unit = "credit"
credits = 100
amount = 999
max_quantity = 3
promotion_codes = true

[packs.many]
name = "Many"
unit = "credit"
credits = 1_000_000_000
amount = 100
"#;

async fn selling_packs() -> TestApp {
    let app = TestApp::new().await;
    app.sell_text(&app.owner_url, "packs.toml", CATALOG).await;
    app
}

async fn order(app: &TestApp, pack: &str, quantity: u64) -> ApiResponse {
    app.order("ann", json!({ "pack": pack, "quantity": quantity })).send().await
}

#[tokio::test]
async fn a_checkout_sells_no_more_packs_than_the_catalog_allows() {
    let app = selling_packs().await;
    let refused = order(&app, "few", 4).await.expect_invalid("quantity");
    assert!(refused.text.contains("at most 3"), "{}", refused.text);
    order(&app, "few", 3).await.expect_status(200);
    let packs = app.get("/api/plans").send().await.expect_status(200).body["packs"].clone();
    let most = |place: usize| packs[place]["maxQuantity"].clone();
    assert_eq!((most(0), most(1)), (json!(3), Value::Null));
}

/// A 100 % code on ten thousand packs would give all of them away.
#[tokio::test]
async fn a_pack_takes_promotion_codes_only_if_the_catalog_allows_them() {
    let app = selling_packs().await;
    for (pack, takes_codes) in [("few", true), ("many", false)] {
        order(&app, pack, 1).await.expect_status(200);
        let sessions = app.at_stripe("checkout.session");
        let ordered = sessions.iter().find(|session| session["metadata"]["pack"] == pack);
        let allowed = ordered.unwrap()["allow_promotion_codes"] == true;
        assert_eq!(allowed, takes_codes, "{pack}");
    }
}

/// As with grants by hand, every client must be able to read the balance.
#[tokio::test]
async fn no_pack_makes_a_balance_that_clients_cannot_read() {
    let app = selling_packs().await;
    let sql = format!(
        "select grant_credits('ann', 'grant', 'credit', 999999000000000, null, 50, '{{}}', 'a test', null,
           null, '{}')",
        app.now()
    );
    execute(&app.owner().await, &sql).await;
    order(&app, "many", 2).await.expect_invalid("quantity");
    order(&app, "many", 1).await.expect_status(200);
}
