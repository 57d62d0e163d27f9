use proptest::prelude::*;
use shared::domain::catalog::{
    BillingInterval, GrantInterval, HistoryTerms, OveragePolicy, PlanFeature, UsageReset,
};

use super::{Catalog, DEMO, Ids, Plan};

mod ids;
mod mistakes;

/// A small catalog with each kind of feature. Tests change one line of it.
const SMALL: &str = r#"
[product]
key = "small"
name = "Small"
currency = "usd"

[features]
letters = { type = "metered", unit = "letter", reset = "month" }
calls = { type = "metered", unit = "call", reset = "day" }
scheduling = { type = "boolean" }
mail_credits = { type = "credits", name = "Stamps", unit = "mail_credit" }

[plans.free]
name = "Free"
default = true
features = { letters = 5 }

[plans.pro]
name = "Pro"
trial_days = 14
[plans.pro.prices]
monthly = { amount = 999, currencies = { eur = 899 } }
yearly = 9_590
[plans.pro.features]
letters = "unlimited"
calls = { limit = 100, overage = "soft" }
scheduling = true
mail_credits = { amount = 2, every = "billing_period" }

[packs.stamps]
name = "Ten stamps"
unit = "mail_credit"
credits = 10
amount = 500
"#;

fn read(text: &str) -> Result<Catalog, String> {
    Catalog::read("c.toml", text, &Ids::Ignored).map_err(|problems| problems.to_string())
}

/// The problems of the small catalog after one replacement.
fn problems_of(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from}");
    read(&SMALL.replacen(from, to, 1)).expect_err(to)
}

fn plan<'a>(catalog: &'a Catalog, key: &str) -> &'a Plan {
    catalog.plans.iter().find(|plan| plan.key == key).unwrap()
}

#[test]
fn a_catalog_is_parsed_field_by_field() {
    let catalog = read(SMALL).unwrap();
    assert_eq!((&*catalog.product, &*catalog.name), ("small", "Small"));
    let pro = plan(&catalog, "pro");
    assert_eq!((pro.rank, pro.trial_days, pro.past_due_grace_days), (2, 14, 7));
    assert_eq!((pro.is_default, pro.is_listed, pro.per_seat), (false, true, false));
    assert_eq!(pro.prices[&BillingInterval::Monthly].amount_minor, 999);
    assert_eq!(pro.prices[&BillingInterval::Monthly].currency_amounts["eur"], 899);
    assert_eq!(pro.prices[&BillingInterval::Yearly].currency, "usd");
    assert_eq!(
        pro.features["calls"],
        PlanFeature::Metered {
            name: "Calls".to_owned(),
            unit: "call".to_owned(),
            reset: UsageReset::Day,
            limit: Some(100),
            overage: OveragePolicy::Soft,
        }
    );
    assert_eq!(
        pro.features["mail_credits"],
        PlanFeature::Credits {
            name: "Stamps".to_owned(),
            unit: "mail_credit".to_owned(),
            amount: 2,
            every: GrantInterval::BillingPeriod,
            rollover: false,
        }
    );
    let pack = &catalog.packs[0];
    assert_eq!((&*pack.unit, pack.credits, pack.expires_after_days), ("mail_credit", 10, None));
}

/// A plan without `rollover` is published without the field, as before it existed.
#[test]
fn credits_roll_over_if_the_plan_allows_it() {
    let given = |rollover: &str| {
        let every = "every = \"billing_period\"";
        let catalog = read(&SMALL.replace(every, &format!("{every}{rollover}"))).unwrap();
        serde_json::to_value(&plan(&catalog, "pro").features["mail_credits"]).unwrap()
    };
    assert_eq!(given(", rollover = true")["rollover"], true);
    assert!(given("").get("rollover").is_none());
    assert_eq!(given(", rollover = false"), given(""));
}

#[test]
fn a_plan_may_limit_its_history() {
    let limited = SMALL.replace("default = true", "default = true\nhistory = { keep_days = 30 }");
    let catalog = read(&limited).unwrap();
    let terms = |key| plan(&catalog, key).history;
    assert_eq!(terms("free"), HistoryTerms { keep_days: Some(30), max_entries: None });
    assert_eq!(terms("pro"), HistoryTerms::default());
}

#[test]
fn a_plan_does_not_include_features_that_it_does_not_list() {
    let catalog = read(SMALL).unwrap();
    let free = &plan(&catalog, "free").features;
    assert!(matches!(&free["scheduling"], PlanFeature::Boolean { enabled: false, .. }));
    let PlanFeature::Metered { limit, overage, .. } = &free["calls"] else { panic!("{free:?}") };
    assert_eq!((*limit, *overage), (Some(0), OveragePolicy::Hard));
    assert!(matches!(&free["mail_credits"], PlanFeature::Credits { amount: 0, .. }));
    let without =
        read(&SMALL.replace("calls = { limit = 100, overage = \"soft\" }", "calls = false"));
    assert_eq!(plan(&without.unwrap(), "pro").features["calls"], free["calls"]);
}

