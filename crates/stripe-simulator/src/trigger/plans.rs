//! By which names a price can be asked for: the plan or pack that its metadata or its product's
//! names, its lookup key, and what a catalog's lookup key says of it.

use serde_json::Value;

use crate::world::{World, text};

/// How a catalog's lookup keys end, for a plan.
const INTERVALS: [&str; 4] = ["weekly", "monthly", "quarterly", "yearly"];

/// Every plan and pack that is there.
pub fn plans(world: &World) -> Vec<String> {
    let active = world.all("price").filter(|price| price["active"] == true);
    sorted(active.filter_map(|price| called(world, price).map(str::to_owned)))
}

/// The same, and beside a plan each rhythm of it that has to be asked for: `pro_yearly`.
pub fn offers(world: &World) -> Vec<String> {
    let active = world.all("price").filter(|price| price["active"] == true);
    sorted(active.filter_map(|price| {
        let whole = price["lookup_key"].as_str().and_then(of_catalog).map(|(_, whole)| whole);
        let whole = whole.filter(|whole| !whole.ends_with("_monthly"));
        whole.or_else(|| called(world, price)).map(str::to_owned)
    }))
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.dedup();
    names
}

/// What a person calls a price: its plan or pack, or else its lookup key.
pub fn called<'a>(world: &'a World, price: &'a Value) -> Option<&'a str> {
    let lookup_key = price["lookup_key"].as_str();
    let of_catalog = lookup_key.and_then(of_catalog).map(|(plan, _)| plan);
    of_catalog.or_else(|| marks(world, price).next()).or(lookup_key)
}

/// The price that is called so, the monthly one before others, and then the cheapest.
pub fn known(world: &World, plan: &str) -> Option<Value> {
    let prices = || world.all("price").filter(|price| price["active"] == true);
    let whole = cheapest(prices().filter(|price| is_called(world, price, plan)));
    // A lookup key often has more in it than the plan: `app_pro_monthly`.
    let in_part = || {
        cheapest(prices().filter(|price| {
            let key = text(price, "lookup_key");
            of_catalog(key).is_none() && key.split(['_', '-', ':', '.']).any(|part| part == plan)
        }))
    };
    whole.or_else(in_part).cloned()
}

/// What is taken where nothing was asked for: the cheapest monthly plan, or else the cheapest plan
/// of another rhythm. A price that lost its name to a newer one is the last choice.
pub fn any(world: &World) -> Option<Value> {
    let costs = |price: &&Value| {
        price["active"] == true
            && price["recurring"].is_object()
            && price["unit_amount"].as_i64() > Some(0)
    };
    let plans = || world.all("price").filter(costs);
    let named = cheapest(plans().filter(|price| called(world, price).is_some()));
    named.or_else(|| cheapest(plans())).cloned()
}

fn cheapest<'a>(prices: impl Iterator<Item = &'a Value>) -> Option<&'a Value> {
    prices.min_by_key(|price| {
        let recurring = &price["recurring"];
        let monthly = recurring["interval"] == "month"
            && recurring["interval_count"].as_i64().unwrap_or(1) == 1;
        (!monthly, price["unit_amount"].as_i64().unwrap_or(i64::MAX))
    })
}

fn is_called(world: &World, price: &Value, plan: &str) -> bool {
    let key = text(price, "lookup_key");
    let (short, whole) = of_catalog(key).unwrap_or_default();
    [key, short, whole].contains(&plan) || marks(world, price).any(|mark| mark == plan)
}

/// `pro` and `pro_yearly`, of `farebox_demo_plan_pro_yearly`; a pack has no interval.
fn of_catalog(lookup_key: &str) -> Option<(&str, &str)> {
    let (_product, good) = lookup_key.strip_prefix("farebox_")?.split_once('_')?;
    if let Some(pack) = good.strip_prefix("pack_") {
        return Some((pack, pack));
    }
    let whole = good.strip_prefix("plan_")?;
    let (plan, interval) = whole.rsplit_once('_')?;
    INTERVALS.contains(&interval).then_some((plan, whole))
}

/// The plans that a price's metadata, or its product's, names.
fn marks<'a>(world: &'a World, price: &'a Value) -> impl Iterator<Item = &'a str> {
    let product = world.get(text(price, "product")).unwrap_or(&Value::Null);
    [&price["metadata"], &product["metadata"]].into_iter().flat_map(|metadata| {
        ["plan", "tier", "pack", "farebox_plan"]
            .into_iter()
            .filter_map(|name| metadata[name].as_str())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A world that sells what a catalog made, with a price that a newer one has replaced.
    fn world() -> World {
        let mut world = World::default();
        for (key, minor, interval) in [
            (json!("farebox_demo_plan_plus_yearly"), 5_000, json!("year")),
            (json!("farebox_demo_plan_plus_monthly"), 900, json!("month")),
            (json!("farebox_demo_plan_premium_monthly"), 2_900, json!("month")),
            (json!("farebox_demo_pack_ai_100"), 500, Value::Null),
            (json!("app_silver_monthly"), 1_000, json!("month")),
            (Value::Null, 100, json!("month")),
        ] {
            let recurring = match interval.is_null() {
                true => Value::Null,
                false => json!({ "interval": interval, "interval_count": 1 }),
            };
            let id = world.new_id("price");
            world.insert(json!({
                "id": id, "object": "price", "active": true, "lookup_key": key,
                "unit_amount": minor, "currency": "usd", "product": "prod_1", "metadata": {},
                "recurring": recurring,
            }));
        }
        world
    }

    #[test]
    fn a_price_is_found_by_any_of_its_names() {
        let world = world();
        for (plan, expected) in [
            ("plus", Some(900)),
            ("plus_yearly", Some(5_000)),
            ("farebox_demo_plan_plus_yearly", Some(5_000)),
            ("ai_100", Some(500)),
            ("silver", Some(1_000)),
            ("demo", None),
            ("gold", None),
        ] {
            let found = known(&world, plan);
            assert_eq!(found.and_then(|price| price["unit_amount"].as_i64()), expected, "{plan}");
        }
        assert_eq!(any(&world).unwrap()["unit_amount"], 900);
    }

    #[test]
    fn a_catalogs_goods_are_listed_by_their_own_names() {
        let world = world();
        assert_eq!(plans(&world), ["ai_100", "app_silver_monthly", "plus", "premium"]);
        let expected = ["ai_100", "app_silver_monthly", "plus", "plus_yearly", "premium"];
        assert_eq!(offers(&world), expected);
    }
}
