//! Tests of one value: a column's, or an attribute's raw canonical text.

use api::filter::{Interval, Number, Test};
use model::attributes;
use text_index::TermQuery;

use super::text::ValueTest;

/// The largest whole number whose double is written without an exponent, so that its digits are a token either way.
const PLAIN_DOUBLE_MAX: i64 = 1_000_000_000_000_000;

/// A field's test made ready for many values.
#[derive(Debug, Clone)]
pub(crate) enum FieldTest {
    Exists,
    Is { text: ValueTest, number: Option<Number> },
    Within(Interval),
}

impl FieldTest {
    pub(crate) fn new(test: &Test) -> FieldTest {
        match test {
            Test::Exists => FieldTest::Exists,
            Test::Is(pattern) => {
                FieldTest::Is { text: ValueTest::new(pattern), number: pattern.as_literal().and_then(Number::parse) }
            }
            Test::Within(interval) => FieldTest::Within(*interval),
        }
    }

    /// A text column's value, or a string attribute.
    pub(crate) fn text(&self, value: &str) -> bool {
        match self {
            FieldTest::Exists => true,
            FieldTest::Is { text, .. } => text.matches(value),
            FieldTest::Within(interval) => Number::parse(value.trim()).is_some_and(|number| interval.contains(number)),
        }
    }

    /// A number column's value.
    pub(crate) fn number(&self, value: Number) -> bool {
        match self {
            FieldTest::Exists => true,
            FieldTest::Is { text, number } => match number {
                Some(wanted) => wanted.compare(value).is_some_and(|order| order.is_eq()),
                None => matches!(value, Number::Integer(whole) if text.matches(&whole.to_string())),
            },
            FieldTest::Within(interval) => interval.contains(value),
        }
    }

    /// An attribute's raw canonical text.
    pub(crate) fn raw(&self, raw: &str) -> bool {
        if matches!(self, FieldTest::Exists) {
            return true;
        }
        // A raw number begins with a digit or a minus; a raw string with a quote.
        if raw.as_bytes().first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-')
            && let Some(number) = Number::parse(raw)
        {
            let by_text = matches!(self, FieldTest::Is { text, number: None } if text.matches(raw));
            return by_text || self.number(number);
        }
        self.text(&attributes::native_text(raw))
    }

    /// What an index over the texts of attribute values can say of rows where one of them passes.
    pub(crate) fn terms(&self) -> TermQuery {
        match self {
            FieldTest::Is { text, number: None } => text.terms(),
            // 5 is found as 5, 5.0 and "5": the digits are a token of each.
            FieldTest::Is { number: Some(Number::Integer(whole)), .. } if whole.abs() < PLAIN_DOUBLE_MAX => {
                TermQuery::Token(whole.abs().to_string())
            }
            _ => TermQuery::All,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::filter::{Filter, Target, parse};

    #[test]
    fn raw_values_are_tested_by_kind() {
        let check = |test: &str, raw: &str, expect: bool| {
            let Ok(Filter::Field(_, test)) = parse(&format!("x:{test}"), Target::Logs) else { panic!("{test}") };
            assert_eq!(FieldTest::new(&test).raw(raw), expect, "{test:?} {raw}");
        };
        check("5", "5", true);
        check("5", "5.0", true);
        check("5", "\"5\"", true);
        check("5", "\"05\"", false);
        check("5", "50", false);
        check("05", "5", true);
        check("-5", "-5", true);
        check("5*", "500", true);
        check("1.5", "1.5", true);
        check(">=500", "500", true);
        check(">=500", "499.9", false);
        check("<5", "\"4\"", true);
        check("<5", "\"four\"", false);
        check("GET", "\"get\"", true);
        check("GE*", "\"get\"", true);
        check("true", "true", true);
        check("*", "null", true);
        check("\"\"", "\"\"", true);
        check("9007199254740993", "9007199254740992", false);
    }

    /// Where a number passes, the digits the index is asked for are a token of its text.
    #[test]
    fn digits_are_tokens_of_every_form() {
        for whole in [0, 5, -5, 1_234_567, PLAIN_DOUBLE_MAX - 1] {
            let mut text = String::new();
            attributes::write_double(&mut text, whole as f64);
            let mut held = Vec::new();
            text_index::tokens(&text, |token| held.push(token.to_owned()));
            let Ok(Filter::Field(_, test)) = parse(&format!("x:{whole}"), Target::Logs) else { panic!("{whole}") };
            let test = FieldTest::new(&test);
            assert!(test.raw(&text), "{text}");
            match test.terms() {
                TermQuery::Token(token) => assert!(held.contains(&token), "{token} in {held:?}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
