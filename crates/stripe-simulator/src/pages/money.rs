//! Formats money.

/// Currencies without a minor unit.
const WHOLE: [&str; 16] = [
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv",
    "xaf", "xof", "xpf",
];

/// Currencies with a thousand minor units.
const THOUSANDTHS: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];

/// Formats an amount in minor units: `USD 9.99`.
pub fn money(minor: i64, currency: &str) -> String {
    let digits = match currency {
        whole if WHOLE.contains(&whole) => 0,
        thousandths if THOUSANDTHS.contains(&thousandths) => 3,
        _ => 2,
    };
    let sign = if minor < 0 { "−" } else { "" };
    let (units, rest) =
        (minor.unsigned_abs() / 10_u64.pow(digits), minor.unsigned_abs() % 10_u64.pow(digits));
    let currency = currency.to_uppercase();
    let width = usize::try_from(digits).unwrap_or_default();
    match width {
        0 => format!("{sign}{currency} {units}"),
        width => format!("{sign}{currency} {units}.{rest:0width$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::money;

    #[test]
    fn minor_units_depend_on_the_currency() {
        for (minor, currency, expected) in [
            (999, "usd", "USD 9.99"),
            (5, "eur", "EUR 0.05"),
            (0, "usd", "USD 0.00"),
            (-1250, "usd", "−USD 12.50"),
            (500, "jpy", "JPY 500"),
            (1005, "kwd", "KWD 1.005"),
            (i64::MIN, "jpy", "−JPY 9223372036854775808"),
        ] {
            assert_eq!(money(minor, currency), expected);
        }
    }
}
