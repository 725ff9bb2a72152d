//! Checks of a SQL text by its tokens alone, before any parser or planner recurses over it.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::SqlLimits;
use crate::error::QueryError;

/// Refuses a text that is longer, deeper or wider than it may be.
pub(crate) fn check_text(text: &str, limits: &SqlLimits) -> Result<(), QueryError> {
    if text.len() > limits.text_bytes_max {
        return Err(too_large(format!("the query has more than {} KiB", limits.text_bytes_max / 1024)));
    }
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, text).tokenize_with_location();
    let tokens = tokens.map_err(|error| QueryError::Invalid {
        message: error.message.clone(),
        position: offset_of(text, error.location.line, error.location.column),
    })?;
    check_tokens(&tokens, limits)
}

fn too_large(message: String) -> QueryError {
    QueryError::TooLarge { message }
}

#[derive(Default)]
struct Seen {
    tokens: usize,
    operators: usize,
    selects: usize,
    joins: usize,
    depth: usize,
}

fn check_tokens(tokens: &[TokenWithSpan], limits: &SqlLimits) -> Result<(), QueryError> {
    let mut seen = Seen::default();
    let mut after_semicolon = false;
    for token in tokens {
        if matches!(token.token, Token::Whitespace(_) | Token::EOF) {
            continue;
        }
        if after_semicolon {
            return Err(QueryError::invalid("one statement at a time"));
        }
        after_semicolon = token.token == Token::SemiColon;
        if after_semicolon {
            continue;
        }
        seen.count(&token.token);
        seen.check(limits)?;
    }
    match seen.tokens {
        0 => Err(QueryError::invalid("there is no query here: write SELECT …")),
        _ => Ok(()),
    }
}

impl Seen {
    fn count(&mut self, token: &Token) {
        self.tokens += 1;
        match token {
            Token::Word(word) => self.count_word(word.keyword),
            Token::LParen | Token::LBracket | Token::LBrace => {
                self.depth += 1;
                self.operators += usize::from(*token == Token::LBracket);
            }
            Token::RParen | Token::RBracket | Token::RBrace => self.depth = self.depth.saturating_sub(1),
            Token::Number(..)
            | Token::Char(_)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::DollarQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::Comma
            | Token::SemiColon => {}
            // Every sign that is left joins or changes expressions.
            _ => self.operators += 1,
        }
    }

    fn count_word(&mut self, keyword: Keyword) {
        match keyword {
            Keyword::SELECT
            | Keyword::VALUES
            | Keyword::UNION
            | Keyword::INTERSECT
            | Keyword::EXCEPT
            | Keyword::TABLE => self.selects += 1,
            Keyword::JOIN => self.joins += 1,
            Keyword::AND
            | Keyword::OR
            | Keyword::NOT
            | Keyword::XOR
            | Keyword::DIV
            | Keyword::IS
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::SIMILAR
            | Keyword::REGEXP
            | Keyword::RLIKE
            | Keyword::BETWEEN
            | Keyword::IN
            | Keyword::COLLATE
            | Keyword::AT
            | Keyword::CASE
            | Keyword::WHEN
            | Keyword::CAST
            | Keyword::INTERVAL => self.operators += 1,
            _ => {}
        }
    }

    fn check(&self, limits: &SqlLimits) -> Result<(), QueryError> {
        let over = |count: usize, max: usize, what: &str| {
            (count > max).then(|| too_large(format!("the query has more than {max} {what}")))
        };
        let refused = over(self.tokens, limits.tokens_max, "words and signs")
            .or_else(|| over(self.operators, limits.operators_max, "operators; IN (…) takes the place of many ORs"))
            .or_else(|| over(self.selects, limits.selects_max, "SELECTs"))
            .or_else(|| over(self.joins, limits.joins_max, "JOINs"))
            .or_else(|| over(self.depth, limits.nesting_max, "parentheses inside one another"));
        refused.map_or(Ok(()), Err)
    }
}

/// Byte offset of a line and column, both counted from 1.
pub(crate) fn offset_of(text: &str, line: u64, column: u64) -> Option<usize> {
    let line_start = match line {
        0 => return None,
        1 => 0,
        _ => text.match_indices('\n').nth(usize::try_from(line).ok()? - 2)?.0 + 1,
    };
    let within = text[line_start..].char_indices().nth(usize::try_from(column.max(1)).ok()? - 1);
    Some(within.map_or(text.len(), |(at, _)| line_start + at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_measured() {
        let limits = SqlLimits::default();
        let check = |text: String, expect: &str| {
            let outcome = check_text(&text, &limits).err().map(|error| error.to_string()).unwrap_or_default();
            let shown: String = text.chars().take(40).collect();
            assert!(outcome.contains(expect) && outcome.is_empty() == expect.is_empty(), "{shown}: {outcome}");
        };
        check("select count(*) from logs".into(), "");
        check("select 1;".into(), "");
        check("  with a as (select 1) select * from a ; -- done".into(), "");
        check(format!("select * from logs where trace_id in ({})", vec!["'x'"; 3000].join(",")), "");
        check(String::new(), "no query");
        check(";".into(), "no query");
        check("select 1; select 2".into(), "one statement");
        check(format!("select {}", vec!["1"; 600].join("+")), "operators");
        check(format!("select 1 where {}", vec!["a=1"; 400].join(" or ")), "operators");
        check(format!("select {}1", "-".repeat(0) + &"- ".repeat(600)), "operators");
        check(format!("select {}1", "not ".repeat(600)), "operators");
        check(format!("select 1{}", "::int".repeat(600)), "operators");
        check(format!("select {}1{}", "(".repeat(100), ")".repeat(100)), "parentheses");
        check(vec!["select 1"; 100].join(" union all "), "SELECTs");
        check(format!("select * from logs {}", "join logs using (time) ".repeat(50)), "JOINs");
        check(format!("select '{}'", "x".repeat(70_000)), "64 KiB");
        check(format!("select {}", vec!["1"; 20_000].join(",")), "words");
        check("select 'abc".into(), "nterminated");
    }

    #[test]
    fn lines_and_columns_become_offsets() {
        assert_eq!(offset_of("ab\ncd", 1, 1), Some(0));
        assert_eq!(offset_of("ab\ncd", 2, 2), Some(4));
        assert_eq!(offset_of("é\nü x", 2, 3), Some(6));
        assert_eq!(offset_of("ab", 1, 9), Some(2));
        assert_eq!(offset_of("ab", 0, 0), None);
    }
}
