//! Parses and formats numbers as Redis and C do.
//!
//! Deliberately absent: floating-point values in the data; only scripts have those.

/// Parses an integer in exactly the form that Redis writes: no `+`, no leading zero, no space.
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Formats a number as C's `%.{precision}g` does.
pub fn format_g(value: f64, precision: usize) -> String {
    if value.is_nan() {
        return if value.is_sign_negative() { "-nan" } else { "nan" }.to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{:.*e}", precision - 1, value);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    match usize::try_from(exponent) {
        Ok(whole) if whole < precision => {
            without_trailing_zeros(&format!("{value:.*}", precision - 1 - whole)).to_owned()
        }
        Err(_) if exponent >= -4 => {
            let decimals = precision - 1 + exponent.unsigned_abs() as usize;
            without_trailing_zeros(&format!("{value:.decimals$}")).to_owned()
        }
        _ => {
            let sign = if exponent < 0 { '-' } else { '+' };
            let mantissa = without_trailing_zeros(mantissa);
            format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
        }
    }
}

fn without_trailing_zeros(decimal: &str) -> &str {
    match decimal.contains('.') {
        true => decimal.trim_end_matches('0').trim_end_matches('.'),
        false => decimal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_integers_are_integers() {
        assert_eq!(parse_integer(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(parse_integer(b"0"), Some(0));
        for text in ["", "+1", "01", "-0", " 1", "1 ", "1.0", "9223372036854775808", "a"] {
            assert_eq!(parse_integer(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn floats_are_written_as_printf_writes_them() {
        for (value, short, long) in [
            (0.0, "0", "0"),
            (-0.0, "-0", "-0"),
            (1.0, "1", "1"),
            (0.1, "0.1", "0.10000000000000001"),
            (3.3, "3.3", "3.2999999999999998"),
            (-2.5, "-2.5", "-2.5"),
            (1e14, "1e+14", "100000000000000"),
            (99_999_999_999_999.0, "99999999999999", "99999999999999"),
            (12_345_678_901_234_567.0, "1.2345678901235e+16", "12345678901234568"),
            (1e17, "1e+17", "1e+17"),
            (0.0001, "0.0001", "0.0001"),
            (0.00001, "1e-05", "1.0000000000000001e-05"),
            (1e300, "1e+300", "1.0000000000000001e+300"),
        ] {
            assert_eq!(format_g(value, 14), short);
            assert_eq!(format_g(value, 17), long);
        }
    }
}
