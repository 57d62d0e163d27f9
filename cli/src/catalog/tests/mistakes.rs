//! Every problem of a file is reported at once, by line and field.

use super::{SMALL, problems_of, read};

/// A text of the small catalog, its replacement, and the resulting problem.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("key = \"small\"", "", "c.toml:2: product.key is missing"),
    (
        "key = \"small\"",
        "key = \"very_small\"",
        "c.toml:3: product.key must be up to 40 lower-case letters, digits and -, not \
         \"very_small\"",
    ),
    (
        "currency = \"usd\"",
        "currency = \"USD\"",
        "c.toml:5: product.currency must be a currency of three lower-case letters, such as usd, \
             not \"USD\"",
    ),
    (
        "reset = \"month\"",
        "reset = \"weekly\"",
        "c.toml:8: features.letters.reset must be one of month, billing_period, day, never, not \
             \"weekly\"",
    ),
    (
        "type = \"boolean\"",
        "type = \"flag\"",
        "c.toml:10: features.scheduling.type must be one of boolean, metered, credits, not \
         \"flag\"",
    ),
    (
        "credits = 10",
        "credits = 1_000_000_000_000_001",
        "c.toml:33: packs.stamps.credits must be at most 1000000000000000, the largest balance",
    ),
    (
        "credits = 10",
        "credits = 10\nmax_quantity = 10_001",
        "c.toml:34: packs.stamps.max_quantity must be from 1 to 10000, not 10001",
    ),
    (
        "trial_days = 14",
        "trial_days = 14\nhistory = { keep_days = 0 }",
        "c.toml:21: plans.pro.history.keep_days must be from 1 to 3650, not 0",
    ),
    (
        "trial_days = 14",
        "trial_days = 14\nhistory = { days = 30 }",
        "c.toml:21: plans.pro.history.days is unknown; expected one of keep_days, max_entries",
    ),
    (
        "trial_days = 14",
        "trial_days = 14\nhistory = { max_entries = \"all\" }",
        "c.toml:21: plans.pro.history.max_entries must be a whole number of entries, not \"all\"",
    ),
    ("unit = \"letter\", ", "", "c.toml:8: features.letters.unit is missing"),
    (
        "unit = \"letter\"",
        "unit = \"A letter\"",
        "c.toml:8: features.letters.unit must be lower-case letters, digits and _, not \"A \
         letter\"",
    ),
    (
        "{ type = \"boolean\" }",
        "{ type = \"boolean\", limit = 5 }",
        "c.toml:10: features.scheduling.limit is unknown; expected one of type, name",
    ),
    (
        "scheduling = { type = \"boolean\" }",
        "scheduling = { type = \"boolean\" }\nx = { type = \"credits\", unit = \"mail_credit\" }",
        "c.toml:12: features.mail_credits needs its own unit: features.x has the same unit",
    ),
    (
        "scheduling = { type = \"boolean\" }",
        "scheduling = { type = \"boolean\", name = \"LETTERS\" }",
        "c.toml:10: features.scheduling has the key or name \"letters\", which features.letters \
         already has",
    ),
    (
        "name = \"Pro\"",
        "name = \"FREE\"",
        "c.toml:18: plans.pro has the key or name \"free\", which plans.free already has",
    ),
    (
        "[plans.free]",
        "[plans.Free]",
        "c.toml:13: plans.Free is not a valid key: use up to 50 lower-case letters, digits, _ and \
         -, a letter first; put the display name in name",
    ),
    (
        "trial_days = 14",
        "trail_days = 14",
        "c.toml:20: plans.pro.trail_days is unknown; expected one of name, description, rank, \
         default, listed, trial_days, past_due_grace_days, history, per_seat, product, product_env, prices, \
         features",
    ),
    (
        "trial_days = 14",
        "trial_days = 731",
        "c.toml:20: plans.pro.trial_days must be from 0 to 730, not 731",
    ),
    (
        "trial_days = 14",
        "trial_days = \"14\"",
        "c.toml:20: plans.pro.trial_days must be a whole number of days, not \"14\"",
    ),
    (
        "trial_days = 14",
        "description = \"two\\nlines\"",
        "c.toml:20: plans.pro.description must be a line of 1 to 1000 characters",
    ),
    (
        "trial_days = 14",
        "per_seat = 1",
        "c.toml:20: plans.pro.per_seat must be true or false, not 1",
    ),
    (
        "default = true",
        "listed = false",
        "c.toml:13: plans have no default plan: set default = true in the free plan",
    ),
    (
        "default = true",
        "default = true\nlisted = false",
        "c.toml:13: plans.free is the default plan, which is always listed: remove listed = false",
    ),
    (
        "default = true",
        "default = true\ntrial_days = 3",
        "c.toml:13: plans.free has trial_days but no prices",
    ),
    (
        "[packs.stamps]",
        "[plans.other]\nname = \"Other\"\n[packs.stamps]",
        "c.toml:30: plans.other has no prices: add some, or set listed = false if only operators \
         give it",
    ),
    (
        "amount = 999",
        "amount = 9.99",
        "c.toml:22: plans.pro.prices.monthly.amount must be a whole number of minor units, not \
         9.99",
    ),
    (
        "amount = 999",
        "amount = 0",
        "c.toml:22: plans.pro.prices.monthly.amount must be from 1 to 99999999, not 0",
    ),
    (
        "amount = 999",
        "amount = -1",
        "c.toml:22: plans.pro.prices.monthly.amount must be from 1 to 99999999, not -1",
    ),
    (
        "yearly = 9_590",
        "yearly = 100_000_000",
        "c.toml:23: plans.pro.prices.yearly must be from 1 to 99999999, not 100000000",
    ),
    (
        "yearly = 9_590",
        "yearly = 99999999999999999999",
        "c.toml:23: plans.pro.prices.yearly must be from 1 to 99999999, not 99999999999999999999",
    ),
    (
        "yearly = 9_590",
        "annually = 9_590",
        "c.toml:23: plans.pro.prices.annually is unknown; expected one of weekly, monthly, \
         quarterly, yearly",
    ),
    ("yearly = 9_590", "monthly = 9_590", "c.toml:23: duplicate key"),
    (
        "eur = 899",
        "usd = 899",
        "c.toml:22: plans.pro.prices.monthly.currencies.usd is the price's own currency, whose \
         amount is in amount",
    ),
    (
        "eur = 899",
        "eru = 899",
        "c.toml:22: plans.pro.prices.monthly.currencies.eru must be a currency of three lower-case \
             letters, such as usd",
    ),
    (
        "eur = 899",
        "eur = 8.99",
        "c.toml:22: plans.pro.prices.monthly.currencies.eur must be a whole number of minor units, \
             not 8.99",
    ),
    (
        "scheduling = true",
        "scheduling = 5",
        "c.toml:27: plans.pro.features.scheduling must be true or false, for a boolean feature, \
         not 5",
    ),
    (
        "scheduling = true",
        "sheduling = true",
        "c.toml:27: plans.pro.features.sheduling is not a feature of this catalog",
    ),
    (
        "letters = 5",
        "letters = true",
        "c.toml:16: plans.free.features.letters must be a whole number, \"unlimited\", { limit = \
         100, overage = \"soft\" } or false, for a metered feature, not true",
    ),
    (
        "letters = 5",
        "letters = 9_007_199_254_740_992",
        "c.toml:16: plans.free.features.letters must be from 0 to 9007199254740991, not \
             9007199254740992",
    ),
    (
        "overage = \"soft\"",
        "overage = \"none\"",
        "c.toml:26: plans.pro.features.calls.overage must be one of hard, soft, not \"none\"",
    ),
    ("limit = 100, ", "", "c.toml:26: plans.pro.features.calls.limit is missing"),
    (
        "amount = 2, every = \"billing_period\"",
        "amount = 2, every = \"day\"",
        "c.toml:28: plans.pro.features.mail_credits.every must be one of billing_period, not \
         \"day\"",
    ),
    (
        "amount = 2,",
        "amount = 2, rollover = 1,",
        "c.toml:28: plans.pro.features.mail_credits.rollover must be true or false, not 1",
    ),
    (
        "amount = 2,",
        "amount = 0.5,",
        "c.toml:28: plans.pro.features.mail_credits.amount must be a whole number of credits, not \
         0.5",
    ),
    (
        "unit = \"mail_credit\"\ncredits",
        "unit = \"stamp\"\ncredits",
        "c.toml:32: packs.stamps.unit is \"stamp\", but no credits feature has this unit",
    ),
    (
        "credits = 10",
        "credits = 10\nexpires_after_days = 0",
        "c.toml:34: packs.stamps.expires_after_days must be from 1 to 3650, not 0",
    ),
    ("amount = 500", "", "c.toml:30: packs.stamps.amount is missing"),
    (
        "[packs.stamps]",
        "[bundles.stamps]",
        "c.toml:30: bundles is unknown; expected one of product, features, plans, packs",
    ),
];