#[test]
fn plans_keep_the_order_of_the_file_unless_ranked() {
    let keys = |text: &str| -> Vec<String> {
        read(text).unwrap().plans.into_iter().map(|plan| plan.key).collect()
    };
    // The alphabetical order would be the reverse.
    let renamed = SMALL.replace("plans.pro", "plans.a_pro");
    assert_eq!(keys(&renamed), ["free", "a_pro"]);
    assert_eq!(keys(&renamed.replace("trial_days = 14", "rank = 0")), ["a_pro", "free"]);
}

#[test]
fn the_documented_example_is_a_catalog() {
    let guide = include_str!("../../../docs/SETUP.md");
    let (_, section) = guide.split_once("\n## Pricing as code\n").unwrap();
    let example = section.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(read(example).unwrap().to_string(), "Letters (plans: 4, packs: 1)");
}

#[test]
fn the_demo_has_every_kind_of_feature_and_price() {
    let demo = read(DEMO).unwrap();
    let features: Vec<&PlanFeature> =
        demo.plans.iter().flat_map(|plan| plan.features.values()).collect();
    let metered = |wanted: UsageReset| {
        features
            .iter()
            .any(|it| matches!(it, PlanFeature::Metered { reset, .. } if *reset == wanted))
    };
    for reset in [UsageReset::Month, UsageReset::BillingPeriod, UsageReset::Day, UsageReset::Never]
    {
        assert!(metered(reset), "{reset:?}");
    }
    let soft = |it: &&&PlanFeature| {
        matches!(it, PlanFeature::Metered { overage: OveragePolicy::Soft, .. })
    };
    let unlimited = |it: &&&PlanFeature| matches!(it, PlanFeature::Metered { limit: None, .. });
    assert!(features.iter().any(|it| soft(&it)) && features.iter().any(|it| unlimited(&it)));
    assert!(features.iter().any(|it| matches!(it, PlanFeature::Credits { amount: 1.., .. })));
    let prices: Vec<_> = demo.plans.iter().flat_map(|plan| &plan.prices).collect();
    for interval in [
        BillingInterval::Weekly,
        BillingInterval::Monthly,
        BillingInterval::Quarterly,
        BillingInterval::Yearly,
    ] {
        assert!(prices.iter().any(|(own, _)| **own == interval), "{interval:?}");
    }
    assert!(prices.iter().any(|(_, price)| !price.currency_amounts.is_empty()));
    assert!(demo.plans.iter().any(|plan| plan.per_seat));
    assert!(demo.plans.iter().any(|plan| !plan.is_listed));
    assert!(demo.plans.iter().any(|plan| plan.trial_days > 0));
    assert!(demo.packs.iter().any(|pack| pack.expires_after_days.is_some()));
}

proptest! {
    #[test]
    fn amounts_limits_trials_and_credits_are_parsed_exactly(
        amount in 1_u64..=99_999_999, limit in 0_u64..=9_007_199_254_740_991,
        trial in 0_u32..=730, credits in 1_u64..=1_000_000_000_000_000,
    ) {
        let text = SMALL.replace("amount = 999", &format!("amount = {amount}"));
        let text = text.replace("letters = 5", &format!("letters = {limit}"));
        let text = text.replace("trial_days = 14", &format!("trial_days = {trial}"));
        let text = text.replace("credits = 10", &format!("credits = {credits}"));
        let catalog = read(&text).unwrap();
        let pro = plan(&catalog, "pro");
        prop_assert_eq!(pro.prices[&BillingInterval::Monthly].amount_minor, amount);
        prop_assert_eq!(pro.trial_days, trial);
        prop_assert_eq!(catalog.packs[0].credits, credits);
        let letters = &plan(&catalog, "free").features["letters"];
        let PlanFeature::Metered { limit: own, .. } = letters else { panic!("{letters:?}") };
        prop_assert_eq!(*own, Some(limit));
    }

    #[test]
    fn amounts_that_stripe_does_not_accept_are_rejected(
        amount in prop_oneof![..1_i64, 100_000_000_i64..],
    ) {
        let text = SMALL.replace("amount = 999", &format!("amount = {amount}"));
        prop_assert!(read(&text).is_err());
    }

    /// A damaged file is accepted or rejected, and each problem names one of its lines.
    #[test]
    fn a_damaged_file_is_accepted_or_rejected_by_line(
        at in 0..SMALL.len(), length in 0_usize..40, put in "[\\PC\n]{0,6}",
    ) {
        let end = (at + length).min(SMALL.len());
        let damaged = format!("{}{put}{}", &SMALL[..at], &SMALL[end..]);
        if let Err(problems) = read(&damaged) {
            let last = damaged.split('\n').count();
            for line in problems.lines() {
                let rest = line.strip_prefix("c.toml:").expect(line);
                let number: usize = rest.split(':').next().unwrap().parse().expect(line);
                prop_assert!((1..=last).contains(&number), "{}", line);
            }
        }
    }
}
