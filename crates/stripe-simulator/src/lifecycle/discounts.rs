//! Checks, redeems and applies coupons and promotion codes.
//!
//! Discounts apply to sessions, subscriptions and invoices. Discounts on single items are not
//! simulated.

use serde_json::{Value, json};

use crate::error::StripeError;
use crate::world::{World, amounts, calendar, shapes, text};

/// The coupon or promotion code that a customer wants to redeem.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Redemption {
    pub coupon: String,
    pub promotion_code: Option<String>,
}

/// The purchase that a redemption is for.
#[derive(Clone, Copy, Debug)]
pub struct Purchase<'a> {
    pub customer: &'a str,
    pub currency: &'a str,
    pub amount: i64,
}

pub fn by_code(code: &Value) -> Result<Redemption, StripeError> {
    let coupon = text(&code["promotion"], "coupon").to_owned();
    Ok(Redemption { coupon, promotion_code: Some(text(code, "id").to_owned()) })
}

/// The redemption of a code entered by a buyer.
pub fn of_code(world: &World, typed: &str) -> Result<Redemption, StripeError> {
    let typed = typed.trim();
    let matches =
        |code: &&Value| code["active"] == true && text(code, "code").eq_ignore_ascii_case(typed);
    let found = world.all("promotion_code").find(matches);
    by_code(found.ok_or_else(|| refused(&format!("Invalid promotion code: {typed}")))?)
}

/// Checks that the purchase may use the coupon or code.
pub fn check(
    world: &World,
    wanted: &Redemption,
    purchase: Purchase<'_>,
) -> Result<(), StripeError> {
    let coupon = world.find("coupon", &wanted.coupon, "discounts")?;
    let now = world.now();
    let used_up = |object: &Value| {
        let used = object["times_redeemed"].as_i64().unwrap_or(0);
        object["max_redemptions"].as_i64().is_some_and(|most| used >= most)
    };
    let over = |object: &Value, name: &str| object[name].as_i64().is_some_and(|end| end <= now);
    if coupon["valid"] == false || used_up(coupon) || over(coupon, "redeem_by") {
        return Err(StripeError::invalid(
            "coupon_expired",
            "discounts",
            format!("Coupon expired: {}", wanted.coupon),
        ));
    }
    if !coupon["amount_off"].is_null()
        && coupon["currency"] != purchase.currency
        && coupon["currency_options"][purchase.currency].is_null()
    {
        return Err(refused("This coupon has no amount in the currency of the purchase."));
    }
    let Some(code_id) = &wanted.promotion_code else { return Ok(()) };
    let code = world.find("promotion_code", code_id, "discounts")?;
    if code["active"] != true || used_up(code) || over(code, "expires_at") {
        return Err(StripeError::invalid(
            "promotion_code_expired",
            "discounts",
            "This promotion code is expired.".to_owned(),
        ));
    }
    check_restrictions(world, code, purchase)
}

fn check_restrictions(
    world: &World,
    code: &Value,
    purchase: Purchase<'_>,
) -> Result<(), StripeError> {
    let for_customer = &code["customer"];
    if !for_customer.is_null() && *for_customer != purchase.customer {
        return Err(refused("This promotion code is restricted to another customer."));
    }
    let restrictions = &code["restrictions"];
    let minimum = restrictions["minimum_amount"].as_i64().unwrap_or(0);
    if purchase.amount < minimum && restrictions["minimum_amount_currency"] == purchase.currency {
        return Err(refused("The purchase is below this promotion code's minimum amount."));
    }
    let paid_before =
        |charge: &Value| charge["customer"] == purchase.customer && charge["paid"] == true;
    let is_known = !purchase.customer.is_empty();
    if restrictions["first_time_transaction"] == true
        && is_known
        && world.all("charge").any(paid_before)
    {
        return Err(StripeError::invalid(
            "promotion_code_customer_not_first_time",
            "discounts",
            "This promotion code is for first-time customers only.",
        ));
    }
    Ok(())
}

fn refused(message: &str) -> StripeError {
    StripeError::invalid("coupon_not_applicable", "discounts", message)
}

/// Redeems a checked coupon or code: creates a discount on the object that `about` names.
pub fn redeem(world: &mut World, wanted: &Redemption, customer: &str, about: Value) -> String {
    let coupon = world.get(&wanted.coupon).cloned().unwrap_or(Value::Null);
    let mut discount = shapes::object(world, "discount", "di");
    let now = world.now();
    let end = match (text(&coupon, "duration"), coupon["duration_in_months"].as_i64()) {
        ("repeating", Some(months)) => Some(calendar::months_later(now, months)),
        _ => None,
    };
    shapes::set(
        &mut discount,
        json!({
            "customer": customer,
            "end": end,
            "promotion_code": wanted.promotion_code,
            "source": { "coupon": wanted.coupon, "type": "coupon" },
            "start": now,
        }),
    );
    shapes::set(&mut discount, about);
    let id = world.insert(discount);
    count_redemption(world, &wanted.coupon);
    if let Some(code_id) = &wanted.promotion_code {
        count_redemption(world, code_id);
    }
    world.emit("customer.discount.created", &id);
    id
}

