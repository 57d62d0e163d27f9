//! Arithmetic with money: whole minor units, rounded half away from zero as Stripe does.

use serde_json::Value;

use crate::error::StripeError;

/// Stripe's maximum amount of a charge.
const MOST: i64 = 99_999_999;

/// Refuses an amount above Stripe's maximum.
pub fn check_total(amount: i64, param: &str) -> Result<(), StripeError> {
    if amount <= MOST {
        return Ok(());
    }
    let message = "Amount must be no more than $999,999.99";
    Err(StripeError::invalid("amount_too_large", param, message))
}

/// Returns the cost of a quantity of a price in a currency. `None` if the price has no amount in
/// that currency, overflows, or is not simulated (tiers and `custom_unit_amount`).
pub fn price_amount(price: &Value, currency: &str, quantity: i64) -> Option<i64> {
    let terms =
        if price["currency"] == currency { price } else { &price["currency_options"][currency] };
    let units = transformed(price, quantity);
    if let Some(unit) = terms["unit_amount"].as_i64() {
        return unit.checked_mul(units);
    }
    let decimal: f64 = terms["unit_amount_decimal"].as_str()?.parse().ok()?;
    Some(round(decimal * units as f64))
}

/// Applies `transform_quantity`, which divides and rounds the quantity.
fn transformed(price: &Value, quantity: i64) -> i64 {
    let transform = &price["transform_quantity"];
    match transform["divide_by"].as_i64() {
        Some(by) if by > 0 && transform["round"] == "up" => (quantity + by - 1).div_euclid(by),
        Some(by) if by > 0 => quantity.div_euclid(by),
        _ => quantity,
    }
}

/// Returns the share of an amount for the rest of a period.
pub fn prorate(amount: i64, period: (i64, i64), from: i64) -> i64 {
    let (start, end) = period;
    let whole = i128::from(end - start);
    let left = i128::from((end - from.clamp(start, end)).max(0));
    if whole <= 0 {
        return 0;
    }
    let product = i128::from(amount) * left;
    let half = if product < 0 { -whole / 2 } else { whole / 2 };
    i64::try_from((product + half) / whole).unwrap_or(0)
}

/// Computes the discount on each of these amounts. A fixed amount is distributed in proportion. A
/// discount never exceeds its amount, and negative amounts get none.
pub fn discount(amounts: &[i64], coupon: &Value, currency: &str) -> Vec<i64> {
    let amounts: Vec<i64> = amounts.iter().map(|amount| (*amount).max(0)).collect();
    if let Some(percent) = coupon["percent_off"].as_f64() {
        let part = |amount: &i64| round(*amount as f64 * percent / 100.0).min(*amount);
        return amounts.iter().map(part).collect();
    }
    let total: i64 = amounts.iter().sum();
    let off = amount_off(coupon, currency).clamp(0, total);
    if total == 0 {
        return vec![0; amounts.len()];
    }
    let mut left = off;
    let mut remaining = total;
    let share = |amount: &i64| {
        let part = share_of(left, *amount, remaining);
        left -= part;
        remaining -= amount;
        part
    };
    amounts.iter().map(share).collect()
}

/// The share of `left` for one amount of the `remaining` total. Computing each share from the rest
/// makes the shares add up exactly.
fn share_of(left: i64, amount: i64, remaining: i64) -> i64 {
    if remaining <= 0 {
        return 0;
    }
    let part = (i128::from(left) * i128::from(amount) * 2 + i128::from(remaining))
        / (i128::from(remaining) * 2);
    i64::try_from(part).unwrap_or(0).min(amount)
}

fn amount_off(coupon: &Value, currency: &str) -> i64 {
    if coupon["currency"] == currency {
        return coupon["amount_off"].as_i64().unwrap_or(0);
    }
    coupon["currency_options"][currency]["amount_off"].as_i64().unwrap_or(0)
}

