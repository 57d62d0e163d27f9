//! Parses a catalog file: its product, plans and packs, and the rules between them.

use shared::domain::catalog::HistoryTerms;
use toml::de::DeTable;

use super::features::{self, Definition};
use super::field::{Diagnostics, Field, Table};
use super::ids::{IdReader, Ids};
use super::item::{self, Names};
use super::{Catalog, Pack, Plan, Problems, prices};

/// Stripe's longest trial.
const LONGEST_TRIAL: i64 = 730;
const LONGEST_GRACE: i64 = 365;
/// About as long as Stripe retries a card.
const USUAL_GRACE: u32 = 7;
const LONGEST_EXPIRY: i64 = 3_650;
/// As `pricing_plan_versions` checks it.
const LONGEST_HISTORY: i64 = 3_650;
const MOST_ENTRIES: i64 = 10_000_000;
/// The largest possible balance, so no pack can have more.
const MOST_CREDITS: u64 = 1_000_000_000_000_000;
/// The largest `max_quantity` of a pack.
const MOST_PACKS: i64 = 10_000;

/// The parts of the file that plans and packs refer to.
struct Context<'a> {
    currency: String,
    features: Vec<Definition>,
    ids: IdReader<'a>,
}

pub(super) fn read(file: &str, text: &str, ids: &Ids<'_>) -> Result<Catalog, Problems> {
    let diagnostics = Diagnostics::new(file, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = error.span().map_or(0, |span| span.start);
        diagnostics.add(at.min(text.len()), error.message().to_owned());
    }
    // Later checks would only report the same syntax error again.
    diagnostics.finish()?;
    let root = Table::root(document.get_ref(), &diagnostics);
    let catalog = catalog(&root, ids);
    diagnostics.finish()?;
    Ok(catalog)
}

fn catalog(root: &Table<'_>, ids: &Ids<'_>) -> Catalog {
    root.reject_unknown(&["product", "features", "plans", "packs"]);
    let product = root.require("product").and_then(|field| field.table());
    let (key, name, currency) = product.map(|table| read_product(&table)).unwrap_or_default();
    let features = features::definitions(root);
    let context = Context { currency, features, ids: IdReader::new(ids) };
    let plans = plans(root, &context);
    let packs = packs(root, &context);
    Catalog { product: key, name, plans, packs }
}

fn read_product(table: &Table<'_>) -> (String, String, String) {
    table.reject_unknown(&["key", "name", "currency"]);
    let key = table.require("key").and_then(|field| product_key(&field)).unwrap_or_default();
    let currency = table.require("currency").and_then(|field| prices::currency(&field));
    (key, item::name(table), currency.unwrap_or_default())
}

/// Parses the product's key. It has no `_`, because a `_` follows it in the ids that contain it.
fn product_key(field: &Field<'_>) -> Option<String> {
    let key = field.text()?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let starts = key.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts || key.len() > 40 || !key.chars().all(plain) {
        field.report(format!("must be up to 40 lower-case letters, digits and -, not {key:?}"));
        return None;
    }
    Some(key.to_owned())
}

fn plans(root: &Table<'_>, context: &Context<'_>) -> Vec<Plan> {
    let table = root.require("plans").and_then(|field| field.table());
    let (mut plans, mut names) = (Vec::new(), Names::default());
    let mut default: Option<String> = None;
    for (position, (key, field)) in table.iter().flat_map(item::entries).enumerate() {
        let Some(table) = field.table() else { continue };
        let plan = plan(key, &table, position, context);
        names.claim(key, &plan.name, &table);
        if plan.is_default
            && let Some(earlier) = default.replace(key.to_owned())
        {
            table.report(format!("is a second default plan, after plans.{earlier}: keep one"));
        }
        plans.push(plan);
    }
    if let (Some(table), None) = (table, default) {
        table.report("have no default plan: set default = true in the free plan");
    }
    plans.sort_by_key(|plan| plan.rank);
    plans
}

fn plan(key: &str, table: &Table<'_>, position: usize, context: &Context<'_>) -> Plan {
    table.reject_unknown(&[
        "name",
        "description",
        "rank",
        "default",
        "listed",
        "trial_days",
        "past_due_grace_days",
        "history",
        "per_seat",
        "product",
        "product_env",
        "prices",
        "features",
    ]);
    let flag = |name: &str| table.get(name).and_then(|field| field.boolean());
    let prices = table.get("prices");
    let prices = prices.map(|field| prices::by_interval(&field, &context.currency, &context.ids));
    let grace = item::days(table, "past_due_grace_days", 0, LONGEST_GRACE);
    let plan = Plan {
        key: key.to_owned(),
        name: item::name(table),
        description: item::description(table),
        rank: item::rank(table, position),
        trial_days: item::days(table, "trial_days", 0, LONGEST_TRIAL).unwrap_or_default(),
        is_default: flag("default").unwrap_or(false),
        is_listed: flag("listed").unwrap_or(true),
        past_due_grace_days: grace.unwrap_or(USUAL_GRACE),
        history: history(table),
        features: features::of_plan(table, &context.features),
        per_seat: flag("per_seat").unwrap_or(false),
        product_id: context.ids.read(table, "product"),
        prices: prices.unwrap_or_default(),
    };
    check(&plan, table);
    plan
}