#[test]
fn every_mistake_is_reported_by_line_and_field() {
    for (from, to, expected) in MISTAKES {
        assert_eq!(problems_of(from, to), *expected, "{to}");
    }
}

#[test]
fn the_number_of_features_is_limited() {
    let flags: String = (0..97).map(|n| format!("flag_{n} = {{ type = \"boolean\" }}\n")).collect();
    let many = format!("[features]\n{flags}");
    let expected = "c.toml:7: features has 101 entries; the maximum is 100";
    assert_eq!(problems_of("[features]", &many), expected);
}

#[test]
fn a_catalog_has_one_default_plan() {
    let second = "[plans.none]\nname = \"None\"\ndefault = true\n[packs.stamps]";
    let expected = "c.toml:30: plans.none is a second default plan, after plans.free: keep one";
    assert_eq!(problems_of("[packs.stamps]", second), expected);
    let paid = problems_of("name = \"Pro\"", "name = \"Pro\"\ndefault = true");
    assert_eq!(
        paid,
        "c.toml:18: plans.pro is the default plan, which must be free, but has prices\n\
         c.toml:18: plans.pro is a second default plan, after plans.free: keep one"
    );
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let text = SMALL.replace("amount = 999", "amount = 9.99").replace("letters = 5", "letter = 5");
    let text = text.replace("trial_days = 14", "trial_days = 1000").replace("= 500", "= 0");
    let problems = read(&text).unwrap_err();
    let lines: Vec<&str> = problems.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(lines, ["c.toml:16:", "c.toml:20:", "c.toml:22:", "c.toml:34:"], "{problems}");
}

#[test]
fn invalid_toml_is_reported_by_line() {
    assert_eq!(problems_of("[features]", "[features"), "c.toml:7: unclosed table, expected `]`");
}