fn round(amount: f64) -> i64 {
    // Amounts are far below 2^53, so an f64 represents them exactly.
    amount.round() as i64
}

/// Formats an amount: `$9.99`, `€12.00`, `¥500`, `9.99 CHF`.
pub fn text(amount: i64, currency: &str) -> String {
    let digits = if is_zero_decimal(currency) { 0 } else { 2 };
    let (sign, amount) = (if amount < 0 { "-" } else { "" }, amount.unsigned_abs());
    let number = match digits {
        0 => amount.to_string(),
        _ => format!("{}.{:02}", amount / 100, amount % 100),
    };
    match currency {
        "usd" => format!("{sign}${number}"),
        "eur" => format!("{sign}€{number}"),
        "gbp" => format!("{sign}£{number}"),
        "jpy" => format!("{sign}¥{number}"),
        _ => format!("{sign}{number} {}", currency.to_uppercase()),
    }
}

/// Returns true for Stripe's zero-decimal currencies.
fn is_zero_decimal(currency: &str) -> bool {
    const ZERO_DECIMAL: [&str; 16] = [
        "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv",
        "xaf", "xof", "xpf",
    ];
    ZERO_DECIMAL.contains(&currency)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_rest_of_a_period_is_prorated() {
        let cases = [
            (1000, (0, 30), 15, 500),
            (-1000, (0, 30), 15, -500),
            (999, (0, 30), 0, 999),
            (999, (0, 30), 30, 0),
            (999, (0, 30), 40, 0),
            (999, (0, 2), 1, 500),
            (-999, (0, 2), 1, -500),
            (999, (5, 5), 5, 0),
        ];
        for (amount, period, from, expected) in cases {
            assert_eq!(prorate(amount, period, from), expected, "{amount} {period:?} {from}");
        }
    }

    #[test]
    fn a_discount_never_exceeds_the_amount() {
        let percent = json!({ "percent_off": 33.33 });
        let fixed = json!({ "amount_off": 100, "currency": "usd" });
        let cases: [(&[i64], &Value, &[i64]); 6] = [
            (&[1000, 500], &percent, &[333, 167]),
            (&[1000, -500], &percent, &[333, 0]),
            (&[300, 300, 300], &fixed, &[33, 34, 33]),
            (&[50], &fixed, &[50]),
            (&[0, 0], &fixed, &[0, 0]),
            (&[], &fixed, &[]),
        ];
        for (amounts, coupon, expected) in cases {
            assert_eq!(discount(amounts, coupon, "usd"), expected, "{amounts:?} {coupon}");
        }
        assert_eq!(discount(&[1000], &fixed, "eur"), [0], "the coupon is in dollars");
    }

    #[test]
    fn a_price_is_read_in_each_of_its_currencies() {
        let price = json!({
            "currency": "usd", "unit_amount": 999,
            "currency_options": { "eur": { "unit_amount": 899 } },
        });
        assert_eq!(price_amount(&price, "usd", 2), Some(1998));
        assert_eq!(price_amount(&price, "eur", 1), Some(899));
        assert_eq!(price_amount(&price, "chf", 1), None);
        let small = json!({ "currency": "usd", "unit_amount": null, "unit_amount_decimal": "0.5" });
        assert_eq!(price_amount(&small, "usd", 3), Some(2));
        let packs = json!({
            "currency": "usd", "unit_amount": 100,
            "transform_quantity": { "divide_by": 10, "round": "up" },
        });
        assert_eq!(price_amount(&packs, "usd", 11), Some(200));
    }

    #[test]
    fn amounts_are_formatted_by_currency() {
        let cases = [
            (999, "usd", "$9.99"),
            (-500, "eur", "-€5.00"),
            (500, "jpy", "¥500"),
            (5, "chf", "0.05 CHF"),
        ];
        for (amount, currency, expected) in cases {
            assert_eq!(text(amount, currency), expected);
        }
    }
}
