//! Tests of the feature check: it agrees with the result of the usage itself.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A user with one feature, its usage and a balance of credits.
fn entitled(grant: Value, used: u64, balance: i64) -> Entitlement {
    let terms = json!({
        "plan": "free", "plan_name": "Free", "plan_version": 1, "source": "default",
        "status": "none", "interval": null, "quantity": null, "trial_end": null,
        "current_period_start": null, "current_period_end": null, "cancel_at_period_end": false,
        "cancel_at": null, "features": { "thing": grant },
    });
    Entitlement {
        user_id: "ann".to_owned(),
        fresh_until: 0,
        terms: Versioned { version: 1, value: serde_json::from_value(terms).unwrap() },
        used: BTreeMap::from([("thing".to_owned(), Versioned { version: 2, value: used })]),
        units: BTreeMap::from([(
            "coin".to_owned(),
            Versioned { version: 1, value: CreditBalance { balance, ..CreditBalance::default() } },
        )]),
    }
}

fn metered(limit: Option<u64>, overage: &str, upgrades: &[Option<u64>]) -> Value {
    let upgrades = upgrades.iter().enumerate();
    let upgrades =
        upgrades.map(|(place, gives)| json!({ "plan": place.to_string(), "gives": gives }));
    json!({
        "type": "metered", "name": "Thing", "unit": "thing", "limit": limit, "overage": overage,
        "resets_at": null, "upgrades": upgrades.collect::<Vec<_>>(),
    })
}

fn check(entitlement: &Entitlement, quantity: u64) -> FeatureCheckResult {
    entitlement.check("thing", PositiveCount::try_from(quantity).unwrap()).unwrap()
}

#[test]
fn an_entitlement_has_the_version_of_its_newest_part() {
    assert_eq!(entitled(metered(Some(1), "hard", &[]), 0, 0).version(), 2);
}

#[test]
fn an_unknown_feature_has_no_result() {
    let entitlement = entitled(metered(Some(1), "hard", &[]), 0, 0);
    assert_eq!(entitlement.check("nothing", PositiveCount::ONE), None);
}

#[test]
fn a_boolean_feature_is_not_counted() {
    for enabled in [true, false] {
        let upgrades = json!([{ "plan": "pro", "gives": null }, { "plan": "team", "gives": null }]);
        let grant =
            json!({ "type": "boolean", "name": "Thing", "enabled": enabled, "upgrades": upgrades });
        let verdict = check(&entitled(grant, 0, 0), 1_000);
        assert_eq!((verdict.allowed, verdict.balance), (enabled, None));
        assert_eq!(verdict.reason, (!enabled).then_some(RefusalReason::NotInPlan));
        assert_eq!(verdict.upgrade_to.as_deref(), (!enabled).then_some("pro"));
    }
}

#[test]
fn credits_are_checked_by_their_unit() {
    let upgrades = json!([{ "plan": "pro", "gives": 5 }, { "plan": "team", "gives": 50 }]);
    let grant = json!({
        "type": "credits", "name": "Thing", "unit": "coin", "amount": 0, "upgrades": upgrades,
    });
    for (balance, quantity, allowed, upgrade_to) in [
        (3, 3, true, None),
        (3, 4, false, Some("pro")),
        (3, 6, false, Some("team")),
        (3, 51, false, None),
        (-7, 1, false, Some("pro")),
    ] {
        let verdict = check(&entitled(grant.clone(), 0, balance), quantity);
        assert_eq!((verdict.allowed, verdict.balance), (allowed, Some(balance)));
        assert_eq!(verdict.upgrade_to.as_deref(), upgrade_to);
        let reason =
            if balance > 0 { RefusalReason::LimitReached } else { RefusalReason::NotInPlan };
        assert_eq!(verdict.reason, (!allowed).then_some(reason));
    }
    let mut given = grant;
    given["amount"] = 7.into();
    assert_eq!(check(&entitled(given, 0, 0), 1).reason, Some(RefusalReason::LimitReached));
}

proptest! {
    /// Usage is allowed if it stays within a hard limit, and always with a soft limit or none.
    #[test]
    fn a_check_agrees_with_the_usage(
        limit in prop::option::of(0..100_u64),
        is_hard: bool,
        used in 0..150_u64,
        quantity in 1..150_u64,
    ) {
        let overage = if is_hard { "hard" } else { "soft" };
        let verdict = check(&entitled(metered(limit, overage, &[]), used, 0), quantity);
        let allowed = !is_hard || limit.is_none_or(|limit| used + quantity <= limit);
        prop_assert_eq!(verdict.allowed, allowed);
        prop_assert_eq!(verdict.reason.is_none(), allowed);
        let left = limit.map(|limit| i64::try_from(limit.saturating_sub(used)).unwrap());
        prop_assert_eq!(verdict.balance, left);
        if let Some(left) = left.filter(|_| is_hard) {
            prop_assert_eq!(allowed, i64::try_from(quantity).unwrap() <= left, "the balance agrees");
        }
    }

    /// The named plan would allow the usage, and no lower plan would.
    #[test]
    fn the_lowest_plan_that_has_enough_is_named(
        limit in 0..50_u64,
        used in 0..100_u64,
        quantity in 1..100_u64,
        upgrades in prop::collection::vec(prop::option::of(0..250_u64), 0..5),
    ) {
        let verdict = check(&entitled(metered(Some(limit), "hard", &upgrades), used, 0), quantity);
        let has_enough =
            |gives: &Option<u64>| check(&entitled(metered(*gives, "hard", &[]), used, 0), quantity).allowed;
        let lowest = upgrades.iter().position(has_enough).filter(|_| !verdict.allowed);
        prop_assert_eq!(verdict.upgrade_to, lowest.map(|place| place.to_string()));
    }

    /// An unpaid subscription is the reason of every refusal, but does not refuse what is free.
    #[test]
    fn an_unpaid_plan_explains_refusals(limit in 0..9_u64, used in 0..9_u64, quantity in 1..9_u64) {
        let paid = entitled(metered(Some(limit), "hard", &[]), used, 0);
        let mut unpaid = paid.clone();
        unpaid.terms.value.status = "past_due".to_owned();
        let (paid, unpaid) = (check(&paid, quantity), check(&unpaid, quantity));
        prop_assert_eq!(paid.allowed, unpaid.allowed);
        prop_assert_eq!(unpaid.reason, (!unpaid.allowed).then_some(RefusalReason::PastDue));
        let not_in_plan = (!paid.allowed && limit == 0).then_some(RefusalReason::NotInPlan);
        let other = (!paid.allowed && limit > 0).then_some(RefusalReason::LimitReached);
        prop_assert_eq!(paid.reason, not_in_plan.or(other));
    }
}