fn count_redemption(world: &mut World, id: &str) {
    world.edit(id, |object| {
        let times = object["times_redeemed"].as_i64().unwrap_or(0) + 1;
        object["times_redeemed"] = json!(times);
        let is_last = object["max_redemptions"].as_i64().is_some_and(|most| times >= most);
        if is_last && object["object"] == "coupon" {
            object["valid"] = json!(false);
        } else if is_last {
            object["active"] = json!(false);
        }
    });
}

/// The discounts that have not ended at `moment`.
pub fn active(world: &World, discounts: &Value, moment: i64) -> Vec<String> {
    let ids = discounts.as_array().map(Vec::as_slice).unwrap_or_default();
    let counts = |id: &&str| {
        world
            .get(id)
            .is_some_and(|discount| discount["end"].as_i64().is_none_or(|end| moment < end))
    };
    ids.iter().filter_map(Value::as_str).filter(counts).map(str::to_owned).collect()
}

/// Returns true if a discount applies only to its first invoice.
pub fn is_once(world: &World, discount_id: &str) -> bool {
    coupon_of(world, discount_id).is_some_and(|coupon| coupon["duration"] == "once")
}

fn coupon_of<'a>(world: &'a World, discount_id: &str) -> Option<&'a Value> {
    world.get(text(&world.get(discount_id)?["source"], "coupon"))
}

/// Applies the discounts to the lines, one after the other. Returns the total of each.
pub fn apply(
    world: &World,
    lines: &mut [Value],
    discounts: &[String],
    currency: &str,
) -> Vec<Value> {
    let mut totals = Vec::new();
    for id in discounts {
        let Some(coupon) = coupon_of(world, id) else { continue };
        let left: Vec<i64> = lines.iter().map(|line| open_amount(line, coupon)).collect();
        let off = amounts::discount(&left, coupon, currency);
        for (line, off) in lines.iter_mut().zip(&off).filter(|(_, off)| **off > 0) {
            let entry = json!({ "amount": off, "discount": id });
            push(line, "pretax_credit_amounts", as_credit(&entry));
            push(line, "discount_amounts", entry);
        }
        totals.push(json!({ "amount": off.iter().sum::<i64>(), "discount": id }));
    }
    totals
}

/// The part of a line that a coupon may still reduce.
fn open_amount(line: &Value, coupon: &Value) -> i64 {
    let product = &line["pricing"]["price_details"]["product"];
    let products = coupon["applies_to"]["products"].as_array();
    if line["discountable"] == false || products.is_some_and(|products| !products.contains(product))
    {
        return 0;
    }
    let taken = line["discount_amounts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let taken: i64 = taken.iter().map(|entry| entry["amount"].as_i64().unwrap_or(0)).sum();
    line["amount"].as_i64().unwrap_or(0) - taken
}

fn push(line: &mut Value, name: &str, entry: Value) {
    if let Some(entries) = line[name].as_array_mut() {
        entries.push(entry);
    }
}

/// The same amount as an entry of `pretax_credit_amounts`.
pub fn as_credit(entry: &Value) -> Value {
    json!({ "amount": entry["amount"], "discount": entry["discount"], "type": "discount" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::World;

    fn world() -> World {
        let mut world = World::default();
        world.set_now(1_000);
        world.insert(json!({
            "id": "TEN", "object": "coupon", "percent_off": 10.0, "duration": "once",
            "valid": true, "max_redemptions": 1, "times_redeemed": 0,
        }));
        world.insert(json!({
            "id": "FIVE", "object": "coupon", "amount_off": 500, "currency": "usd",
            "duration": "repeating", "duration_in_months": 3, "valid": true,
            "applies_to": { "products": ["prod_a"] },
        }));
        world
    }

    fn line(product: &str, amount: i64) -> Value {
        let mut line = shapes::part("line_item");
        line["amount"] = json!(amount);
        line["pricing"] = json!({ "price_details": { "product": product } });
        line
    }

    fn redemption(coupon: &str) -> Redemption {
        Redemption { coupon: coupon.to_owned(), promotion_code: None }
    }

    #[test]
    fn discounts_apply_in_order_to_their_products() {
        let mut world = world();
        let five = redeem(&mut world, &redemption("FIVE"), "cus_1", json!({}));
        let ten = redeem(&mut world, &redemption("TEN"), "cus_1", json!({}));
        let mut lines = [line("prod_a", 1_500), line("prod_b", 1_000)];
        let totals = apply(&world, &mut lines, &[five.clone(), ten.clone()], "usd");
        let expected =
            [json!({ "amount": 500, "discount": five }), json!({ "amount": 200, "discount": ten })];
        assert_eq!(totals, expected);
    }

    #[test]
    fn a_coupon_is_limited_to_max_redemptions() {
        let mut world = world();
        let purchase = Purchase { customer: "cus_1", currency: "usd", amount: 100 };
        assert!(check(&world, &redemption("TEN"), purchase).is_ok());
        redeem(&mut world, &redemption("TEN"), "cus_1", json!({}));
        assert!(check(&world, &redemption("TEN"), purchase).is_err());
    }

    #[test]
    fn a_repeating_discount_ends() {
        let mut world = world();
        let id = redeem(&mut world, &redemption("FIVE"), "cus_1", json!({}));
        let discounts = json!([id]);
        let end = calendar::months_later(1_000, 3);
        assert_eq!(active(&world, &discounts, end - 1), [id]);
        assert!(active(&world, &discounts, end).is_empty());
    }
}
