//! Free text against one text: what a word, a phrase and a pattern match.
//!
//! Everything a match needs of a text can be said in the tokens the text index holds, so that an index which excludes
//! a block for a missing token excludes no match (I9): a literal matches only where each of its tokens is a token of
//! the text, besides standing there as it is written.

use std::borrow::Cow;

use api::filter::Pattern;
use text_index::{TermQuery, tokens};

/// A pattern made ready for many texts.
#[derive(Debug, Clone)]
pub(crate) enum TextTest {
    /// One token, nothing beside it.
    Token(String),
    /// A literal of several tokens, or with punctuation: all of the tokens, and the literal itself in lower case.
    Phrase { tokens: Vec<String>, lower: String },
    /// Letters and digits with stars, within one token.
    WithinToken(Pattern),
    /// Any other pattern with stars, anywhere.
    Anywhere(Pattern),
}

fn tokens_of(text: &str) -> Vec<String> {
    let mut list = Vec::new();
    tokens(text, |token| list.push(token.to_owned()));
    list
}

/// Text in lower case, as it is where it is that already.
pub(crate) fn lower(text: &str) -> Cow<'_, str> {
    let is_lower = text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_lower { Cow::Borrowed(text) } else { Cow::Owned(text.to_lowercase()) }
}

impl TextTest {
    pub(crate) fn new(pattern: &Pattern) -> TextTest {
        let Some(literal) = pattern.as_literal() else { return TextTest::of_stars(pattern) };
        let mut tokens = tokens_of(literal);
        let lower = lower(literal).into_owned();
        if tokens.len() == 1 && tokens[0] == lower {
            return TextTest::Token(tokens.swap_remove(0));
        }
        tokens.sort_unstable();
        tokens.dedup();
        TextTest::Phrase { tokens, lower }
    }

    fn of_stars(pattern: &Pattern) -> TextTest {
        let lower = pattern.to_lowercase();
        let is_word = |piece: &String| piece.is_empty() || tokens_of(piece) == [piece.as_str()];
        match lower.pieces().iter().all(is_word) {
            true => TextTest::WithinToken(lower),
            false => TextTest::Anywhere(lower),
        }
    }

    /// Whether the text matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            TextTest::Token(token) => has_token(text, token),
            TextTest::Phrase { tokens, lower: phrase } => {
                lower(text).contains(phrase.as_str()) && has_all_tokens(text, tokens)
            }
            TextTest::WithinToken(pattern) => any_token(text, |token| pattern.matches(token)),
            TextTest::Anywhere(pattern) => pattern.is_within(&lower(text)),
        }
    }

    /// Whether the digits of some whole number match.
    pub(crate) fn may_match_integer(&self) -> bool {
        let is_of_numbers = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        match self {
            TextTest::Token(token) => is_of_numbers(token),
            TextTest::Phrase { lower, .. } => is_of_numbers(lower),
            TextTest::WithinToken(pattern) | TextTest::Anywhere(pattern) => {
                pattern.pieces().iter().all(|piece| is_of_numbers(piece))
            }
        }
    }

    /// Whether no string inside this JSON text can match; false where that takes a closer look.
    pub(crate) fn rules_out_json(&self, json: &str) -> bool {
        match self {
            // Letters and digits stand in JSON as they are, and case aside nothing else reads as them in ASCII.
            TextTest::Token(token) => token.is_ascii() && json.is_ascii() && !contains_ignoring_case(json, token),
            _ => false,
        }
    }

    /// What an index can say of it.
    pub(crate) fn terms(&self) -> TermQuery {
        match self {
            TextTest::Token(token) => TermQuery::Token(token.clone()),
            TextTest::Phrase { tokens, .. } => TermQuery::And(tokens.iter().cloned().map(TermQuery::Token).collect()),
            TextTest::WithinToken(pattern) => match pattern.pieces().first() {
                Some(prefix) if !prefix.is_empty() => TermQuery::Prefix(prefix.clone()),
                _ => TermQuery::All,
            },
            TextTest::Anywhere(_) => TermQuery::All,
        }
    }
}

