//! The rules of a check, against what a use would be answered.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Somebody with one feature, and what was used of it or is held.
fn somebody(grant: Value, used: u64, balance: i64) -> Entitlement {
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
fn the_whole_has_the_version_of_its_newest_part() {
    assert_eq!(somebody(metered(Some(1), "hard", &[]), 0, 0).version(), 2);
}

#[test]
fn a_feature_that_is_none_has_no_verdict() {
    let somebody = somebody(metered(Some(1), "hard", &[]), 0, 0);
    assert_eq!(somebody.check("nothing", PositiveCount::ONE), None);
}

#[test]
fn what_is_there_or_not_is_not_counted() {
    for enabled in [true, false] {
        let upgrades = json!([{ "plan": "pro", "gives": null }, { "plan": "team", "gives": null }]);
        let grant =
            json!({ "type": "boolean", "name": "Thing", "enabled": enabled, "upgrades": upgrades });
        let verdict = check(&somebody(grant, 0, 0), 1_000);
        assert_eq!((verdict.allowed, verdict.balance), (enabled, None));
        assert_eq!(verdict.reason, (!enabled).then_some(RefusalReason::NotInPlan));
        assert_eq!(verdict.upgrade_to.as_deref(), (!enabled).then_some("pro"));
    }
}

#[test]
fn credits_are_held_by_their_unit() {
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
        let verdict = check(&somebody(grant.clone(), 0, balance), quantity);
        assert_eq!((verdict.allowed, verdict.balance), (allowed, Some(balance)));
        assert_eq!(verdict.upgrade_to.as_deref(), upgrade_to);
        let reason =
            if balance > 0 { RefusalReason::LimitReached } else { RefusalReason::NotInPlan };
        assert_eq!(verdict.reason, (!allowed).then_some(reason));
    }
    let mut given = grant;
    given["amount"] = 7.into();
    assert_eq!(check(&somebody(given, 0, 0), 1).reason, Some(RefusalReason::LimitReached));
}

proptest! {
    /// A use is allowed if it stays within a hard limit, and always within a soft one or none.
    #[test]
    fn a_check_says_what_a_use_is_answered(
        limit in prop::option::of(0..100_u64),
        is_hard: bool,
        used in 0..150_u64,
        quantity in 1..150_u64,
    ) {
        let overage = if is_hard { "hard" } else { "soft" };
        let verdict = check(&somebody(metered(limit, overage, &[]), used, 0), quantity);
        let allowed = !is_hard || limit.is_none_or(|limit| used + quantity <= limit);
        prop_assert_eq!(verdict.allowed, allowed);
        prop_assert_eq!(verdict.reason.is_none(), allowed);
        let left = limit.map(|limit| i64::try_from(limit.saturating_sub(used)).unwrap());
        prop_assert_eq!(verdict.balance, left);
        if let Some(left) = left.filter(|_| is_hard) {
            prop_assert_eq!(allowed, i64::try_from(quantity).unwrap() <= left, "as the balance says");
        }
    }

    /// The plan that is named would allow it, and none before it would.
    #[test]
    fn the_lowest_plan_that_has_enough_is_named(
        limit in 0..50_u64,
        used in 0..100_u64,
        quantity in 1..100_u64,
        upgrades in prop::collection::vec(prop::option::of(0..250_u64), 0..5),
    ) {
        let verdict = check(&somebody(metered(Some(limit), "hard", &upgrades), used, 0), quantity);
        let has_enough =
            |gives: &Option<u64>| check(&somebody(metered(*gives, "hard", &[]), used, 0), quantity).allowed;
        let lowest = upgrades.iter().position(has_enough).filter(|_| !verdict.allowed);
        prop_assert_eq!(verdict.upgrade_to, lowest.map(|place| place.to_string()));
    }

    /// What is not paid for is the reason of every refusal, and refuses nothing that is free.
    #[test]
    fn who_has_not_paid_hears_of_it(limit in 0..9_u64, used in 0..9_u64, quantity in 1..9_u64) {
        let paid = somebody(metered(Some(limit), "hard", &[]), used, 0);
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
