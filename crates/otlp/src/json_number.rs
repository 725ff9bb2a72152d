//! Numbers of OTLP/JSON: as numbers or as strings, integers exact even in exponent notation.

use crate::Stop;
use crate::json::Json;

/// What stood where a number was expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scan<T> {
    Value(T),
    Null,
    /// No number, or none that fits.
    Bad,
}

/// The characters of a number or of a string; empty and Bad where something else stood, which is skipped.
fn token<'a>(json: &mut Json<'a>) -> Result<Scan<&'a [u8]>, Stop> {
    Ok(match json.peek()? {
        b'"' => {
            let (raw, escaped) = json.raw_string()?;
            if escaped { Scan::Bad } else { Scan::Value(raw) }
        }
        b'0'..=b'9' | b'-' => Scan::Value(json.raw_number()),
        b'n' => {
            json.null()?;
            Scan::Null
        }
        _ => {
            json.skip()?;
            Scan::Bad
        }
    })
}

/// Reads an integer of any width.
pub(crate) fn integer<T: TryFrom<i128>>(json: &mut Json<'_>) -> Result<Scan<T>, Stop> {
    Ok(match token(json)? {
        Scan::Value(digits) => match parse_integer(digits).and_then(|value| T::try_from(value).ok()) {
            Some(value) => Scan::Value(value),
            None => Scan::Bad,
        },
        Scan::Null => Scan::Null,
        Scan::Bad => Scan::Bad,
    })
}

/// Reads a double, `NaN` and infinities as strings among them.
pub(crate) fn double(json: &mut Json<'_>) -> Result<Scan<f64>, Stop> {
    Ok(match token(json)? {
        Scan::Value(b"NaN") => Scan::Value(f64::NAN),
        Scan::Value(b"Infinity") => Scan::Value(f64::INFINITY),
        Scan::Value(b"-Infinity") => Scan::Value(f64::NEG_INFINITY),
        Scan::Value(digits) => match parse_double(digits) {
            Some(value) => Scan::Value(value),
            None => Scan::Bad,
        },
        Scan::Null => Scan::Null,
        Scan::Bad => Scan::Bad,
    })
}

fn parse_double(digits: &[u8]) -> Option<f64> {
    // Rust reads words such as "inf" too.
    if !digits.first()?.is_ascii_digit() && digits[0] != b'-' || digits.iter().any(|b| matches!(b, b'i' | b'n')) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|value: &f64| value.is_finite())
}

/// An integer, also as `1.0`, `1.5e3` or `120e-1`; at most 38 digits.
pub(crate) fn parse_integer(text: &[u8]) -> Option<i128> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let plain = digits.len() <= 19 && digits.iter().all(u8::is_ascii_digit);
    let value = if plain && !digits.is_empty() {
        i128::from(digits.iter().fold(0_u64, |value, digit| value * 10 + u64::from(digit - b'0')))
    } else {
        parse_decimal(digits)?
    };
    Some(if negative { -value } else { value })
}

/// Digits with a fraction and an exponent, if they make an integer.
fn parse_decimal(text: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(text).ok()?;
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction.trim_end_matches('0')),
        Some(_) => return None,
        None => (mantissa, ""),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let mut value: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    let scale = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    if value == 0 {
        return Some(0);
    }
    let power = 10_i128.checked_pow(scale.unsigned_abs())?;
    if scale >= 0 { value.checked_mul(power) } else { (value % power == 0).then(|| value / power) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        let check = |json: &str, expect: Scan<i64>| {
            assert_eq!(integer(&mut Json::new(json.as_bytes())), Ok(expect), "{json}");
        };
        check("123", Scan::Value(123));
        check(r#""123""#, Scan::Value(123));
        check(r#""-9223372036854775808""#, Scan::Value(i64::MIN));
        check("9223372036854775807", Scan::Value(i64::MAX));
        check("9007199254740993", Scan::Value(9_007_199_254_740_993));
        check("1.0", Scan::Value(1));
        check("1.5447e18", Scan::Value(1_544_700_000_000_000_000));
        check(r#""1e3""#, Scan::Value(1000));
        check("120e-1", Scan::Value(12));
        check("0e99999", Scan::Value(0));
        check("null", Scan::Null);
        for bad in
            ["9223372036854775808", "1.5", "1e40", "1e99999", r#""""#, r#""abc""#, "true", "{}", "-", "1.", r#""+1""#]
        {
            check(bad, Scan::Bad);
        }
        assert_eq!(integer::<u64>(&mut Json::new(b"18446744073709551615")), Ok(Scan::Value(u64::MAX)));
        assert_eq!(integer::<u64>(&mut Json::new(b"-1")), Ok(Scan::Bad));
        assert_eq!(integer::<u32>(&mut Json::new(b"\"4294967296\"")), Ok(Scan::Bad));
    }

    #[test]
    fn doubles() {
        let check = |json: &str, expect: Scan<f64>| {
            assert_eq!(double(&mut Json::new(json.as_bytes())), Ok(expect), "{json}");
        };
        check("1", Scan::Value(1.0));
        check("-1.5e3", Scan::Value(-1500.0));
        check(r#""1.5""#, Scan::Value(1.5));
        check(r#""Infinity""#, Scan::Value(f64::INFINITY));
        check(r#""-Infinity""#, Scan::Value(f64::NEG_INFINITY));
        check("null", Scan::Null);
        for bad in [r#""inf""#, r#""nan""#, r#""""#, "1e999", "[]", r#""1,5""#] {
            check(bad, Scan::Bad);
        }
        assert!(matches!(double(&mut Json::new(b"\"NaN\"")), Ok(Scan::Value(value)) if value.is_nan()));
    }
}