fn any_token(text: &str, mut test: impl FnMut(&str) -> bool) -> bool {
    let mut found = false;
    tokens(text, |token| found = found || test(token));
    found
}

fn has_token(text: &str, wanted: &str) -> bool {
    // In ASCII a token stands in the text as it is but for case, so most texts need not be cut up.
    if text.is_ascii() && !(wanted.is_ascii() && contains_ignoring_case(text, wanted)) {
        return false;
    }
    any_token(text, |token| token == wanted)
}

/// The tokens are sorted and none is there twice.
fn has_all_tokens(text: &str, wanted: &[String]) -> bool {
    let mut seen = vec![false; wanted.len()];
    tokens(text, |token| {
        if let Ok(at) = wanted.binary_search_by(|wanted| wanted.as_str().cmp(token)) {
            seen[at] = true;
        }
    });
    seen.into_iter().all(|seen| seen)
}

/// Whether the text holds `lower`, which is ASCII in lower case.
fn contains_ignoring_case(text: &str, lower: &str) -> bool {
    let (text, lower) = (text.as_bytes(), lower.as_bytes());
    let Some((first, rest)) = lower.split_first() else { return true };
    let Some(last_start) = text.len().checked_sub(lower.len()) else { return false };
    let upper = first.to_ascii_uppercase();
    let mut at = 0;
    while at <= last_start {
        let window = &text[at..=last_start];
        let Some(found) = window.iter().position(|byte| byte == first || *byte == upper) else { return false };
        at += found + 1;
        if text[at..at + rest.len()].eq_ignore_ascii_case(rest) {
            return true;
        }
    }
    false
}

/// A pattern that a whole value must be, ignoring case.
#[derive(Debug, Clone)]
pub(crate) struct ValueTest {
    lower: Pattern,
    /// The literal's tokens: they must be the value's, so that an index may be asked for them.
    tokens: Option<Vec<String>>,
}

impl ValueTest {
    pub(crate) fn new(pattern: &Pattern) -> ValueTest {
        ValueTest { lower: pattern.to_lowercase(), tokens: pattern.as_literal().map(tokens_of) }
    }

    pub(crate) fn matches(&self, value: &str) -> bool {
        match (self.lower.as_literal(), &self.tokens) {
            (Some(literal), _) if value.is_ascii() && literal.is_ascii() => value.eq_ignore_ascii_case(literal),
            (Some(literal), Some(tokens)) => *lower(value) == *literal && tokens_of(value) == *tokens,
            _ => self.lower.matches(&lower(value)),
        }
    }