/// Parses `{ keep_days = 90, max_entries = 1_000 }`. A limit that is absent is unlimited.
fn history(plan: &Table<'_>) -> HistoryTerms {
    let Some(table) = plan.get("history").and_then(|field| field.table()) else {
        return HistoryTerms::default();
    };
    table.reject_unknown(&["keep_days", "max_entries"]);
    let entries = table.get("max_entries");
    HistoryTerms {
        keep_days: item::days(&table, "keep_days", 1, LONGEST_HISTORY),
        max_entries: entries
            .and_then(|field| field.number(1..=MOST_ENTRIES, " of entries"))
            .and_then(|most| u32::try_from(most).ok()),
    }
}

/// Reports fields that exclude each other.
fn check(plan: &Plan, table: &Table<'_>) {
    let is_free = plan.prices.is_empty();
    if plan.is_default && !is_free {
        table.report("is the default plan, which must be free, but has prices");
    }
    if plan.is_default && !plan.is_listed {
        table.report("is the default plan, which is always listed: remove listed = false");
    }
    if !plan.is_default && plan.is_listed && is_free {
        table.report("has no prices: add some, or set listed = false if only operators give it");
    }
    for (set, name) in [
        (plan.trial_days > 0, "trial_days"),
        (plan.per_seat, "per_seat"),
        (table.get("product").or(table.get("product_env")).is_some(), "a Stripe product"),
    ] {
        if is_free && set {
            table.report(format!("has {name} but no prices"));
        }
    }
}

fn packs(root: &Table<'_>, context: &Context<'_>) -> Vec<Pack> {
    let table = root.get("packs").and_then(|field| field.table());
    let (mut packs, mut names) = (Vec::new(), Names::default());
    for (position, (key, field)) in table.iter().flat_map(item::entries).enumerate() {
        let Some(table) = field.table() else { continue };
        let pack = pack(key, &table, position, context);
        names.claim(key, &pack.name, &table);
        packs.push(pack);
    }
    packs.sort_by_key(|pack| pack.rank);
    packs
}

fn pack(key: &str, table: &Table<'_>, position: usize, context: &Context<'_>) -> Pack {
    const OWN: [&str; 10] = [
        "name",
        "description",
        "rank",
        "unit",
        "credits",
        "expires_after_days",
        "max_quantity",
        "promotion_codes",
        "product",
        "product_env",
    ];
    table.reject_unknown(&[&OWN[..], &prices::FIELDS].concat());
    let unit = table.require("unit").and_then(|field| pack_unit(&field, &context.features));
    let credits = table.require("credits").and_then(|field| features::credits(&field));
    if let Some(field) = table.get("credits").filter(|_| credits > Some(MOST_CREDITS)) {
        field.report(format!("must be at most {MOST_CREDITS}, the largest balance"));
    }
    let most = table.get("max_quantity").and_then(|field| field.number(1..=MOST_PACKS, ""));
    let promotion_codes = table.get("promotion_codes").and_then(|field| field.boolean());
    Pack {
        key: key.to_owned(),
        name: item::name(table),
        description: item::description(table),
        rank: item::rank(table, position),
        unit: unit.unwrap_or_default(),
        credits: credits.unwrap_or_default(),
        expires_after_days: item::days(table, "expires_after_days", 1, LONGEST_EXPIRY),
        max_quantity: most.and_then(|most| u32::try_from(most).ok()),
        promotion_codes: promotion_codes.unwrap_or(false),
        product_id: context.ids.read(table, "product"),
        price: prices::read(table, &context.currency, &context.ids),
    }
}

/// Parses a pack's unit. A credits feature must have it too: otherwise the credits could not be
/// spent.
fn pack_unit(field: &Field<'_>, features: &[Definition]) -> Option<String> {
    let unit = features::unit(field)?;
    if !features.iter().any(|feature| feature.credits_unit() == Some(&unit)) {
        field.report(format!("is {unit:?}, but no credits feature has this unit"));
    }
    Some(unit)
}
