//! The promotion codes that a payer can enter.

use dev_pages::format::money;
use serde_json::Value;

use crate::api::coupons;
use crate::world::{World, text};

/// A promotion code: the code, and its reduction.
pub type Promotion = (String, String);

/// The active codes with their reductions: `SAVE20`, `20% off once`.
pub fn usable(world: &World) -> Vec<Promotion> {
    let over =
        |object: &Value, name: &str| object[name].as_i64().is_some_and(|end| end <= world.now());
    let codes = world.all("promotion_code");
    let active = codes.filter(|code| {
        code["active"] == true && !coupons::is_used_up(code) && !over(code, "expires_at")
    });
    let described = active.filter_map(|code| {
        let coupon = world.get(text(&code["promotion"], "coupon"))?;
        let is_valid = !coupons::is_used_up(coupon) && !over(coupon, "redeem_by");
        is_valid.then(|| (text(code, "code").to_owned(), describe(coupon)))
    });
    described.collect()
}

/// Describes a coupon: `20% off once`, `$5.00 off for 3 months`.
fn describe(coupon: &Value) -> String {
    let off = match coupon["percent_off"].as_f64() {
        Some(percent) => format!("{percent}% off"),
        None => {
            let minor = coupon["amount_off"].as_i64().unwrap_or_default();
            format!("{} off", money(minor, text(coupon, "currency")))
        }
    };
    match (text(coupon, "duration"), coupon["duration_in_months"].as_i64()) {
        ("repeating", Some(1)) => format!("{off} for 1 month"),
        ("repeating", Some(months)) => format!("{off} for {months} months"),
        ("forever", _) => format!("{off} forever"),
        _ => format!("{off} once"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_coupon_is_described_by_its_reduction_and_duration() {
        for (coupon, expected) in [
            (json!({ "percent_off": 20.0, "duration": "once" }), "20% off once"),
            (json!({ "percent_off": 12.5, "duration": "forever" }), "12.5% off forever"),
            (
                json!({
                    "amount_off": 500, "currency": "usd", "duration": "repeating",
                    "duration_in_months": 3,
                }),
                "$5.00 off for 3 months",
            ),
        ] {
            assert_eq!(describe(&coupon), expected);
        }
    }
}