    /// What an index can say of a text that is exactly such a value.
    pub(crate) fn terms(&self) -> TermQuery {
        match &self.tokens {
            Some(tokens) => TermQuery::And(tokens.iter().cloned().map(TermQuery::Token).collect()),
            None => TermQuery::All,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test_of(query: &str) -> TextTest {
        match api::filter::parse(query, api::filter::Target::Logs) {
            Ok(api::filter::Filter::Text(pattern)) => TextTest::new(&pattern),
            other => panic!("{query}: {other:?}"),
        }
    }

    #[test]
    fn words_phrases_and_patterns_match_texts() {
        let check = |query: &str, text: &str, expect: bool| {
            assert_eq!(test_of(query).matches(text), expect, "{query} in {text}");
        };
        check("timeout", "Connection TIMEOUT after 5s", true);
        check("timeout", "timeouts", false);
        check("time", "timeout", false);
        check("größe", "Die GRÖSSE GRÖßE", true);
        check("k", "5 \u{212A}", true);
        check("\"connection refused\"", "error: Connection refused by peer", true);
        check("\"connection refused\"", "error: disconnection refused", false);
        check("\"connection refused\"", "connection was refused", false);
        check("\"connection refused\"", "connection refusedly", false);
        check("user_id", "the user_id=5", true);
        check("user_id", "user id", false);
        check("\"=\"", "a=b", true);
        check("conn*", "a CONNECTION", true);
        check("conn*", "disconn", false);
        check("*nect*", "a connection", true);
        check("co*on", "a connection lost", true);
        check("co*lost", "a connection lost", false);
        check("/api/*/items", "GET /API/v1/items", true);
        check("/api/*/items", "GET /api/items", false);
        check("e29b", "id 550e8400-e29b-41d4-a716-446655440000", false);
        check("550e8400-e29b-41d4-a716-446655440000", "ID=550E8400-E29B-41D4-A716-446655440000", true);
        check("日本", "これは日本語", true);
        check("İx", "i\u{307}x", false);
    }

    #[test]
    fn only_patterns_of_digits_match_whole_numbers() {
        for query in ["5", "\"-5\"", "5*", "*-5*", "timeout", "5a", "a*", "\"5 6\"", "x_5", "é"] {
            let test = test_of(query);
            let matches = ["5", "-5", "-9223372036854775808", "56"].iter().any(|number| test.matches(number));
            assert!(!matches || test.may_match_integer(), "{query}");
        }
        assert!(!test_of("timeout").may_match_integer() && test_of("80").may_match_integer());
    }

    #[test]
    fn containing_ignores_case() {
        let check = |text: &str, part: &str, expect: bool| {
            assert_eq!(contains_ignoring_case(text, part), expect, "{part} in {text}");
        };
        check("", "", true);
        check("", "a", false);
        check("aAb", "ab", true);
        check("xyA", "a", true);
        check("ab", "abc", false);
        check("aaab", "aab", true);
    }

    /// No text matches that lacks a token the index would be asked for.
    #[test]
    fn terms_never_exclude_a_match() {
        let words = ["foo", "Foo-bar", "BAR", "12", "İx", "i\u{307}x", "ς", "Σ", "a*", "*b*", "x_y", "é", "日本"];
        let texts = ["foo", "foo-bar", "Foo bar x_y", "İx", "i\u{307}x", "σ", "ΟΔΟΣ", "ab 12", "É日本", "fooBAR"];
        let mut random = 1_u64;
        for _ in 0..5_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let pick = |list: &[&str], shift: u32| list[(random >> shift) as usize % list.len()].to_owned();
            let query = pick(&words, 20) + [" ", "-", ""][(random >> 50) as usize % 3] + &pick(&words, 30);
            let text = pick(&texts, 40) + [" ", "-", ""][(random >> 55) as usize % 3] + &pick(&texts, 10);
            let pattern = match query.contains('*') {
                true => match api::filter::parse(&query.replace(' ', ""), api::filter::Target::Logs) {
                    Ok(api::filter::Filter::Text(pattern)) => pattern,
                    _ => continue,
                },
                false => Pattern::literal(query.clone()),
            };
            let held = tokens_of(&text);
            for (matches, terms) in [
                (TextTest::new(&pattern).matches(&text), TextTest::new(&pattern).terms()),
                (ValueTest::new(&pattern).matches(&text), ValueTest::new(&pattern).terms()),
            ] {
                assert!(!matches || may_match(&terms, &held), "{query:?} in {text:?}: {terms:?}");
            }
        }
    }

    fn may_match(terms: &TermQuery, held: &[String]) -> bool {
        match terms {
            TermQuery::Token(token) => tokens_of(token).iter().all(|token| held.contains(token)),
            TermQuery::Prefix(prefix) => held.iter().any(|token| token.starts_with(prefix.as_str())),
            TermQuery::And(parts) => parts.iter().all(|part| may_match(part, held)),
            TermQuery::Or(parts) => parts.iter().any(|part| may_match(part, held)),
            TermQuery::All => true,
        }
    }
}
