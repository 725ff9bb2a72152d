//! Values with OpenTelemetry's units (UCUM: `s`, `By`, `{request}`, `1`, `%`) as the pages print them.
//!
//! A unit ends in `/s` where the value is a rate. One function prints them all: [`value`].

use crate::format;

/// Times, and how many nanoseconds they are.
const TIMES: &[(&str, f64)] =
    &[("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("min", 60e9), ("h", 3_600e9), ("d", 86_400e9)];
/// Sizes, and how many bytes they are.
const SIZES: &[(&str, f64)] = &[
    ("By", 1.0),
    ("kBy", 1e3),
    ("MBy", 1e6),
    ("GBy", 1e9),
    ("KiBy", 1_024.0),
    ("MiBy", 1_048_576.0),
    ("GiBy", 1_073_741_824.0),
];

fn factor(units: &[(&str, f64)], unit: &str) -> Option<f64> {
    units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor)
}

/// A value with its unit: `1.23 ms`, `12.4 kB/s`, `320 requests/s`, `12.5 %`, `0.42`.
pub fn value(value: f64, unit: &str) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    if let Some(nanos) = factor(TIMES, unit) {
        return time(value * nanos);
    }
    let (base, per) = match unit.strip_suffix("/s") {
        Some(base) => (base, "/s"),
        None => (unit, ""),
    };
    if let Some(bytes) = factor(SIZES, base) {
        return format!("{}{per}", size(value * bytes));
    }
    let digits = number(value);
    match (base, per) {
        ("" | "1", "") => digits,
        ("" | "1", _) => format!("{digits} /s"),
        ("%", _) => format!("{digits} %{per}"),
        _ => match annotation(base) {
            Some(word) => format!("{digits} {}{per}", plural(word, value)),
            None => format!("{digits} {base}{per}"),
        },
    }
}

/// A value without words, for the scale of a chart that names its unit once: as [`value`], without annotations.
pub fn scale(number_: f64, unit: &str) -> String {
    let (base, per) = match unit.strip_suffix("/s") {
        Some(base) => (base, true),
        None => (unit, false),
    };
    let is_short = factor(TIMES, unit).is_some() || factor(SIZES, base).is_some() || base == "%";
    match is_short {
        true if per => value(number_, base),
        true => value(number_, unit),
        false => number(number_),
    }
}

/// What a scale counts, in words: `requests/s`, `ms`; empty where the values say it themselves.
pub fn words(unit: &str) -> String {
    let (base, per) = match unit.strip_suffix("/s") {
        Some(base) => (base, " per second"),
        None => (unit, ""),
    };
    let base = match base {
        "" | "1" => "",
        "%" => "percent",
        "By" => "bytes",
        "s" => "seconds",
        other => match annotation(other) {
            Some(word) => return format!("{}{per}", plural(word, 2.0)),
            None => other,
        },
    };
    format!("{base}{per}").trim().to_owned()
}

/// The word of `{request}`.
fn annotation(unit: &str) -> Option<&str> {
    unit.strip_prefix('{')?.strip_suffix('}').filter(|word| !word.is_empty())
}

fn plural(word: &str, value: f64) -> String {
    let is_countable = word.chars().all(|c| c.is_ascii_alphabetic()) && !word.ends_with('s');
    match is_countable && value.abs() != 1.0 {
        true => format!("{word}s"),
        false => word.to_owned(),
    }
}

/// Nanoseconds as a duration. Below one nanosecond nothing is told apart.
fn time(nanos: f64) -> String {
    if nanos == 0.0 {
        return "0 s".to_owned();
    }
    format::duration(nanos.round().clamp(i64::MIN as f64, i64::MAX as f64) as i64)
}

fn size(bytes: f64) -> String {
    let sign = if bytes < 0.0 { "-" } else { "" };
    match bytes.abs() {
        size if size < 1.0 && size > 0.0 => format!("{sign}{} B", number(size)),
        size => format!("{sign}{}", format::bytes(size.round() as u64)),
    }
}

