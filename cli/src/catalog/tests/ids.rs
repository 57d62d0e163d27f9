//! Stripe ids in a file.

use shared::domain::catalog::BillingInterval;

use super::{SMALL, plan, problems_of, read};
use crate::catalog::{Catalog, Ids};

/// Reads the small catalog after one replacement, with these settings.
fn with(from: &str, to: &str, settings: &[(&str, &str)]) -> Result<Catalog, String> {
    let find = |name: &str| {
        let setting = settings.iter().find(|(known, _)| *known == name);
        setting.map(|(_, value)| (*value).to_owned())
    };
    let text = SMALL.replacen(from, to, 1);
    Catalog::read("c.toml", &text, &Ids::Taken(&find)).map_err(|problems| problems.to_string())
}

/// PT-2, AI-7: an app's existing ids come from its settings.
#[test]
fn ids_are_inline_or_in_a_setting() {
    let by_setting = "amount = 999, price_env = \"STRIPE_PRICE_PRO\"";
    let catalog = with("amount = 999", by_setting, &[("STRIPE_PRICE_PRO", " price_1 ")]).unwrap();
    let price =
        |catalog: &Catalog| plan(catalog, "pro").prices[&BillingInterval::Monthly].price_id.clone();
    assert_eq!(price(&catalog).as_deref(), Some("price_1"));
    let inline = with("amount = 999", "amount = 999, price = \"price_2\"", &[]).unwrap();
    assert_eq!(price(&inline).as_deref(), Some("price_2"));
    let product = "trial_days = 14\nproduct_env = \"STRIPE_PRODUCT_PRO\"";
    let catalog = with("trial_days = 14", product, &[("STRIPE_PRODUCT_PRO", "prod_1")]).unwrap();
    assert_eq!(plan(&catalog, "pro").product_id.as_deref(), Some("prod_1"));
    // The simulator has none of them.
    let text = SMALL.replacen("amount = 999", by_setting, 1);
    assert_eq!(price(&read(&text).unwrap()), None);
}

#[test]
fn a_malformed_id_is_reported() {
    let price = |fields: &str| format!("amount = 999, {fields}");
    for (fields, settings, expected) in [
        (
            "price_env = \"STRIPE_PRICE_PRO\"",
            &[][..],
            "price_env names STRIPE_PRICE_PRO, which is not set: set it to the id of a price in \
             Stripe, or remove price_env to create the price with the push",
        ),
        (
            "price_env = \"STRIPE_PRICE_PRO\"",
            &[("STRIPE_PRICE_PRO", "price 1")],
            "price_env names STRIPE_PRICE_PRO, whose value is not a Stripe id",
        ),
        (
            "price_env = \"price_1\"",
            &[],
            "price_env must be the name of a setting, such as STRIPE_PRICE_PRO_MONTHLY, not \
             \"price_1\"",
        ),
        ("price = \"a/b\"", &[], "price must be a Stripe id, not \"a/b\""),
        (
            "price = \"price_1\", price_env = \"STRIPE_PRICE_PRO\"",
            &[],
            "price_env cannot be combined with price: keep one of them",
        ),
    ] {
        let problems = with("amount = 999", &price(fields), settings).unwrap_err();
        assert_eq!(problems, format!("c.toml:22: plans.pro.prices.monthly.{expected}"));
    }
}

#[test]
fn two_prices_cannot_have_the_same_id() {
    let twice = "yearly = { amount = 9_590, price_env = \"STRIPE_PRICE\" }\n\
                 weekly = { amount = 300, price_env = \"STRIPE_PRICE\" }";
    let expected = "c.toml:23: plans.pro.prices.yearly.price_env has STRIPE_PRICE, which \
                    plans.pro.prices.weekly.price_env already has";
    assert_eq!(problems_of("yearly = 9_590", twice), expected);
    let settings = [("STRIPE_A", "price_1"), ("STRIPE_B", "price_1")];
    let by_two = twice.replacen("STRIPE_PRICE", "STRIPE_A", 1).replace("STRIPE_PRICE", "STRIPE_B");
    let same = with("yearly = 9_590", &by_two, &settings).unwrap_err();
    assert!(same.contains("has price_1, which plans.pro.prices.weekly.price_env"), "{same}");
}
