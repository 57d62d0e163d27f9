//! Formats money and times. English only: the pages are a developer tool.

use jiff::Timestamp;

/// Currencies without a minor unit.
const WHOLE: [&str; 16] = [
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv",
    "xaf", "xof", "xpf",
];

/// Currencies with a thousand minor units.
const THOUSANDTHS: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];

/// Formats an amount in minor units: `$24.99`, `€1,000.00`, `CHF 5.00`.
pub fn money(minor: i64, currency: &str) -> String {
    let currency = currency.to_lowercase();
    let digits = match currency.as_str() {
        whole if WHOLE.contains(&whole) => 0,
        thousandths if THOUSANDTHS.contains(&thousandths) => 3,
        _ => 2,
    };
    let sign = if minor < 0 { "−" } else { "" };
    let unit = 10_u64.pow(digits);
    let units = grouped(minor.unsigned_abs() / unit);
    let rest = minor.unsigned_abs() % unit;
    let number = match usize::try_from(digits).unwrap_or_default() {
        0 => units,
        width => format!("{units}.{rest:0width$}"),
    };
    let symbol = match currency.as_str() {
        "usd" => "$",
        "eur" => "€",
        "gbp" => "£",
        "jpy" => "¥",
        other => return format!("{sign}{} {number}", other.to_uppercase()),
    };
    format!("{sign}{symbol}{number}")
}

/// Formats a count with thousands separators: `29,000`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a time: `20 Nov 2026, 13:14:05 UTC`.
pub fn moment(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(
        |_| "a time out of range".to_owned(),
        |moment| moment.strftime("%-d %b %Y, %H:%M:%S UTC").to_string(),
    )
}

/// Formats a day: `20 Nov 2026`.
pub fn day(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(
        |_| "a day out of range".to_owned(),
        |moment| moment.strftime("%-d %b %Y").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_the_symbol_or_the_code_of_its_currency() {
        for (minor, currency, expected) in [
            (999, "usd", "$9.99"),
            (2_900_000, "USD", "$29,000.00"),
            (5, "eur", "€0.05"),
            (0, "gbp", "£0.00"),
            (-1250, "usd", "−$12.50"),
            (500, "jpy", "¥500"),
            (1_234_567, "jpy", "¥1,234,567"),
            (1_000, "chf", "CHF 10.00"),
            (1005, "kwd", "KWD 1.005"),
            (i64::MIN, "jpy", "−¥9,223,372,036,854,775,808"),
        ] {
            assert_eq!(money(minor, currency), expected);
        }
    }

    #[test]
    fn times_are_in_utc() {
        assert_eq!(moment(0), "1 Jan 1970, 00:00:00 UTC");
        assert_eq!(day(1_795_180_445), "20 Nov 2026");
        assert_eq!(moment(i64::MAX), "a time out of range");
    }
}