/// A number of three significant digits: `0.0123`, `42`, `12.4k`, `3.1M`.
pub fn number(value: f64) -> String {
    let sign = if value < 0.0 { "-" } else { "" };
    let size = value.abs();
    let text = match size {
        0.0 => return "0".to_owned(),
        v if !(1e-6..1e15).contains(&v) => return format!("{sign}{v:.2e}"),
        v if v < 1.0 => significant(v),
        v if v < 10_000.0 => grouped(v),
        v if v < 999_500.0 => format!("{}k", significant(v / 1e3)),
        v if v < 999_500_000.0 => format!("{}M", significant(v / 1e6)),
        v if v < 999_500_000_000.0 => format!("{}G", significant(v / 1e9)),
        v => format!("{}T", significant(v / 1e12)),
    };
    format!("{sign}{text}")
}

/// Numbers a person counts keep their digits.
fn grouped(value: f64) -> String {
    match value.fract() == 0.0 || value >= 1_000.0 {
        true => format::count(value.round() as u64),
        false => significant(value),
    }
}

/// Three significant digits without trailing zeros.
fn significant(value: f64) -> String {
    let digits_before = if value < 1.0 { value.log10().floor() as i32 + 1 } else { value.log10() as i32 + 1 };
    let decimals = (3 - digits_before).clamp(0, 9) as usize;
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_units() {
        let check = |number: f64, unit: &str, expect: &str| assert_eq!(value(number, unit), expect, "{number} {unit}");
        check(0.00123, "s", "1.23 ms");
        check(250.0, "ms", "250 ms");
        check(0.0, "s", "0 s");
        check(90.0, "s", "1 min 30 s");
        check(12_400.0, "By", "12.4 kB");
        check(12_400.0, "By/s", "12.4 kB/s");
        check(2.0, "KiBy", "2.05 kB");
        check(0.25, "By/s", "0.25 B/s");
        check(1.0, "{request}", "1 request");
        check(320.4, "{request}/s", "320 requests/s");
        check(3.0, "{cpu}", "3 cpus");
        check(3.0, "{class}", "3 class");
        check(0.5, "s/s", "0.5 s/s");
        check(12.5, "%", "12.5 %");
        check(0.421_9, "1", "0.422");
        check(0.421_9, "1/s", "0.422 /s");
        check(7.0, "", "7");
        check(7.0, "Cel", "7 Cel");
        check(f64::NAN, "s", "–");
        check(f64::INFINITY, "1", "–");
        check(-1.5, "By", "-2 B");
        check(1e300, "s", "106751 d 23 h");
    }

    #[test]
    fn numbers_are_short() {
        let check = |value: f64, expect: &str| assert_eq!(number(value), expect);
        check(0.0, "0");
        check(0.012_34, "0.0123");
        check(0.999_9, "1");
        check(1.5, "1.5");
        check(42.0, "42");
        check(99.96, "100");
        check(1_234.0, "1,234");
        check(1_234.7, "1,235");
        check(12_408.0, "12.4k");
        check(999_600.0, "1M");
        check(3_140_000.0, "3.14M");
        check(-12_408.0, "-12.4k");
        check(1e-9, "1.00e-9");
        check(1e18, "1.00e18");
    }

    #[test]
    fn scales_name_their_unit_once() {
        let check = |number: f64, unit: &str, expect: &str, said: &str| {
            assert_eq!((scale(number, unit).as_str(), words(unit).as_str()), (expect, said), "{unit}");
        };
        check(0.5, "s", "500 ms", "seconds");
        check(20_000.0, "By/s", "20 kB", "bytes per second");
        check(20.0, "{request}/s", "20", "requests per second");
        check(20.0, "1", "20", "");
        check(20.0, "1/s", "20", "per second");
        check(20.0, "Cel", "20", "Cel");
    }
}
